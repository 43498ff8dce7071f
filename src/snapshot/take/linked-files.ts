import { StatTable } from '../../fs/index.js';
import type { FileToTake, TakenFile } from '../intake/intake.js';

/** Identifies a file or folder within this machine, until it is removed. */
export function folderKey(stats: StatTable, row: number): string {
  return `${stats.device(row)} ${stats.inodeKey(row)}`;
}

/** The number of an inode that was freed is given again; the times of a file system advance in steps shorter than this. */
const SETTLED_SECONDS = 2;

/** One name of a file with several. */
export interface LinkedName {
  readonly file: FileToTake;
  readonly finish: (taken: TakenFile) => void;
}

export interface FileTaker {
  /** Takes a file in; a promise resolves when there is room for the next one. */
  readonly addFile: (file: FileToTake, taken: (result: TakenFile) => void) => Promise<void> | undefined;
  /** The same for a file that a `taken` asks for, without waiting for room. */
  readonly addFileAgain: (file: FileToTake, taken: (result: TakenFile) => void) => void;
}

/** The files with several names that a run meets, in whichever source: each is read once. */
export class LinkedFiles {
  private readonly table = new StatTable(1);
  /** By `keyOf`: what was taken, or who waits for it. */
  private readonly files = new Map<string, TakenFile | LinkedName[]>();

  /** `startSeconds`: when the run began, in seconds since 1970. */
  constructor(private readonly startSeconds: number) {}

  /**
   * Identifies a file with several names by more than `folderKey`, whose number may be that of another file by the time
   * the next name is looked at. The time it was made is enough where that is longer before the run than any step of the
   * clock: whatever takes its number from then on is younger. Otherwise everything must be as it was; that a further link,
   * which changes the ctime, makes two files of one then costs a second read, and that they are restored as two.
   */
  keyOf(stats: StatTable, row: number): string {
    const key = folderKey(stats, row);
    const birth = stats.hasBirthTime(row) ? `${stats.birthSeconds(row)}.${stats.birthNanoseconds(row)}` : '';
    if (birth !== '' && stats.birthSeconds(row) < this.startSeconds - SETTLED_SECONDS)
      return `${key} ${birth}`;
    const modified = `${stats.mtimeSeconds(row)}.${stats.mtimeNanoseconds(row)}`;
    const changed = `${stats.ctimeSeconds(row)}.${stats.ctimeNanoseconds(row)}`;
    return `${key} ${birth} ${stats.size(row)} ${modified} ${changed}`;
  }

  /**
   * Takes in a name that was seen as this row of a table. A promise resolves when there is room for the next file; without
   * one there is.
   */
  add(stats: StatTable, row: number, name: LinkedName, its: FileTaker): Promise<void> | undefined {
    const key = this.keyOf(stats, row);
    const known = this.files.get(key);
    if (known === undefined) {
      const waiting: LinkedName[] = [];
      this.files.set(key, waiting);
      return its.addFile(name.file, (taken) => this.taken(key, name, taken, waiting, its));
    }
    if (Array.isArray(known)) known.push(name);
    else name.finish(known);
    return undefined;
  }

  /** Shares what was read only if it is of that very file: by then its name may have led to another one, or nowhere. */
  private taken(
    key: string,
    name: LinkedName,
    taken: TakenFile,
    waiting: LinkedName[],
    its: FileTaker,
  ): void {
    name.finish(taken);
    if (taken.row !== undefined && (taken.state === 'ok' || taken.state === 'unsteady')) {
      this.table.clear();
      this.table.addRow(taken.row);
      if (this.keyOf(this.table, 0) === key) {
        // With memory of its own, so that it does not keep the rows of its whole batch.
        const shared = { ...taken, row: Uint8Array.from(taken.row), newBytes: 0 };
        this.files.set(key, shared);
        for (const each of waiting) each.finish(shared);
        return;
      }
    }
    const next = waiting.shift();
    if (next === undefined) this.files.delete(key);
    else its.addFileAgain(next.file, (again) => this.taken(key, next, again, waiting, its));
  }
}
