import { CHUNK_ID_BYTES } from '../core/index.js';

/**
 * A piece of memory that all threads share: content of source files, and a table of the chunks it was cut into. Who holds a
 * slab's number may use it; the main thread hands it on with the tasks.
 */
export interface Slab {
  readonly number: number;
  /** Content. */
  readonly bytes: Buffer;
  /** 32 bytes for each chunk. */
  readonly ids: Buffer;
  /** Where each chunk begins in `bytes`, and its length. */
  readonly starts: Uint32Array;
  readonly lengths: Uint32Array;
}

export interface SlabLayout {
  readonly count: number;
  /** Bytes of content each. */
  readonly capacity: number;
  /** Chunks each. */
  readonly maxChunks: number;
}

/** Memory for all slabs, to be given to each worker. */
export function allocateSlabs(layout: SlabLayout): SharedArrayBuffer[] {
  const bytes = layout.capacity + layout.maxChunks * (CHUNK_ID_BYTES + 8);
  return Array.from({ length: layout.count }, () => new SharedArrayBuffer(Math.ceil(bytes / 8) * 8));
}

/** The same slabs as seen from one thread. */
export function slabsOver(memory: readonly SharedArrayBuffer[], layout: SlabLayout): Slab[] {
  const { capacity, maxChunks } = layout;
  return memory.map((shared, number) => ({
    number,
    starts: new Uint32Array(shared, 0, maxChunks),
    lengths: new Uint32Array(shared, 4 * maxChunks, maxChunks),
    ids: Buffer.from(shared, 8 * maxChunks, CHUNK_ID_BYTES * maxChunks),
    bytes: Buffer.from(shared, 8 * maxChunks + CHUNK_ID_BYTES * maxChunks, capacity),
  }));
}

/** Free slabs. Waiting for one is the flow control of the engine: memory is bounded by their number. */
export class SlabPool {
  private readonly free: Slab[];
  private readonly waiting: {
    readonly give: (slab: Slab) => void;
    readonly refuse: (error: unknown) => void;
  }[] = [];
  private failure: { readonly error: unknown } | undefined;

  constructor(slabs: readonly Slab[]) {
    this.free = [...slabs];
  }

  /** Rejects once `fail` was called. */
  acquire(): Promise<Slab> {
    if (this.failure !== undefined) return Promise.reject(this.failure.error);
    const slab = this.free.pop();
    if (slab !== undefined) return Promise.resolve(slab);
    return new Promise((give, refuse) => this.waiting.push({ give, refuse }));
  }

  release(slab: Slab): void {
    const next = this.waiting.shift();
    if (next === undefined) this.free.push(slab);
    else next.give(slab);
  }

  /** Ends the run: whoever waits for a slab, or asks for one later, gets this error. */
  fail(error: unknown): void {
    this.failure ??= { error };
    for (const { refuse } of this.waiting.splice(0)) refuse(this.failure.error);
  }
}
