import { rmSync } from 'node:fs';
import { newStagingPath } from '../../backends/index.js';
import { CHUNK_ID_BYTES, DamagedError, LIMITS, type ObjectDigest } from '../../core/index.js';
import type { Algorithms } from '../algorithms/algorithms.js';
import { decodeBlock } from '../block.js';
import type { PackKind } from '../index-segment.js';
import type { Keys } from '../keys.js';
import { openPackHeader } from '../pack-reader.js';
import { type FinishedPack, PackWriter, TREE_BLOCK_BYTES } from '../pack-writer.js';
import { readPayload } from '../payload.js';
import type { Repository } from '../repository.js';

/** Blocks of a pack that is to go, from one read, and which of their chunks are needed. */
export interface BlocksToSeal {
  readonly kind: PackKind;
  readonly pack: ObjectDigest;
  /** The header of the pack. */
  readonly header: Uint8Array;
  /** What was read of the pack. */
  readonly bytes: Uint8Array;
  readonly blocks: readonly BlockToSeal[];
}

export interface BlockToSeal extends BlockChunks {
  /** Where its stored bytes begin in what was read, and their number. */
  readonly offset: number;
  readonly stored: number;
}

export interface BlockChunks {
  readonly block: number;
  /** Of all its chunks: ids of 32 bytes, and plain lengths. */
  readonly ids: Uint8Array;
  readonly lengths: Uint32Array;
  /** Positions of those that are needed, ascending. */
  readonly wanted: Uint32Array;
}

/** Puts what is needed of blocks into new packs, which it hands over as they are finished. */
export interface BlockSealer {
  /** How many calls of `seal` may be under way at the same time. */
  readonly concurrency: number;
  /** Takes over what was read. Rejects (damaged) when a block is not what the index says. */
  seal(blocks: BlocksToSeal): Promise<readonly FinishedPack[]>;
  /** When all is sealed. */
  finish(): Promise<readonly FinishedPack[]>;
  /** Throws away what is not handed over. */
  abandon(): Promise<void>;
}

export interface BlockWriterOptions {
  readonly keys: Keys;
  readonly algorithms: Algorithms;
  readonly compressionLevel: number;
  readonly pad: boolean;
  /** Plain bytes of a block of content. */
  readonly blockBytes: number;
  readonly packBytes: number;
  /** Where packs are staged. */
  readonly stagingFolder: string;
  /** A block of more plain bytes is not taken over as it is; 0: none is. Without it there is no limit. */
  readonly adoptMost?: number;
}

/** A block below this part of a usual one is better compressed with others than taken over as it is. */
const SMALL_PART = 2;

/** The work of a BlockSealer, in the thread that calls it. */
export class BlockWriters {
  private readonly writers: Readonly<Record<PackKind, PackWriter>>;
  /** Blocks are opened into the same memory, one after the other. */
  private readonly plainBuffer: Buffer;
  /** Packs that are finished and not handed over yet. */
  private ready: FinishedPack[] = [];

  constructor(private readonly options: BlockWriterOptions) {
    const { stagingFolder } = options;
    const writer = (kind: PackKind): PackWriter =>
      new PackWriter({
        ...options,
        kind,
        blockBytes: this.blockBytes(kind),
        verify: true,
        stagingPath: () => newStagingPath(stagingFolder),
      });
    this.writers = { data: writer('data'), tree: writer('tree') };
    this.plainBuffer = Buffer.allocUnsafeSlow(options.blockBytes);
  }

  private blockBytes(kind: PackKind): number {
    return kind === 'tree' ? TREE_BLOCK_BYTES : this.options.blockBytes;
  }

  seal({ kind, pack, header, bytes, blocks }: BlocksToSeal): FinishedPack[] {
    const object = `packs/${pack}`;
    const opened = openPackHeader(header, this.options.keys, object);
    for (const block of blocks) {
      const stored = bytes.subarray(block.offset, block.offset + block.stored);
      this.sealBlock(kind, block, decodeBlock(stored, block.block, opened, object), object);
    }
    return this.handOver();
  }

  /** As `seal`, for a block that was opened and verified; `object` is what it came from. */
  sealPayload(kind: PackKind, block: BlockChunks, payload: Uint8Array, object: string): FinishedPack[] {
    this.sealBlock(kind, block, payload, object);
    return this.handOver();
  }

  private handOver(): FinishedPack[] {
    const { ready } = this;
    this.ready = [];
    return ready;
  }

  private keep(finished: FinishedPack | undefined): void {
    if (finished !== undefined) this.ready.push(finished);
  }

  /** A block that is needed whole keeps its compressed bytes and is only sealed anew; of others the chunks are taken out. */
  private sealBlock(
    kind: PackKind,
    { block, ids, lengths, wanted }: BlockChunks,
    payload: Uint8Array,
    object: string,
  ): void {
    const writer = this.writers[kind];
    const plainBytes = lengths.reduce((total, length) => total + length, 0);
    const isUsual =
      plainBytes >= this.blockBytes(kind) / SMALL_PART &&
      plainBytes <= (this.options.adoptMost ?? Number.POSITIVE_INFINITY);
    if (wanted.length === lengths.length && isUsual) {
      const adopted = { chunkLengths: Array.from(lengths), plainBytes };
      this.keep(writer.adopt(payload, ids, adopted));
      return;
    }
    const subject = `${object}, block ${block}`;
    const { zstd } = this.options.algorithms;
    const { plain, chunkLengths } = readPayload(payload, zstd, LIMITS.blockPlain, subject, this.plainBuffer);
    let at = 0;
    let next = 0;
    for (const [ordinal, length] of chunkLengths.entries()) {
      if (length !== lengths[ordinal])
        throw new DamagedError(object, `block ${block} is not what its table says`);
      if (wanted[next] === ordinal) {
        const row = CHUNK_ID_BYTES * ordinal;
        const id = ids.subarray(row, row + CHUNK_ID_BYTES);
        this.keep(writer.add(id, plain.subarray(at, at + length)));
        next++;
      }
      at += length;
    }
    if (next < wanted.length)
      throw new DamagedError(object, `block ${block} holds fewer chunks than its table says`);
  }

  finish(): FinishedPack[] {
    this.keep(this.writers.data.finish());
    this.keep(this.writers.tree.finish());
    return this.handOver();
  }

  abandon(): void {
    this.writers.data.abandon();
    this.writers.tree.abandon();
    discardPacks(this.handOver());
  }
}

/** Removes the staged files of packs that nobody will store. */
export function discardPacks(packs: readonly FinishedPack[]): void {
  for (const { path } of packs) {
    try {
      rmSync(path, { force: true });
    } catch {
      // It stays among the staged files, which are cleared when this process is gone.
    }
  }
}

/** What a sealer of this repository works with; `keys` and `algorithms` are those of the thread that does. */
export function blockWriterSettings({
  backend,
  config,
}: Repository): Omit<BlockWriterOptions, 'keys' | 'algorithms'> {
  return {
    compressionLevel: config.compression,
    pad: config.pad,
    blockBytes: config.blockBytes,
    packBytes: config.packBytes,
    stagingFolder: backend.stagingFolder!,
  };
}

/** A sealer without threads of its own: for little work. */
export function sealerHere(repository: Repository): BlockSealer {
  const { keys, algorithms } = repository;
  const writers = new BlockWriters({ ...blockWriterSettings(repository), keys, algorithms });
  return {
    concurrency: 1,
    seal: async (blocks) => writers.seal(blocks),
    finish: async () => writers.finish(),
    abandon: async () => writers.abandon(),
  };
}
