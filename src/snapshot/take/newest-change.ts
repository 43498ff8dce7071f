import type { StatTable } from '../../fs/index.js';
import type { DirectoryPut } from '../../repo/index.js';
import { markRowsSince, stateList } from './folder-state.js';

/** The times of a file system advance in steps of at most so many milliseconds; those without fractions, of a FAT say, in longer ones. */
const STEP_MS = 20;
const COARSE_STEP_MS = 2000;

/**
 * The newest change in a snapshot of a file system. What was changed in the last moment before the snapshot was made may
 * have been changed again right after it, within the same step of its times: in the next snapshot it looks the same, and is
 * to be read all the same. When the snapshot was made is not known, but it was not before its newest change.
 */
export class NewestChange {
  private milliseconds = Number.NEGATIVE_INFINITY;

  see(stats: StatTable, row: number): void {
    const ctime = stats.ctimeSeconds(row) * 1000 + stats.ctimeNanoseconds(row) / 1e6;
    const mtime = stats.mtimeSeconds(row) * 1000 + stats.mtimeNanoseconds(row) / 1e6;
    this.milliseconds = Math.max(this.milliseconds, ctime, mtime);
  }

  /** The states with what may still have changed unseen marked for reading. */
  *marked(puts: Iterable<DirectoryPut>): Generator<DirectoryPut> {
    const step = this.milliseconds % 1000 === 0 ? COARSE_STEP_MS : STEP_MS;
    for (const [key, state] of puts) {
      const copy = Buffer.from(state);
      markRowsSince(stateList(copy), this.milliseconds - step);
      yield [key, copy];
    }
  }
}
