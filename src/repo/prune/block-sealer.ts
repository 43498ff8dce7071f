import { newStagingPath } from '../../backends/index.js';
import { CHUNK_ID_BYTES, DamagedError, LIMITS } from '../../core/index.js';
import type { Algorithms } from '../algorithms/algorithms.js';
import { decodeBlock } from '../block.js';
import type { PackKind } from '../index-segment.js';
import type { Keys } from '../keys.js';
import { openPackHeader } from '../pack-reader.js';
import { type FinishedPack, PackWriter, TREE_BLOCK_BYTES } from '../pack-writer.js';
import { readPayload } from '../payload.js';
import type { Repository } from '../repository.js';

/** A block of a pack that is to go, as it is stored, and which of its chunks are needed. */
export interface BlockToSeal {
  readonly kind: PackKind;
  /** The pack, for messages. */
  readonly object: string;
  /** The header of the pack. */
  readonly header: Uint8Array;
  readonly block: number;
  readonly stored: Uint8Array;
  /** Of all its chunks: ids of 32 bytes, and plain lengths. */
  readonly ids: Uint8Array;
  readonly lengths: Uint32Array;
  /** Positions of those that are needed, ascending. */
  readonly wanted: Uint32Array;
}

/** Puts what is needed of blocks into new packs, which it hands over as they are finished. */
export interface BlockSealer {
  /** How many blocks it works on at the same time. */
  readonly concurrency: number;
  /** Takes over the stored bytes. Rejects (damaged) when the block is not what the index says. */
  seal(block: BlockToSeal): Promise<readonly FinishedPack[]>;
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
}

/** A block below this part of a usual one is better compressed with others than taken over as it is. */
const SMALL_PART = 2;

/** The work of a BlockSealer, in the thread that calls it. */
export class BlockWriters {
  private readonly writers: Readonly<Record<PackKind, PackWriter>>;

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
  }

  private blockBytes(kind: PackKind): number {
    return kind === 'tree' ? TREE_BLOCK_BYTES : this.options.blockBytes;
  }

  /** A block that is needed whole keeps its compressed bytes and is only sealed anew; of others the chunks are taken out. */
  seal({ kind, object, header, block, stored, ids, lengths, wanted }: BlockToSeal): FinishedPack[] {
    const { keys, algorithms } = this.options;
    const payload = decodeBlock(stored, block, openPackHeader(header, keys, object), object);
    const writer = this.writers[kind];
    const plainBytes = lengths.reduce((total, length) => total + length, 0);
    if (wanted.length === lengths.length && plainBytes >= this.blockBytes(kind) / SMALL_PART) {
      const adopted = { chunkLengths: Array.from(lengths), plainBytes };
      return listed(writer.adopt(payload, ids, adopted));
    }
    const subject = `${object}, block ${block}`;
    const { plain, chunkLengths } = readPayload(payload, algorithms.zstd, LIMITS.blockPlain, subject);
    const finished: FinishedPack[] = [];
    let at = 0;
    let next = 0;
    for (const [ordinal, length] of chunkLengths.entries()) {
      if (length !== lengths[ordinal])
        throw new DamagedError(object, `block ${block} is not what its table says`);
      if (wanted[next] === ordinal) {
        const row = CHUNK_ID_BYTES * ordinal;
        const id = ids.subarray(row, row + CHUNK_ID_BYTES);
        finished.push(...listed(writer.add(id, plain.subarray(at, at + length))));
        next++;
      }
      at += length;
    }
    if (next < wanted.length)
      throw new DamagedError(object, `block ${block} holds fewer chunks than its table says`);
    return finished;
  }

  finish(): FinishedPack[] {
    return [...listed(this.writers.data.finish()), ...listed(this.writers.tree.finish())];
  }

  abandon(): void {
    this.writers.data.abandon();
    this.writers.tree.abandon();
  }
}

function listed(pack: FinishedPack | undefined): FinishedPack[] {
  return pack === undefined ? [] : [pack];
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
    seal: async (block) => writers.seal(block),
    finish: async () => writers.finish(),
    abandon: async () => writers.abandon(),
  };
}
