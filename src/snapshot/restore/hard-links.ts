import {
  FILLED_FOLDER,
  FileError,
  hardLink,
  isFilled,
  isSameInode,
  joinRaw,
  lookAt,
  type MetadataWriter,
  replaceByLink,
  type TargetFolder,
} from '../../fs/index.js';
import type { Entry } from '../entry.js';
import type { EntryEnd } from './entry-end.js';
import { mayReplace, type OverwriteRule } from './overwrite-rule.js';
import { loseRefused } from './refused-entry.js';
import type { RestoreReport } from './restore-report.js';
import { hasSameContent } from './same-content.js';
import { TAKEN_NAME, type TakenNames } from './taken-names.js';
import { reopen, type TargetNode } from './target-tree.js';

/** The first name of a file with several: the others become links to it. */
interface FirstName {
  readonly folders: readonly string[];
  readonly name: string;
  /** Without its attributes. */
  readonly entry: Entry;
  /** How many of its names were met, itself among them. */
  names: number;
  end: EntryEnd | undefined;
}

interface WaitingName {
  readonly node: TargetNode;
  readonly entry: Entry;
  readonly path: string;
}

/** `waits`: it becomes a link later; `alone`: it is a file of its own and its group is to be forgotten. */
export type LinkRole = 'first' | 'alone' | 'waits';

/** Another file system, one without hard links, too many of them, or a rule of the machine or its administrator. */
const UNLINKABLE: ReadonlySet<string | undefined> = new Set([
  'EXDEV',
  'EPERM',
  'EMLINK',
  'EOPNOTSUPP',
  'ENOTSUP',
  'EACCES',
]);

/** Restores the further names of files that have several. */
export class HardLinks {
  private readonly firsts = new Map<string, FirstName>();
  private waiting: WaitingName[] = [];

  constructor(
    private readonly root: TargetFolder,
    private readonly report: RestoreReport,
    private readonly metadata: MetadataWriter,
    private readonly rule: OverwriteRule,
    private readonly taken: TakenNames,
    private readonly asideFor: (path: string, name: string) => string | undefined,
  ) {}

  /** What is to be made of a name that was met. */
  roleOf(entry: Entry, node: TargetNode, path: string): LinkRole {
    const group = entry.linkGroup;
    if (group === undefined) return 'alone';
    const first = this.firsts.get(group);
    if (first === undefined) {
      const folders = path.split('/').slice(0, -1);
      // Kept to the end, and attributes may be large.
      const { xattrs: _, ...kept } = entry;
      this.firsts.set(group, { folders, name: entry.name, entry: kept, names: 1, end: undefined });
      return 'first';
    }
    // The first one was there already, or was lost: this one stands by itself.
    if (first.end !== undefined && !isThere(first.end)) return 'alone';
    // Two files that changed places while they were stored, or a forged tree: a link would give it the other's content.
    if (!hasSameContent(first.entry, entry)) return 'alone';
    first.names++;
    node.pending++;
    this.waiting.push({ node, entry, path });
    return 'waits';
  }

  /** To be called with the group of every first name when it has ended. */
  ended(group: string | undefined, end: EntryEnd): void {
    const first = group === undefined ? undefined : this.firsts.get(group);
    if (first !== undefined && first.end === undefined) first.end = end;
  }

  /** Makes the links that can be made by now. Orphans are names that have to be restored by themselves after all. */
  settle(): { readonly linked: readonly TargetNode[]; readonly orphans: readonly WaitingName[] } {
    const orphans: WaitingName[] = [];
    const linked: TargetNode[] = [];
    const still: WaitingName[] = [];
    for (const waiting of this.waiting) {
      const first = this.firsts.get(waiting.entry.linkGroup!)!;
      if (first.end === undefined) still.push(waiting);
      else if (isThere(first.end) && this.link(first, waiting)) linked.push(waiting.node);
      else orphans.push(waiting);
    }
    this.waiting = still;
    return { linked, orphans };
  }

  /** False where no link can be made: then it becomes a file of its own. */
  private link(first: FirstName, { node, entry, path }: WaitingName): boolean {
    let from: TargetFolder | undefined;
    try {
      from = reopen(this.root, first.folders);
      if (hardLink(from, first.name, node.folder, entry.name)) this.report.restored(path, 0);
      else this.linkInPlace(from, first.name, { node, entry, path });
    } catch (error) {
      if (error instanceof FileError && UNLINKABLE.has(error.errno)) {
        this.report.note(path, `it becomes a file of its own, not a hard link: ${error.reason}`);
        return false;
      }
      loseRefused(path, error, this.report);
    } finally {
      if (from !== undefined && from !== this.root) from.close();
    }
    return true;
  }

  /** Something has the name already. */
  private linkInPlace(from: TargetFolder, first: string, { node, entry, path }: WaitingName): void {
    const { folder } = node;
    const seen = lookAt(folder, entry.name);
    const there = lookAt(from, first);
    if (seen !== undefined && this.taken.isTaken(folder, entry.name, seen)) {
      this.report.lose(path, TAKEN_NAME);
    } else if (seen === undefined || there === undefined || !mayReplace(entry, seen, this.rule)) {
      this.report.existed(path);
    } else if (isSameInode(seen, there)) this.report.right(path);
    else {
      const isBlocked = seen.type === 'directory' && isFilled(folder, entry.name);
      const aside = isBlocked ? this.asideFor(path, entry.name) : undefined;
      if (isBlocked && aside === undefined) this.report.lose(path, FILLED_FOLDER);
      else {
        replaceByLink(from, first, folder, entry.name, { seen, aside });
        this.report.restored(path, 0, 'file', true);
      }
    }
  }

  /** Sets the inode flags that had to wait until all names were there. */
  setFlags(): void {
    for (const { entry, end, folders, name, names } of this.firsts.values()) {
      if (entry.flags === undefined || end === undefined || !isThere(end)) continue;
      let folder: TargetFolder | undefined;
      try {
        folder = reopen(this.root, folders);
        this.metadata.setFlagsOfEntry(folder, name, entry.flags, names);
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        const path = joinRaw(this.root.location, [...folders, name].join('/'));
        this.report.metadata([{ path, what: 'flags', reason: error.reason }]);
      } finally {
        if (folder !== undefined && folder !== this.root) folder.close();
      }
    }
  }
}

/** The first name is there with what the snapshot has, and others can be linked to it. */
function isThere(end: EntryEnd): boolean {
  return end === 'restored' || end === 'right';
}
