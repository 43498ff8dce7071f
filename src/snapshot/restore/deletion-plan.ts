import {
  FileError,
  identityOf,
  identityOfFolder,
  isEntryName,
  isTemporaryName,
  joinRaw,
  lookAt,
  lookAtOpen,
  mountOf,
  namesIn,
  openFolder,
  type RawPath,
  rawPath,
  type SeenEntry,
  type TargetFolder,
} from '../../fs/index.js';
import { excludedInTarget } from './excluded-in-target.js';
import type { KnownPlaces } from './known-places.js';
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
  /** What stays although the snapshot does not have it, and why; raw paths below the target. */
  readonly kept: { readonly path: string; readonly reason: string }[] = [];
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

  keep(path: string, reason: string): void {
    this.kept.push({ path, reason });
  }

  clear(path: string): void {
    this.cleared.set(path, undefined);
  }

  /** The folders that may have been moved aside, by the paths they had, and the names they have then. */
  movedAside(): readonly { readonly path: string; readonly aside: string }[] {
    return [...this.cleared].flatMap(([path, aside]) => (aside === undefined ? [] : [{ path, aside }]));
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

/** What the planner has to know of a restore. */
export interface PlannerParts {
  readonly selection: Selection;
  readonly known: KnownPlaces;
  /** The folder of the snapshot that is restored to the target. */
  readonly start: string;
  /** Folders that are passed over with all that is in them. */
  readonly own: readonly string[];
}

/** Finds what is to be deleted. Looks only, follows no symlink, and stays on the mount on which the target lies. */
export class DeletionPlanner {
  private readonly mount: string;
  private readonly own: ReadonlySet<string>;

  constructor(
    private readonly plan: DeletionPlan,
    target: TargetFolder,
    private readonly its: PlannerParts,
  ) {
    this.mount = mountOf(target.fd);
    this.own = new Set(its.own.map((path) => identityOfFolder(rawPath(path)) ?? ''));
  }

  /**
   * Plans for a folder that is restored: everything the snapshot does not have in it and would be restored if it had;
   * `isChosen`: all in it is chosen, but for what is excluded.
   */
  planFolder(folder: TargetFolder, path: string, names: ReadonlySet<string>, isChosen: boolean): void {
    if (this.isForeign(folder)) return;
    const listed = this.namesIn(folder, path);
    const others = listed.filter((name) => !names.has(name));
    if (others.length === 0 || !this.knowsAll(path)) return;
    const restored = foundUnderOtherNames(folder, names, new Set(listed));
    for (const name of others) this.planEntry(folder, name, below(path, name), isChosen, restored);
  }

  /** Plans for a folder that is in the way of something else; nothing of it goes unless all of it may, and then true. */
  planInTheWay(parent: TargetFolder, name: string, path: string): boolean {
    const before = this.plan.deletions.length;
    const isAll = !this.isForeign(parent) && this.planEntry(parent, name, path, true);
    if (isAll) this.plan.clear(path);
    else this.plan.deletions.splice(before);
    return isAll;
  }

  /** Whether the snapshot has everything that was in a folder; says so where it matters. */
  private knowsAll(path: string): boolean {
    const { known } = this.its;
    const inSnapshot = this.inSnapshot(path);
    if (!known.isTaken(inSnapshot)) {
      if (known.isListed(inSnapshot)) this.keepListed(path);
      return false;
    }
    if (!known.isUnread(inSnapshot)) return true;
    this.plan.keep(path, UNREAD_IN);
    return false;
  }

  /** Whether the entry can go, with all that is in it. */
  private planEntry(
    parent: TargetFolder,
    name: string,
    path: string,
    isChosen: boolean,
    restored: ReadonlySet<string> = NOTHING,
  ): boolean {
    const seen = tried(() => lookAt(parent, name));
    if (seen === undefined) return true;
    if (seen instanceof FileError) return this.keep(path, `cannot be looked at, and is kept: ${seen.reason}`);
    if (restored.has(identityOf(seen))) return false;
    const isFolder = seen.type === 'directory';
    // What a running restore writes to is its own; what a dead one left is removed by the restore.
    if (isTemporaryName(name) && !isFolder) return false;
    const { selection, known } = this.its;
    if (!isChosen && selection?.chooses(path, isFolder) === false) return false;
    if (selection !== undefined && excludedInTarget(selection, parent, name, path, seen)) return false;
    const inSnapshot = this.inSnapshot(path);
    if (known.isUnread(inSnapshot)) return this.keep(path, UNREAD);
    if (isFolder && !this.planBelow(parent, name, path)) return false;
    if (known.holdsUnread(inSnapshot)) return false;
    this.plan.add(path, seen);
    return true;
  }

  private planBelow(parent: TargetFolder, name: string, path: string): boolean {
    const folder = tried(() => openFolder(parent, name));
    if (folder instanceof FileError) return this.keep(path, `${CLOSED}: ${folder.reason}`);
    try {
      if (this.isForeign(folder)) return false;
      let isAll = true;
      const names = tried(() => namesIn(folder));
      if (names instanceof FileError) return this.keep(path, `${CLOSED}: ${names.reason}`);
      for (const each of names) {
        isAll = this.planEntry(folder, each, below(path, each), true) && isAll;
      }
      return isAll;
    } finally {
      folder.close();
    }
  }

  private namesIn(folder: TargetFolder, path: string): readonly string[] {
    const names = tried(() => namesIn(folder));
    if (!(names instanceof FileError)) return names;
    this.plan.keep(path, `${CLOSED}: ${names.reason}`);
    return [];
  }

  private keep(path: string, reason: string): false {
    this.plan.keep(path, reason);
    return false;
  }

  /** One word about the list is enough. */
  private keepListed(path: string): void {
    if (!this.plan.kept.some(({ reason }) => reason === LISTED)) this.plan.keep(path, LISTED);
  }

  private inSnapshot(path: string): string {
    return path === '' ? this.its.start : joinRaw(this.its.start as RawPath, path);
  }

  private isForeign(folder: TargetFolder): boolean {
    return mountOf(folder.fd) !== this.mount || this.own.has(identityOf(lookAtOpen(folder.fd)));
  }
}

const NOTHING: ReadonlySet<string> = new Set();
const UNREAD = 'is kept: the snapshot could not read it';
const UNREAD_IN = 'nothing is deleted in it: the snapshot could not read all of it';
const LISTED = 'nothing is deleted in it: the snapshot was made from a list, and has only what that named';
const CLOSED = 'cannot be looked into, and is kept';

function below(path: string, name: string): string {
  return path === '' ? name : `${path}/${name}`;
}

/**
 * What names of the snapshot lead to that the folder lists under other names: there are file systems on which `a` and `A` are
 * one.
 */
function foundUnderOtherNames(
  folder: TargetFolder,
  names: ReadonlySet<string>,
  listed: ReadonlySet<string>,
): ReadonlySet<string> {
  const found = new Set<string>();
  for (const name of names) {
    if (listed.has(name) || !isEntryName(name)) continue;
    const seen = tried(() => lookAt(folder, name));
    if (seen !== undefined && !(seen instanceof FileError)) found.add(identityOf(seen));
  }
  return found;
}

/** What cannot be looked at in the target stands in nobody's way. */
function tried<T>(action: () => T): T | FileError {
  try {
    return action();
  } catch (error) {
    if (error instanceof FileError) return error;
    throw error;
  }
}
