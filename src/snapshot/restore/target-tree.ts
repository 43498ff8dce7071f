import {
  type MetadataWriter,
  makeFolder,
  openFolder,
  removeLeftovers,
  type TargetFolder,
} from '../../fs/index.js';
import type { Entry } from '../entry.js';
import { metadataOf } from './file-writer.js';

/** A folder of the target while things are restored into it. */
export interface TargetNode {
  readonly parent: TargetNode | undefined;
  readonly folder: TargetFolder;
  /** The snapshot's entry; undefined for a target folder of the user's own. */
  entry: Entry | undefined;
  /** What has still to happen in it before its own metadata is set. */
  pending: number;
}

/** Keeps the folders of the target open as long as something is still to be written into them, and finishes them. */
export class TargetTree {
  private readonly nodes = new Set<TargetNode>();

  constructor(private readonly metadata: MetadataWriter) {}

  /** Folders that are open now. */
  get open(): number {
    return this.nodes.size;
  }

  /** The root, which is open already. */
  root(folder: TargetFolder): TargetNode {
    return this.add({ parent: undefined, folder, entry: undefined, pending: 1 });
  }

  /** Makes or enters a folder; the caller releases it when it has nothing more to put there. Throws FileError (target). */
  enter(parent: TargetNode, entry: Entry): TargetNode {
    const folder = makeFolder(parent.folder, entry.name);
    const node = this.add({ parent, folder, entry, pending: 1 });
    parent.pending++;
    return node;
  }

  /** Closes what a restore that did not come to its end has left open. Nothing may run any more. */
  closeAll(): void {
    for (const { folder } of this.nodes) folder.close();
    this.nodes.clear();
  }

  private add(node: TargetNode): TargetNode {
    try {
      // An earlier restore that was killed may have left unnamed pieces in a folder that was there already.
      if (!node.folder.created) removeLeftovers(node.folder);
    } catch (error) {
      node.folder.close();
      throw error;
    }
    this.nodes.add(node);
    return node;
  }

  /** Something in the folder is done. The last one sets the folder's metadata and closes it, and so on upwards. */
  release(released: TargetNode): void {
    for (let node: TargetNode | undefined = released; node !== undefined; node = node.parent) {
      node.pending--;
      if (node.pending > 0) return;
      const { folder, entry } = node;
      // A folder of the user's own keeps its metadata.
      if (entry !== undefined && folder.created) {
        this.metadata.applyToFd(folder.fd, folder.location, metadataOf(entry));
        if (entry.flags !== undefined) {
          this.metadata.setFlagsOfFd(folder.fd, folder.location, entry.flags);
        }
      }
      this.nodes.delete(node);
      folder.close();
    }
  }
}

/** Opens again, from the root and through no symlink, a folder that may have been closed meanwhile. */
export function reopen(root: TargetFolder, names: readonly string[]): TargetFolder {
  let at = root;
  for (const name of names) {
    const from = at;
    try {
      at = openFolder(from, name);
    } finally {
      if (from !== root) from.close();
    }
  }
  return at;
}
