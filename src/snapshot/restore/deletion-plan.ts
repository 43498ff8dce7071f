import {
  identityOf,
  identityOfFolder,
  isTemporaryName,
  lookAt,
  lookAtOpen,
  mountOf,
  namesIn,
  openFolder,
  rawPath,
  type SeenEntry,
  type TargetFolder,
} from '../../fs/index.js';
import { excludedInTarget } from './excluded-in-target.js';
import type { Selection } from './selection.js';
import { asideName } from './target-tree.js';

/** An entry of the target that the snapshot does not have there. */
export interface Deletion {
  /** Raw, below the target. */
  readonly path: string;
  readonly seen: SeenEntry;
}

/** What is to be deleted from a target when all is restored: what is in a folder before the folder. */
export class DeletionPlan {
  readonly deletions: Deletion[] = [];
  /** Folders in the way of something else, of which all may be deleted, and the names under which they were moved aside. */
  private readonly cleared = new Map<string, string | undefined>();

  /** Whether a folder is in the way and may be moved aside: under this name. */
  asideFor(path: string, name: string): string | undefined {
    if (!this.cleared.has(path)) return undefined;
    const aside = this.cleared.get(path) ?? asideName(name);
    this.cleared.set(path, aside);
    return aside;
  }

  add(path: string, seen: SeenEntry): void {
    this.deletions.push({ path, seen });
  }

  clear(path: string): void {
    this.cleared.set(path, undefined);
  }

  /** The names that lead to what is to be deleted now. */
  namesTo(path: string): readonly string[] {
    let at = '';
    return path.split('/').map((name) => {
      at = at === '' ? name : `${at}/${name}`;
      const aside = this.cleared.get(at);
      return aside ?? name;
    });
  }
}

/** Finds what is to be deleted. Looks only, follows no symlink, and stays on the mount on which the target lies. */
export class DeletionPlanner {
  private readonly mount: string;
  private readonly own: ReadonlySet<string>;

  /** `own`: folders that are passed over with all that is in them. */
  constructor(
    private readonly plan: DeletionPlan,
    private readonly selection: Selection,
    target: TargetFolder,
    own: readonly string[],
  ) {
    this.mount = mountOf(target.fd);
    this.own = new Set(own.map((path) => identityOfFolder(rawPath(path)) ?? ''));
  }

  /**
   * Plans for a folder that is restored: everything the snapshot does not have in it and would be restored if it had;
   * `isChosen`: all in it is chosen, but for what is excluded. Throws FileError (target).
   */
  planFolder(folder: TargetFolder, path: string, names: ReadonlySet<string>, isChosen: boolean): void {
    if (this.isForeign(folder)) return;
    for (const name of namesIn(folder)) {
      if (names.has(name)) continue;
      this.planEntry(folder, name, path === '' ? name : `${path}/${name}`, isChosen);
    }
  }

  /** Plans for a folder that is in the way of something else; nothing of it goes unless all of it may, and then true. */
  planInTheWay(parent: TargetFolder, name: string, path: string): boolean {
    const before = this.plan.deletions.length;
    const isAll = !this.isForeign(parent) && this.planEntry(parent, name, path, true);
    if (isAll) this.plan.clear(path);
    else this.plan.deletions.splice(before);
    return isAll;
  }

  /** Whether the entry can go, with all that is in it. */
  private planEntry(parent: TargetFolder, name: string, path: string, isChosen: boolean): boolean {
    const seen = lookAt(parent, name);
    if (seen === undefined) return true;
    const isFolder = seen.type === 'directory';
    // What a running restore writes to is its own; what a dead one left is removed by the restore.
    if (isTemporaryName(name) && !isFolder) return false;
    if (!isChosen && this.selection?.chooses(path, isFolder) === false) return false;
    if (this.selection !== undefined && excludedInTarget(this.selection, parent, name, path, seen))
      return false;
    if (isFolder && !this.planBelow(parent, name, path)) return false;
    this.plan.add(path, seen);
    return true;
  }

  private planBelow(parent: TargetFolder, name: string, path: string): boolean {
    const folder = openFolder(parent, name);
    try {
      if (this.isForeign(folder)) return false;
      let isAll = true;
      for (const each of namesIn(folder)) {
        isAll = this.planEntry(folder, each, `${path}/${each}`, true) && isAll;
      }
      return isAll;
    } finally {
      folder.close();
    }
  }

  private isForeign(folder: TargetFolder): boolean {
    return mountOf(folder.fd) !== this.mount || this.own.has(identityOf(lookAtOpen(folder.fd)));
  }
}
