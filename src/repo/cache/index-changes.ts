import { mkdtempSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { CbrError, messageOf, type ObjectDigest } from '../../core/index.js';
import type { IndexSegment } from '../index-segment.js';
import { type ChunkIndex, runOf } from './chunk-index.js';
import { type Database, FIRST_CHUNK_KEY } from './database.js';
import { REBUILD, UNFINISHED } from './layout.js';
import type { NamedValues } from './named-values.js';
import type { Packs } from './packs.js';
import { ensure, RowCheck } from './row-check.js';
import { RowTallies } from './row-tallies.js';
import { RunCollector } from './sorted-runs.js';

/** A segment and the name of its object. */
export type NamedSegment = readonly [name: ObjectDigest, segment: IndexSegment];

export type Segments = Iterable<NamedSegment> | AsyncIterable<NamedSegment>;

/**
 * Rows a transaction writes at most. Each may touch a page of its own, which LMDB keeps in memory until the commit: in a
 * very large index 32 Ki rows are 128 MiB.
 */
const ROWS_PER_TRANSACTION = 32 * 1024;
/** Rows that are compared at once: some milliseconds. */
const ROWS_PER_STEP = 16 * 1024;
/** Rows held in memory while the index is built, 28 bytes each: some twelve full segments. */
const MERGE_BYTES = 64 * 2 ** 20;

/** What is under way is kept in the cache (UNFINISHED): this, with where it goes on, or REBUILD. */
const SWEEP = 'sweep:';

/**
 * Changes to the chunk index and the packs that take more than one transaction. At every moment in between, a chunk
 * that is found is there: the record of its pack comes last and goes first, in one transaction for all packs of a change.
 * Changes follow one another, so they may be called at any time; look-ups may come in between.
 */
export class IndexChanges {
  private previous: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly database: Database,
    private readonly meta: NamedValues,
    private readonly packs: Packs,
    private readonly chunks: ChunkIndex,
    private readonly spillFolder: string,
  ) {}

  private oneAtATime<T>(change: () => Promise<T>): Promise<T> {
    const result = this.previous.then(change);
    this.previous = result.catch(() => undefined);
    return result;
  }

  /** Resolves when no change is under way. */
  async settled(): Promise<void> {
    await this.previous;
  }

  private transact<T>(action: () => T): T {
    try {
      return this.database.transact(action);
    } finally {
      this.packs.forget();
    }
  }

  private unfinished(): string | undefined {
    return this.meta.get('cache', UNFINISHED)?.toString('latin1');
  }

  private setUnfinished(what: string | undefined): void {
    if (what === undefined) this.meta.remove('cache', UNFINISHED);
    else this.meta.put('cache', UNFINISHED, Buffer.from(what, 'latin1'));
  }

  /** Finishes what a killed process left. */
  async resume(): Promise<void> {
    const left = this.unfinished();
    if (left === undefined) return;
    if (left.startsWith(SWEEP)) await this.sweep(left.slice(SWEEP.length));
    else this.clear();
  }

  /** Removes all segments, packs and chunks. */
  clear(): void {
    this.transact(() => {
      this.packs.clear();
      this.chunks.clear();
      this.setUnfinished(undefined);
    });
  }

  /** See RepositoryCache.verify. */
  verify(): Promise<void> {
    return this.oneAtATime(async () => {
      try {
        await this.checkRows();
      } catch (error) {
        throw error instanceof CbrError ? error : this.database.damage(messageOf(error));
      }
    });
  }

  private async checkRows(): Promise<void> {
    const { chunks, copies } = this.database.tables;
    const check = new RowCheck(this.packs.checkedRecords(), this.packs.counters().nextChunk);
    let seen = 0;
    for (let start: string | undefined = FIRST_CHUNK_KEY; start !== undefined; await setImmediate()) {
      let last: string | undefined;
      for (const { key, value } of chunks.entries(start, ROWS_PER_STEP)) {
        // A step begins with what the one before ended with.
        if (key === start) continue;
        last = key as string;
        check.add(last, value);
        seen++;
      }
      start = last;
    }
    ensure(seen === chunks.count, 'the number of chunks');
    for (const { key, value } of copies.entries(FIRST_CHUNK_KEY)) check.add(key as string, value);
    check.finish();
  }

  addSegments(segments: Segments): Promise<void> {
    return this.oneAtATime(async () => {
      if (this.packs.segmentCount === 0 && this.chunks.count === 0) return this.build(segments);
      for await (const [name, segment] of segments) await this.add(name, segment);
    });
  }

  /** Removes all segments and adds others: quicker than to remove rows one by one. */
  replaceSegments(segments: Segments): Promise<void> {
    return this.oneAtATime(async () => {
      this.clear();
      await this.build(segments);
      this.transact(() => this.packs.tidyVerified());
    });
  }

  private async add(name: ObjectDigest, segment: IndexSegment): Promise<void> {
    if (this.packs.hasSegment(name)) return;
    const { count } = segment.chunks;
    if (count <= ROWS_PER_TRANSACTION) {
      this.transact(() => {
        const planned = this.packs.plan(name, segment);
        this.packs.countRows(this.chunks.addRows(segment, planned, 0, count), planned.written);
        this.packs.commit(planned);
      });
      return;
    }
    const planned = this.transact(() => {
      this.setUnfinished(SWEEP + FIRST_CHUNK_KEY);
      return this.packs.plan(name, segment);
    });
    try {
      for (let from = 0; from < count; from += ROWS_PER_TRANSACTION) {
        const to = Math.min(from + ROWS_PER_TRANSACTION, count);
        this.transact(() => {
          this.packs.countRows(this.chunks.addRows(segment, planned, from, to), planned.written);
          if (to < count) return;
          this.packs.commit(planned);
          this.setUnfinished(undefined);
        });
        await setImmediate();
      }
    } catch (error) {
      await this.sweep(FIRST_CHUNK_KEY);
      throw error;
    }
  }

  /** Into an empty index: merges all segments and writes their chunks in order, which is quick and packs pages full. */
  private async build(segments: Segments): Promise<void> {
    const folder = mkdtempSync(join(this.spillFolder, 'merge-'));
    const runs = new RunCollector(folder, MERGE_BYTES);
    try {
      this.transact(() => this.setUnfinished(REBUILD));
      for await (const [name, segment] of segments) {
        if (this.packs.hasSegment(name)) continue;
        this.transact(() => {
          const planned = this.packs.plan(name, segment);
          runs.add(runOf(segment, planned));
          this.packs.commit(planned);
        });
      }
      const rows = runs.merged();
      const written = new RowTallies();
      while (!rows.atEnd) {
        this.transact(() => this.chunks.append(rows, ROWS_PER_TRANSACTION, written));
        await setImmediate();
      }
      this.transact(() => {
        this.packs.countRows(written);
        this.setUnfinished(undefined);
      });
    } catch (error) {
      this.clear(); // half an index would pass for a whole one
      throw error;
    } finally {
      runs.dispose();
      rmSync(folder, { recursive: true, force: true });
    }
  }

  removeSegments(names: readonly ObjectDigest[]): Promise<void> {
    return this.remove(() => this.packs.removeSegments(names));
  }

  dropPacks(names: Iterable<ObjectDigest>): Promise<void> {
    return this.remove(() => this.packs.removeNamed(names));
  }

  private remove(removeRecords: () => void): Promise<void> {
    return this.oneAtATime(async () => {
      const { packs } = this.database.tables;
      const removed = this.transact(() => {
        const before = packs.count;
        removeRecords();
        const fewer = packs.count < before;
        if (fewer) this.setUnfinished(SWEEP + FIRST_CHUNK_KEY);
        return fewer;
      });
      if (removed) await this.sweep(FIRST_CHUNK_KEY);
    });
  }

  private async sweep(from: string): Promise<void> {
    for (let start: string | undefined = from; start !== undefined; ) {
      start = this.chunks.sweepChunks(
        start,
        (next) => next !== undefined && this.setUnfinished(SWEEP + next),
      );
      await setImmediate();
    }
    this.transact(() => {
      this.chunks.sweepCopies();
      this.setUnfinished(undefined);
    });
  }
}
