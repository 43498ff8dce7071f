import { CHUNK_ID_BYTES, DamagedError, LIMITS, type ObjectDigest, sameBytes } from '../../core/index.js';
import type { Blake3 } from '../algorithms/blake3.js';
import { decodeBlock } from '../block.js';
import type { Keys } from '../keys.js';
import { openPackHeader } from '../pack-reader.js';
import type { FinishedPack } from '../pack-writer.js';
import { readPayload } from '../payload.js';
import {
  type BlockChunks,
  type BlocksToSeal,
  type BlockToSeal,
  type BlockWriterOptions,
  BlockWriters,
} from '../prune/block-sealer.js';

/** A block of the source, opened and verified. */
export interface OpenedBlock {
  readonly block: number;
  /** As it is inside the seal, perhaps compressed. */
  readonly payload: Uint8Array;
  readonly lengths: Uint32Array;
  /** For each chunk 32 bytes: the id it has in the target; zeros for those that were not asked for. */
  readonly newIds: Uint8Array;
}

/** What a block is to be stored of: `ids` are those of the target. */
export interface BlockToStore extends BlockChunks {
  readonly pack: ObjectDigest;
  readonly payload: Uint8Array;
}

export interface BlockCopierOptions {
  readonly source: Keys;
  /** Of the target. */
  readonly writers: BlockWriterOptions;
}

/** Takes blocks of content out of the packs of one repository and puts them into packs of another, in the thread that calls it. */
export class BlockCopier {
  private readonly oldIds: Blake3;
  private readonly newIds: Blake3;
  private readonly digest = Buffer.alloc(CHUNK_ID_BYTES);
  /** Blocks are opened into the same memory, one after the other. */
  private readonly plainBuffer: Buffer;
  private readonly packs: BlockWriters;

  constructor(private readonly options: BlockCopierOptions) {
    const { source, writers } = options;
    this.oldIds = source.chunkIds('data');
    this.newIds = writers.keys.chunkIds('data');
    this.plainBuffer = Buffer.allocUnsafeSlow(LIMITS.blockPlain);
    this.packs = new BlockWriters(writers);
  }

  /** Opens what was read of a pack, and verifies each wanted chunk by its id. Rejects (damaged) when one is not what its table says. */
  open({ pack, header, bytes, blocks }: BlocksToSeal): OpenedBlock[] {
    const object = `packs/${pack}`;
    const opened = openPackHeader(header, this.options.source, object);
    return blocks.map((each) => {
      const stored = bytes.subarray(each.offset, each.offset + each.stored);
      return this.openBlock(each, decodeBlock(stored, each.block, opened, object), object);
    });
  }

  private openBlock(
    { block, ids, lengths, wanted }: BlockToSeal,
    payload: Uint8Array,
    object: string,
  ): OpenedBlock {
    const { zstd } = this.options.writers.algorithms;
    const subject = `${object}, block ${block}`;
    const { plain, chunkLengths } = readPayload(payload, zstd, LIMITS.blockPlain, subject, this.plainBuffer);
    if (chunkLengths.length !== lengths.length || chunkLengths.some((length, i) => length !== lengths[i]))
      throw new DamagedError(object, `block ${block} is not what its table says`);
    const newIds = Buffer.alloc(CHUNK_ID_BYTES * lengths.length);
    let at = 0;
    let next = 0;
    for (const [ordinal, length] of chunkLengths.entries()) {
      if (wanted[next] === ordinal) {
        next++;
        const row = CHUNK_ID_BYTES * ordinal;
        const chunk = plain.subarray(at, at + length);
        this.oldIds.digestTo(chunk, this.digest, 0);
        if (!sameBytes(this.digest, ids.subarray(row, row + CHUNK_ID_BYTES)))
          throw new DamagedError(object, `block ${block} does not hold the chunks that its table says`);
        this.newIds.digestTo(chunk, newIds, row);
      }
      at += length;
    }
    return { block, payload, lengths, newIds };
  }

  /** Puts the wanted chunks of opened blocks into packs of the target; returns those that this finished. */
  store(blocks: readonly BlockToStore[]): FinishedPack[] {
    return blocks.flatMap((each) => this.packs.sealPayload('data', each, each.payload, `packs/${each.pack}`));
  }

  finish(): FinishedPack[] {
    return this.packs.finish();
  }

  abandon(): void {
    this.packs.abandon();
  }
}
