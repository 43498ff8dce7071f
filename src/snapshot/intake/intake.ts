import { CbrError, messageOf } from '../../core/index.js';
import { Limiter, type Slab } from '../../engine/index.js';
import { type RawPath, STAT_ROW_BYTES } from '../../fs/index.js';
import { ContentListBuilder, type StoreTreeChunk } from '../content-list.js';
import { type Content, type ContentItem, itemBytes, MAX_INLINE_ITEMS } from '../entry.js';
import { isVanished, OWN_FAULTS } from './read-files.js';
import { type SealerParts, SlabSealer } from './slab-sealer.js';
import { type BatchOutput, type FileNotes, type LargeFile, READ, type SparseFile } from './tasks.js';

/** A file whose content is to be read. */
export interface FileToTake {
  readonly path: RawPath;
  /** Bytes, when it was scanned. */
  readonly size: number;
  /** Fewer blocks than its size needs: it has holes, or its file system compresses. */
  readonly mayHaveHoles: boolean;
  /** A block device, whose content is taken; its size is not known yet. */
  readonly isDevice?: boolean;
}

/** What became of it. */
export interface TakenFile {
  /**
   * unsteady: it changed each time it was read, and what was read last is stored. stopped: the run was told to stop before it
   * was read to its end.
   */
  readonly state: 'ok' | 'vanished' | 'failed' | 'unsteady' | 'stopped';
  /** Its stat row from before it was read; undefined when it could not be opened. */
  readonly row: Uint8Array | undefined;
  readonly content: Content;
  /** Bytes of content with its holes; less than the row says if the file was cut short while it was read. */
  readonly size: number;
  /** Bytes of chunks that the repository did not have. */
  readonly newBytes: number;
  readonly notes: FileNotes;
}

interface Waiting extends FileToTake {
  readonly resolve: (taken: TakenFile) => void;
  readonly attempts: number;
}

/** More files in a batch would only delay the first results. */
const BATCH_FILES = 1024;
/** A file above this is stored as it was read, flagged; below, one that changed is read again. */
const REREAD_BYTES = 64 * 2 ** 20;
const MAX_ATTEMPTS = 4;
/** Large files read at the same time: one keeps all workers busy, two hide its start and end. */
const LARGE_FILES = 2;

const NO_CONTENT: Content = { kind: 'items', items: [] };
const NO_NOTES: FileNotes = Object.freeze({});

export interface IntakeParts extends SealerParts {
  /** Content bytes of a slab. */
  readonly capacity: number;
  readonly storeTreeChunk: StoreTreeChunk;
  /** Called for all content that was read; `newBytes` of it are of chunks that the repository did not have. */
  readonly onRead: (path: string, bytes: number, newBytes: number) => void;
  /** Large files are not read on: what takes long should end early. */
  readonly isStopping: () => boolean;
}

/**
 * Feeds files to the workers: small ones in batches that fill a slab, large ones in windows. Every chunk the repository
 * does not have goes from its slab to a worker that seals it. `add` waits while all slabs are taken: that is what bounds
 * memory.
 */
export class Intake {
  private batch: Waiting[] = [];
  private batchBytes = 0;
  private readonly running = new Limiter(Number.POSITIVE_INFINITY);
  private readonly large = new Limiter(LARGE_FILES);

  private readonly sealer: SlabSealer;

  constructor(private readonly parts: IntakeParts) {
    this.sealer = new SlabSealer(parts);
  }

  /**
   * Takes a file in; `taken` is called once, when its content is known. A promise resolves when there is room for the next;
   * without one there is.
   */
  add(file: FileToTake, taken: (result: TakenFile) => void): Promise<void> | undefined {
    this.check();
    const { path, size, mayHaveHoles, isDevice = false } = file;
    const waiting: Waiting = { path, size, mayHaveHoles, isDevice, resolve: taken, attempts: 0 };
    if (isDevice || size > this.parts.capacity) return this.placeLarge(waiting);
    const full = this.batchBytes + size > this.parts.capacity || this.batch.length >= BATCH_FILES;
    const sent = full ? this.flush() : undefined;
    this.batch.push(waiting);
    this.batchBytes += size;
    return sent;
  }

  /** As `add`, for a file that a `taken` asks for: nobody can wait for room there, so it comes in a slab of its own. */
  addAgain(file: FileToTake, taken: (result: TakenFile) => void): void {
    const waiting: Waiting = { ...file, resolve: taken, attempts: 0 };
    if (file.size > this.parts.capacity) this.start(() => this.placeLarge(waiting));
    else this.start(async () => this.readBatch(await this.parts.slabs.acquire(), [waiting]));
  }

  /** Throws when taking in or storing has failed. */
  check(): void {
    this.running.check();
    this.parts.store.check();
  }

  /** Sends the batch that waits on its way. */
  async flush(): Promise<void> {
    if (this.batch.length === 0) return;
    const files = this.batch;
    this.batch = [];
    this.batchBytes = 0;
    const slab = await this.parts.slabs.acquire();
    this.start(() => this.readBatch(slab, files));
  }

  /** Resolves when every file has been taken and all chunks are on their way to the store. */
  async settle(): Promise<void> {
    do {
      await this.flush();
      await this.running.settled();
      await this.large.settled();
      // What a file became may ask for another one: a chunk that comes after `finish` would never be stored.
    } while (this.batch.length > 0 || !this.running.isIdle || !this.large.isIdle);
    const finished = await this.parts.pool.runOnEach('finish', {});
    for (const { packs } of finished) this.sealer.storePacks(packs);
  }

  /** Gives up: workers remove what they have staged. Takes what is lost with a dead worker for removed. */
  async abandon(): Promise<void> {
    await this.running.idle();
    await this.large.idle();
    await this.parts.pool.runOnEach('abandon', {}).catch(() => undefined);
  }

  private start(operation: () => Promise<void>): void {
    this.running.start(() => this.orFail(operation));
  }

  /** A failed operation keeps its slab, so nobody may go on waiting for one. */
  private async orFail(operation: () => Promise<void>): Promise<void> {
    try {
      await operation();
    } catch (error) {
      this.parts.slabs.fail(error);
      throw error;
    }
  }

  private async placeLarge(file: Waiting): Promise<void> {
    await this.large.room();
    this.large.start(() => this.orFail(() => this.takeLarge(file)));
  }

  private async readBatch(slab: Slab, files: readonly Waiting[]): Promise<void> {
    const output = await this.parts.pool.run('readBatch', {
      slab: slab.number,
      paths: files.map((file) => file.path).join('\0'),
      rooms: Float64Array.from(files, (file) => file.size),
      mayHaveHoles: Uint8Array.from(files, (file) => (file.mayHaveHoles ? 1 : 0)),
    });
    const notes = new Map(output.notes);
    const sparse = new Map(output.sparse);
    const rows: number[] = [];
    const results: (TakenFile | undefined)[] = [];
    let table = 0;
    for (const [i, file] of files.entries()) {
      const result = this.resultOf(slab, output, i, table, rows, notes.get(i) ?? NO_NOTES, sparse.get(i));
      table += output.chunks[i]!;
      results.push(result);
      this.parts.onRead(file.path, result?.size ?? 0, result?.newBytes ?? 0);
      if (result === undefined) this.placeAgain(file, output, i);
    }
    await this.sealer.seal(slab, rows);
    for (const [i, result] of results.entries()) if (result !== undefined) files[i]!.resolve(result);
  }

  /** Undefined for a file that outgrew its room. */
  private resultOf(
    slab: Slab,
    output: BatchOutput,
    file: number,
    table: number,
    newRows: number[],
    notes: FileNotes,
    sparse: SparseFile | undefined,
  ): TakenFile | undefined {
    const state = output.states[file]!;
    if (state === READ.outgrown) return undefined;
    if (state === READ.vanished || state === READ.failed) {
      return { ...NOTHING, state: state === READ.vanished ? 'vanished' : 'failed', notes };
    }
    const chunks: ContentItem[] = [];
    const add = (item: ContentItem): void => {
      chunks.push(item);
    };
    const read = this.sealer.collect(slab, table, output.chunks[file]!, newRows, add);
    const row = output.rows.subarray(file * STAT_ROW_BYTES, (file + 1) * STAT_ROW_BYTES);
    const content = this.contentOf(sparse === undefined ? chunks : withHoles(chunks, sparse));
    const size = sparse?.size ?? read.size;
    const { newBytes } = read;
    return { state: state === READ.ok ? 'ok' : 'unsteady', row, content, size, newBytes, notes };
  }

  private contentOf(items: readonly ContentItem[]): Content {
    if (items.length <= MAX_INLINE_ITEMS) return { kind: 'items', items };
    const builder = new ContentListBuilder(this.parts.storeTreeChunk);
    for (const item of items) builder.add(item);
    return builder.finish();
  }

  /** It grew between scan and read: by now its size is in its row. */
  private placeAgain(file: Waiting, output: BatchOutput, index: number): void {
    const row = Buffer.from(
      output.rows.buffer,
      output.rows.byteOffset + index * STAT_ROW_BYTES,
      STAT_ROW_BYTES,
    );
    const size = Number(row.readBigUInt64LE(24));
    // Not through `add`: it may wait for a slab, and this one is not free yet.
    const again = { ...file, size, attempts: file.attempts + 1 };
    // A large one may grow while it is read: what there is of it is stored, and said to have changed.
    const isLarge = size > this.parts.capacity || again.attempts >= MAX_ATTEMPTS;
    if (isLarge) this.start(() => this.takeLarge(again));
    else this.start(async () => this.readBatch(await this.parts.slabs.acquire(), [again]));
  }

  private async takeLarge(file: Waiting): Promise<void> {
    for (let attempt = 1; ; attempt++) {
      if (this.parts.isStopping()) return file.resolve(STOPPED);
      let opened: LargeFile;
      try {
        opened = await this.parts.pool.run('openLarge', {
          path: file.path,
          isDevice: file.isDevice ?? false,
        });
      } catch (error) {
        if (error instanceof CbrError && error.code === 'interrupted') throw error;
        if (isOwnFault(error)) throw error;
        const state = isVanished(error) || isGone(error) ? 'vanished' : 'failed';
        file.resolve({ ...NOTHING, state, notes: { error: messageOf(error) } });
        return;
      }
      const read = await this.readLarge(file.path, opened);
      if (read === undefined) return file.resolve(STOPPED);
      if (read.error !== undefined) {
        file.resolve({ ...NOTHING, state: 'failed', notes: { ...opened.notes, error: read.error } });
        return;
      }
      const again = !read.steady && read.size <= REREAD_BYTES && attempt < MAX_ATTEMPTS;
      if (again) continue;
      const { content, size, newBytes } = read;
      const state = read.steady ? 'ok' : 'unsteady';
      file.resolve({ state, row: opened.row, content, size, newBytes, notes: opened.notes });
      return;
    }
  }

  /** Undefined when the run was told to stop meanwhile. */
  private async readLarge(
    path: string,
    file: LargeFile,
  ): Promise<
    { steady: boolean; content: Content; size: number; newBytes: number; error?: string } | undefined
  > {
    const builder = new ContentListBuilder(this.parts.storeTreeChunk);
    const rowSize = Number(
      Buffer.from(file.row.buffer, file.row.byteOffset, STAT_ROW_BYTES).readBigUInt64LE(24),
    );
    const sums = { size: 0, newBytes: 0 };
    const sealing = new Limiter(Number.POSITIVE_INFINITY);
    let position = 0;
    let truncated = false;
    let isStopped = false;
    let error: string | undefined;
    let closed: { readonly row: Uint8Array } | undefined;
    const skipTo = (start: number): void => {
      if (start > position) {
        builder.add({ hole: start - position });
        sums.size += start - position;
      }
      position = start;
    };
    try {
      for (const extent of file.extents) {
        if (isStopped) break;
        skipTo(extent.start);
        while (position < extent.end && !truncated) {
          isStopped = this.parts.isStopping();
          if (isStopped) break;
          const slab = await this.parts.slabs.acquire();
          const input = { slab: slab.number, fd: file.fd, start: position, end: extent.end };
          const window = await this.parts.pool.run('readWindow', input).catch((failure: unknown) => {
            this.parts.slabs.release(slab);
            throw failure;
          });
          const rows: number[] = [];
          const counted = this.sealer.collect(slab, 0, window.chunks, rows, (item) => builder.add(item));
          sums.size += counted.size;
          this.parts.onRead(path, counted.size, counted.newBytes);
          sums.newBytes += counted.newBytes;
          sealing.start(() => this.orFail(() => this.sealer.seal(slab, rows)));
          sealing.check();
          position = window.next;
          truncated = window.truncated;
        }
      }
      if (!truncated) skipTo(rowSize);
    } catch (failure) {
      if (failure instanceof CbrError || isOwnFault(failure)) throw failure;
      error = messageOf(failure);
    } finally {
      await sealing.idle();
      closed = await this.parts.pool.run('closeLarge', { fd: file.fd }).catch(() => undefined);
    }
    sealing.check();
    if (isStopped) return undefined;
    const steady = !truncated && closed !== undefined && sameState(closed.row, file.row);
    return { steady, content: builder.finish(), ...sums, ...(error === undefined ? {} : { error }) };
  }
}

/** The content of a file: its chunks, in order, where its extents are, and holes everywhere else. */
function withHoles(chunks: readonly ContentItem[], { extents, size }: SparseFile): ContentItem[] {
  const items: ContentItem[] = [];
  let position = 0;
  let next = 0;
  for (const { start, end } of extents) {
    if (start > position) items.push({ hole: start - position });
    position = start;
    while (position < end) {
      const chunk = chunks[next++]!;
      items.push(chunk);
      position += itemBytes(chunk);
    }
  }
  if (size > position) items.push({ hole: size - position });
  return items;
}

const STOPPED: TakenFile = Object.freeze({
  state: 'stopped',
  row: undefined,
  content: NO_CONTENT,
  size: 0,
  newBytes: 0,
  notes: NO_NOTES,
});

const NOTHING = Object.freeze({ row: undefined, content: NO_CONTENT, size: 0, newBytes: 0 });

/** Equal in everything that a change of content moves: the first 72 bytes of a row (src/fs, StatTable). */
function sameState(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a.subarray(0, 72), b.subarray(0, 72)) === 0;
}

/** An error from a worker has lost its cause, but not its words. */
function isGone(error: unknown): boolean {
  return /\((?:ENOENT|ENOTDIR)\)$/.test(messageOf(error));
}

/** The reasons that read-files.ts knows, out of the words of an error of a worker. */
function isOwnFault(error: unknown): boolean {
  const text = messageOf(error);
  return [...OWN_FAULTS].some((errno) => text.startsWith(`${errno}:`) || text.endsWith(`(${errno})`));
}
