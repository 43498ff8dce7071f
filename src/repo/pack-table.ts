import { ByteReader, CHUNK_ID_BYTES, LIMITS } from '../core/index.js';
import type { BlockSummary } from './index-segment.js';

/** The chunks of a pack in stored order: the content of its sealed table (docs/format.md, "Pack table"). */
export interface PackTable {
  readonly blocks: readonly BlockSummary[];
  /** 32 bytes for each chunk. */
  readonly ids: Uint8Array;
  /** Plain length of each chunk. */
  readonly lengths: Uint32Array;
}

export function encodePackTable(table: PackTable): Buffer {
  const blocks = table.blocks.length;
  const chunks = table.lengths.length;
  const bytes = Buffer.alloc(8 + 12 * blocks + (4 + CHUNK_ID_BYTES) * chunks);
  bytes.writeUInt32LE(blocks, 0);
  bytes.writeUInt32LE(chunks, 4);
  let at = 8;
  for (const block of table.blocks) {
    bytes.writeUInt32LE(block.stored, at);
    bytes.writeUInt32LE(block.plain, at + 4);
    bytes.writeUInt32LE(block.chunks, at + 8);
    at += 12;
  }
  for (const length of table.lengths) {
    bytes.writeUInt32LE(length, at);
    at += 4;
  }
  bytes.set(table.ids, at);
  return bytes;
}

/** Reads a table from untrusted bytes; rejects with FormatError naming `subject`. */
export function decodePackTable(bytes: Uint8Array, subject: string): PackTable {
  const reader = new ByteReader(bytes, subject);
  const blockCount = reader.u32();
  const chunkCount = reader.u32();
  if (blockCount > LIMITS.packBlocks) reader.fail(`${blockCount} blocks`);
  if (12 * blockCount + (4 + CHUNK_ID_BYTES) * chunkCount !== reader.remaining)
    reader.fail('length does not match');
  const blocks: BlockSummary[] = [];
  let sum = 0;
  for (let i = 0; i < blockCount; i++) {
    const block = { stored: reader.u32(), plain: reader.u32(), chunks: reader.u32() };
    sum += block.chunks;
    blocks.push(block);
  }
  if (sum !== chunkCount) reader.fail(`${chunkCount} chunks, but blocks hold ${sum}`);
  const lengths = new Uint32Array(chunkCount);
  for (let i = 0; i < chunkCount; i++) lengths[i] = reader.u32();
  const ids = Uint8Array.from(reader.take(CHUNK_ID_BYTES * chunkCount));
  return { blocks, ids, lengths };
}
