import { CbrError } from '../../core/index.js';

/** Paths that are told of, unless they bring less than this share of all. */
const MOST_NAMED = 5;
const LEAST_SHARE = 0.01;
/** So many are remembered between two looks at which are the largest: far more than are told of. */
const MOST_KEPT = 1024;

/** New content by path, in bytes. */
export interface NewContent {
  readonly path: string;
  readonly bytes: number;
}

/** The sources hold more new content than was allowed; no snapshot was made. */
export class NewDataLimitError extends CbrError {
  constructor(
    readonly limit: number,
    /** Bytes of new content met by then, all that was allowed among them. */
    readonly found: number,
    /** What brought most of it, largest first; only what was met by then. */
    readonly largest: readonly NewContent[],
  ) {
    super('limit', `${found} bytes of new data were met, and no more than ${limit} are to be stored`, {
      hint: 'No snapshot was made. What was stored is used by the next one, or freed by: cbr prune',
    });
  }
}

/**
 * Watches over how much new content a run stores: bytes of chunks of files that the repository does not have, before
 * compression; trees and attributes do not count.
 */
export class NewDataLimit {
  private found = 0;
  private readonly byPath = new Map<string, number>();

  constructor(private readonly limit: number) {}

  /** To be called before the new chunks of a path are stored. Throws NewDataLimitError when they would be too many. */
  add(path: string, newBytes: number): void {
    if (newBytes === 0) return;
    this.found += newBytes;
    this.byPath.set(path, (this.byPath.get(path) ?? 0) + newBytes);
    if (this.found > this.limit) {
      const largest = this.largest().filter(({ bytes }) => bytes >= LEAST_SHARE * this.found);
      throw new NewDataLimitError(this.limit, this.found, largest.slice(0, MOST_NAMED));
    }
    if (this.byPath.size < MOST_KEPT) return;
    for (const { path: small } of this.largest().slice(MOST_KEPT / 2)) this.byPath.delete(small);
  }

  private largest(): NewContent[] {
    const all = [...this.byPath].map(([path, bytes]) => ({ path, bytes }));
    return all.sort((a, b) => b.bytes - a.bytes);
  }
}
