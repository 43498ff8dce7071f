import { rmSync } from 'node:fs';
import type { Backend, WriteOptions } from '../backends/index.js';
import {
  CbrError,
  CHUNK_ID_BYTES,
  type ChunkId,
  chunkIdAt,
  LIMITS,
  type ObjectDigest,
} from '../core/index.js';
import type { Author, IndexSegment } from './index-segment.js';
import type { FinishedPack } from './pack-writer.js';
import type { RecordContext } from './record-store.js';
import { buildSegments, type IndexedPack } from './segment-builder.js';
import { encodeSegment } from './segment-codec.js';

/** What a writer asks of the chunk index. */
export interface KnownChunks {
  /** Whether a counting segment names the chunk in a pack that may be relied on. */
  has(id: ChunkId): boolean;
  /** Takes over a segment that this writer has made durable. */
  addSegment(name: ObjectDigest, segment: IndexSegment): Promise<void>;
}

export interface PackStoreOptions {
  readonly backend: Backend;
  readonly records: RecordContext;
  readonly known: KnownChunks;
  readonly author: Author;
  /** Milliseconds on a monotonic clock. */
  readonly clock: () => number;
}

/** What a run has stored so far. */
export interface StoredTotals {
  packs: number;
  chunks: number;
  /** Plain bytes of chunks. */
  plain: number;
  /** Stored bytes of packs and index segments. */
  stored: number;
  /** Time of all threads spent on verifying what was sealed. */
  verifyMs: number;
}

/** An index segment at least so often: what a killed run has stored is lost only as far as no segment names it. */
const CHECKPOINT_MS = 60_000;
/** Packs that wait for their upload at the same time; more would only take disk space. */
const MAX_UPLOADS = 4;

/**
 * The writer's own chunks between being claimed and being named by a durable index segment. It keeps invariants I1 to I3: a
 * segment is written only after all packs it names, and `finish` resolves only after all segments.
 */
export class PackStore {
  /** Claimed and not yet in the chunk index. */
  private readonly claimed = new Set<ChunkId>();
  private durable: IndexedPack[] = [];
  private durableChunks = 0;
  private uploads = 0;
  private failure: { readonly error: unknown } | undefined;
  private wake: (() => void)[] = [];
  private checkpointing: Promise<void> = Promise.resolve();
  private lastCheckpoint: number;
  private readonly timer: NodeJS.Timeout;
  private readonly segments: ObjectDigest[] = [];
  readonly totals: StoredTotals = { packs: 0, chunks: 0, plain: 0, stored: 0, verifyMs: 0 };

  constructor(private readonly options: PackStoreOptions) {
    this.lastCheckpoint = options.clock();
    this.timer = setInterval(() => this.checkpointIfDue(), CHECKPOINT_MS / 4);
    this.timer.unref();
  }

  /** Names of the segments that are durable. */
  get segmentNames(): readonly ObjectDigest[] {
    return this.segments;
  }

  /** True exactly once for a chunk that has to be stored; the caller must then store it or fail the run. */
  claim(id: ChunkId): boolean {
    if (this.claimed.has(id) || this.options.known.has(id)) return false;
    this.claimed.add(id);
    return true;
  }

  /** Resolves when a further pack may be sealed. Rejects when storing has failed. */
  async room(): Promise<void> {
    while (this.failure === undefined && this.uploads >= MAX_UPLOADS) await this.change();
    this.check();
  }

  /** Rejects when storing has failed. */
  check(): void {
    if (this.failure !== undefined) throw this.failure.error;
  }

  /** Stores a finished pack in the background; failures come out of `room`, `check` and `finish`. */
  store(pack: FinishedPack): void {
    this.uploads++;
    this.upload(pack).then(
      () => this.settled(),
      (error: unknown) => {
        this.failure ??= { error };
        discard(pack.path);
        this.settled();
      },
    );
  }

  /**
   * Waits until everything stored is named by durable segments; returns their names. Rejects (internal) when a chunk that was
   * claimed is in none of them.
   */
  async finish(): Promise<readonly ObjectDigest[]> {
    clearInterval(this.timer);
    while (this.failure === undefined && this.uploads > 0) await this.change();
    this.check();
    this.checkpoint();
    await this.checkpointing;
    this.check();
    // I2: a tree may name any of them. Never so, unless a chunk was claimed and then forgotten.
    if (this.claimed.size > 0) {
      throw new CbrError('internal', `${this.claimed.size} chunks were to be stored and were not`);
    }
    return this.segments;
  }

  /** As `finish` for a run that is given up: names what can still be named and swallows what failed. */
  async salvage(): Promise<readonly ObjectDigest[]> {
    clearInterval(this.timer);
    while (this.uploads > 0) await this.change();
    this.checkpoint();
    await this.checkpointing;
    return this.segments;
  }

  private async upload(pack: FinishedPack): Promise<void> {
    const { name, size } = pack.summary;
    await this.options.backend.write('packs', name, { path: pack.path, size }, storedAs(pack));
    this.totals.packs++;
    this.totals.chunks += pack.table.lengths.length;
    this.totals.plain += pack.plainBytes;
    this.totals.stored += size;
    this.totals.verifyMs += pack.verifyMs;
    this.durable.push({ summary: pack.summary, table: pack.table });
    this.durableChunks += pack.table.lengths.length;
    if (this.durableChunks >= LIMITS.segmentChunks) this.checkpoint();
    else this.checkpointIfDue();
  }

  private checkpointIfDue(): void {
    if (this.durable.length === 0) return;
    if (this.options.clock() - this.lastCheckpoint >= CHECKPOINT_MS) this.checkpoint();
  }

  /** I3: the packs are durable, so segments may name them. */
  private checkpoint(): void {
    const packs = this.durable;
    this.durable = [];
    this.durableChunks = 0;
    this.lastCheckpoint = this.options.clock();
    if (packs.length === 0) return;
    this.checkpointing = this.checkpointing.then(async () => {
      try {
        for (const segment of buildSegments(this.options.author, packs)) await this.writeSegment(segment);
      } catch (error) {
        this.failure ??= { error };
      }
    });
  }

  private async writeSegment(segment: IndexSegment): Promise<void> {
    const { backend, records, known } = this.options;
    const { name, bytes } = encodeSegment(segment, records.keys, records.compression);
    await backend.write('index', name, bytes, { sha256: name });
    this.segments.push(name);
    this.totals.stored += bytes.byteLength;
    await known.addSegment(name, segment);
    const { ids, count } = segment.chunks;
    for (let row = 0; row < count; row++) this.claimed.delete(chunkIdAt(ids, row * CHUNK_ID_BYTES));
  }

  private settled(): void {
    this.uploads--;
    for (const resolve of this.wake.splice(0)) resolve();
  }

  private change(): Promise<void> {
    return new Promise((resolve) => this.wake.push(resolve));
  }
}

/** Trees are read by much, content by restores only. */
function storedAs({ summary }: FinishedPack): WriteOptions {
  return { sha256: summary.name, isCold: summary.kind === 'data' };
}

function discard(path: string): void {
  try {
    rmSync(path, { force: true });
  } catch {
    // It stays among the staged files, which are cleared when this process is gone.
  }
}
