import { closeSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { CHUNK_KEY_BYTES, ROW_BYTES } from './layout.js';

/**
 * Sorting more chunks than fit in memory. Each index segment is sorted already: it is one run of rows. Runs are merged,
 * first in groups that fit in memory into files, then all of them at once.
 */

const WINDOW_ROWS = 32 * 1024;
/** The first bytes of a key as a number decide nearly every comparison. */
const HEAD_BYTES = 6;

/** Rows in order, one at a time. */
class Run {
  position = 0;
  head = 0;
  private end: number;

  constructor(
    public rows: Buffer,
    private readonly refill: ((into: Buffer) => number) | undefined,
  ) {
    this.end = refill === undefined ? rows.length : refill(rows);
    this.readHead();
  }

  get atEnd(): boolean {
    return this.position >= this.end;
  }

  private readHead(): void {
    if (!this.atEnd) this.head = this.rows.readUIntBE(this.position, HEAD_BYTES);
  }

  next(): void {
    this.position += ROW_BYTES;
    if (this.atEnd && this.refill !== undefined) {
      this.end = this.refill(this.rows);
      this.position = 0;
    }
    this.readHead();
  }

  isBefore(other: Run): boolean {
    if (this.head !== other.head) return this.head < other.head;
    const { rows: theirs, position: at } = other;
    const own = this.position;
    return this.rows.compare(theirs, at, at + CHUNK_KEY_BYTES, own, own + CHUNK_KEY_BYTES) < 0;
  }
}

/** All rows of some runs in order. The current row lies at `offset` of `rows`, until `next`. */
export class MergedRuns {
  private readonly heap: Run[];

  constructor(runs: readonly Run[]) {
    this.heap = runs.filter((run) => !run.atEnd);
    for (let i = (this.heap.length >> 1) - 1; i >= 0; i--) this.sink(i);
  }

  get atEnd(): boolean {
    return this.heap.length === 0;
  }

  get rows(): Buffer {
    return this.heap[0]!.rows;
  }

  get offset(): number {
    return this.heap[0]!.position;
  }

  next(): void {
    const first = this.heap[0]!;
    first.next();
    if (first.atEnd) {
      const last = this.heap.pop()!;
      if (this.heap.length > 0) this.heap[0] = last;
    }
    this.sink(0);
  }

  private sink(from: number): void {
    const { heap } = this;
    for (let parent = from; ; ) {
      let least = parent;
      for (let child = 2 * parent + 1; child <= 2 * parent + 2 && child < heap.length; child++) {
        if (heap[child]!.isBefore(heap[least]!)) least = child;
      }
      if (least === parent) return;
      [heap[parent], heap[least]] = [heap[least]!, heap[parent]!];
      parent = least;
    }
  }
}

/** Collects runs, in memory up to `memoryBytes` and beyond that in files below `folder`, which must exist. */
export class RunCollector {
  private inMemory: Buffer[] = [];
  private bytes = 0;
  private readonly files: { readonly path: string; readonly descriptor: number }[] = [];

  constructor(
    private readonly folder: string,
    private readonly memoryBytes: number,
  ) {}

  /** Takes over `run`: sorted rows. */
  add(run: Buffer): void {
    this.inMemory.push(run);
    this.bytes += run.length;
    if (this.bytes > this.memoryBytes) this.spill();
  }

  private spill(): void {
    const path = join(this.folder, `run-${this.files.length}`);
    const descriptor = openSync(path, 'w+');
    this.files.push({ path, descriptor });
    const merged = this.mergeMemory();
    const window = Buffer.allocUnsafe(WINDOW_ROWS * ROW_BYTES);
    let used = 0;
    const flush = () => {
      for (let written = 0; written < used; )
        written += writeSync(descriptor, window, written, used - written);
      used = 0;
    };
    for (; !merged.atEnd; merged.next()) {
      used += merged.rows.copy(window, used, merged.offset, merged.offset + ROW_BYTES);
      if (used === window.length) flush();
    }
    flush();
  }

  private mergeMemory(): MergedRuns {
    const runs = this.inMemory.map((rows) => new Run(rows, undefined));
    this.inMemory = [];
    this.bytes = 0;
    return new MergedRuns(runs);
  }

  /** Everything collected, in order; nothing may be added any more. */
  merged(): MergedRuns {
    const fromFiles = this.files.map(({ descriptor }) => {
      let offset = 0;
      return new Run(Buffer.allocUnsafe(WINDOW_ROWS * ROW_BYTES), (into) => {
        let filled = 0;
        for (let read = 1; read > 0 && filled < into.length; filled += read) {
          read = readSync(descriptor, into, filled, into.length - filled, offset + filled);
        }
        offset += filled;
        return filled;
      });
    });
    return new MergedRuns([...fromFiles, ...this.inMemory.map((rows) => new Run(rows, undefined))]);
  }

  /** Removes the files. */
  dispose(): void {
    for (const { path, descriptor } of this.files.splice(0)) {
      closeSync(descriptor);
      rmSync(path, { force: true });
    }
  }
}
