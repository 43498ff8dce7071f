import { randomBytes } from 'node:crypto';
import {
  displayPath,
  FileError,
  giveBackMode,
  isStill,
  lookAt,
  lookAtOpen,
  type MetadataWriter,
  makeFolder,
  moveAside,
  nameNew,
  openEntryToOwner,
  openFolder,
  openToOwner,
  removeEntry,
  removeLeftovers,
  type SeenEntry,
  type TargetFolder,
} from '../../fs/index.js';
import type { Entry } from '../entry.js';
import { metadataOf } from './file-writer.js';
import { mayReplace, type OverwriteRule } from './overwrite-rule.js';
import type { RestoreReport } from './restore-report.js';
import { TAKEN_NAME, type TakenNames } from './taken-names.js';

/** A folder of the target while things are restored into it. */
export interface TargetNode {
  readonly parent: TargetNode | undefined;
  readonly folder: TargetFolder;
  /** The snapshot's entry; undefined for a target folder of the user's own. */
  entry: Entry | undefined;
  /** What has still to happen in it before its own metadata is set. */
  pending: number;
  /** Something that belongs into it, at any depth, is lost. */
  isIncomplete?: boolean;
  /** It existed, and its metadata is set all the same. */
  readonly isCorrected: boolean;
  /** The mode to give back, where its owner had to be given more rights for the while. */
  readonly lentMode?: number | undefined;
  /** What was in its place, until everything in it is restored. */
  readonly aside?: { readonly name: string; readonly path: string; readonly seen: SeenEntry } | undefined;
}

const ASIDE_BYTES = '.cbr-old-'.length + 8;

/** The name that something keeps beside what is restored in its place, until that is whole. Never removed unasked. */
export function asideName(name: string): string {
  return `${name.slice(0, 255 - ASIDE_BYTES)}.cbr-old-${randomBytes(4).toString('hex')}`;
}

/** Keeps the folders of the target open as long as something is still to be written into them, and finishes them. */
export class TargetTree {
  private readonly nodes = new Set<TargetNode>();

  constructor(
    private readonly metadata: MetadataWriter,
    private readonly rule: OverwriteRule,
    private readonly report: RestoreReport,
    private readonly taken: TakenNames,
  ) {}

  /** Folders that are open now. */
  get open(): number {
    return this.nodes.size;
  }

  /** The root, which is open already. */
  root(folder: TargetFolder, entry: Entry | undefined): TargetNode {
    const isCorrected = entry !== undefined && mayReplace(entry, lookAtOpen(folder.fd), this.rule);
    const lentMode = entry === undefined ? undefined : openToOwner(folder);
    return this.add({ parent: undefined, folder, entry, pending: 1, isCorrected, lentMode });
  }

  /**
   * Makes or enters a folder; the caller releases it when it has nothing more to put there. What else has its name is kept
   * beside, where the rule allows it, until all in the folder is restored. Throws FileError (target).
   */
  enter(parent: TargetNode, entry: Entry, path: string): TargetNode {
    const { name } = entry;
    const seen = parent.folder.created ? undefined : lookAt(parent.folder, name);
    if (seen !== undefined) this.refuseTaken(parent.folder, name, seen);
    const isAllowed = seen !== undefined && mayReplace(entry, seen, this.rule);
    const aside = isAllowed && seen.type !== 'directory' ? { name: asideName(name), path, seen } : undefined;
    if (aside !== undefined) moveAside(parent.folder, name, aside.name);
    const lentMode = seen === undefined ? undefined : openEntryToOwner(parent.folder, name, seen);
    let folder: TargetFolder;
    try {
      folder = makeFolder(parent.folder, name);
    } catch (error) {
      if (aside !== undefined) nameNew(parent.folder, aside.name, name);
      throw error;
    }
    // One that exists in a new folder was made by this restore, for another folder of that name.
    if (parent.folder.created && !folder.created) {
      try {
        this.refuseTaken(parent.folder, name, lookAtOpen(folder.fd));
      } catch (error) {
        folder.close();
        throw error;
      }
    }
    const isCorrected = isAllowed || parent.folder.created;
    const node = this.add({ parent, folder, entry, pending: 1, isCorrected, lentMode, aside });
    parent.pending++;
    return node;
  }

  private refuseTaken(folder: TargetFolder, name: string, seen: SeenEntry): void {
    if (!this.taken.isTaken(folder, name, seen)) return;
    throw new FileError('target', 'create the folder', folder.locate(name), TAKEN_NAME);
  }

  /** Closes what a restore that did not come to its end has left open. Nothing may run any more. */
  closeAll(): void {
    for (const { folder, lentMode } of this.nodes) {
      giveBackMode(folder, lentMode);
      folder.close();
    }
    this.nodes.clear();
  }

  private add(node: TargetNode): TargetNode {
    this.nodes.add(node);
    return node;
  }

  /** Something in the folder is done. The last one sets the folder's metadata and closes it, and so on upwards. */
  release(released: TargetNode): void {
    for (let node: TargetNode | undefined = released; node !== undefined; node = node.parent) {
      node.pending--;
      if (node.pending > 0) return;
      const { folder, entry, isCorrected, lentMode } = node;
      this.tidy(folder);
      // A folder of the user's own keeps its metadata, unless the rule says that it is replaced.
      if (entry !== undefined && (folder.created || isCorrected)) {
        if (folder.created) this.metadata.applyToFd(folder.fd, folder.location, metadataOf(entry));
        else this.metadata.correctFd(folder.fd, folder.location, metadataOf(entry));
        if (entry.flags !== undefined) {
          this.metadata.setFlagsOfFd(folder.fd, folder.location, entry.flags);
        }
      } else giveBackMode(folder, lentMode);
      this.nodes.delete(node);
      this.taken.forget(folder);
      folder.close();
      this.removeReplaced(node);
    }
  }

  /** What interrupted restores left in a folder, and this one did not go on with, goes. */
  private tidy(folder: TargetFolder): void {
    // In one that was made here nothing can have been left.
    if (folder.created) return;
    try {
      removeLeftovers(folder);
    } catch (error) {
      // Nothing is lost by it, and the next restore into the folder tries again.
      if (!(error instanceof FileError)) throw error;
    }
  }

  /** All in the folder is restored: what it replaced goes; the folder above is still open. */
  private removeReplaced({ parent, aside, isIncomplete }: TargetNode): void {
    if (aside === undefined || parent === undefined) return;
    const kept = displayPath(aside.name);
    if (isIncomplete === true || this.report.hasLost(aside.path)) {
      this.report.note(
        aside.path,
        `what was in its place is kept as ${kept}, because not all of it could be restored`,
      );
      return;
    }
    try {
      const now = lookAt(parent.folder, aside.name);
      if (now !== undefined && isStill(now, aside.seen)) removeEntry(parent.folder, aside.name);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      this.report.note(aside.path, `what was in its place is still there as ${kept}: ${error.reason}`);
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
