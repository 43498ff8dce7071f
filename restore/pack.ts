import { crc32c } from './crc32c.js';
import { Damage, rethrowUnlessDamage } from './failure.js';
import { HEADER_BYTES, type Header, PACK_KINDS, parseHeader } from './header.js';
import type { ChunkKind, Keys } from './keys.js';
import { type Payload, parsePayload } from './payload.js';

/** One pack, read by ranges: docs/format.md, "Pack". Everything here throws Damage for what is not as it was written. */

const BLOCK_HEADER_BYTES = 24;
const TAIL_BYTES = 16;
const MOST_BLOCKS = 65_535;
const MOST_CHUNKS = 200_000;
const MOST_BLOCK_BYTES = 32 * 2 ** 20;
const MOST_TABLE_BYTES = 65 * 2 ** 20;
const TABLE_NONCE = 2 ** 32 - 1;

/** Reads `length` bytes at `offset` of a stored pack; throws Damage if they are not there. */
export type ReadRange = (offset: number, length: number) => Buffer;

/** Where the blocks of a pack lie; column by column, since there may be many. */
export interface Blocks {
  readonly count: number;
  readonly offsets: Float64Array;
  readonly storedLengths: Uint32Array;
  readonly chunkCounts: Uint32Array;
}

export interface PackTable {
  readonly kind: ChunkKind;
  /** The 12 bytes for each block, as an index segment has them too. */
  readonly blocks: Buffer;
  /** Per chunk in stored order: 32 bytes. */
  readonly ids: Buffer;
}

/** From 12 bytes for each block. */
export function parseBlocks(bytes: Buffer): Blocks {
  const count = bytes.length / 12;
  if (!Number.isInteger(count) || count > MOST_BLOCKS) throw new Damage('a list of blocks beyond its limits');
  const offsets = new Float64Array(count);
  const storedLengths = new Uint32Array(count);
  const chunkCounts = new Uint32Array(count);
  let offset = HEADER_BYTES;
  for (let i = 0; i < count; i++) {
    offsets[i] = offset;
    const stored = bytes.readUInt32LE(12 * i);
    if (stored > MOST_BLOCK_BYTES + BLOCK_HEADER_BYTES) throw new Damage('a block beyond its limits');
    storedLengths[i] = stored;
    chunkCounts[i] = bytes.readUInt32LE(12 * i + 8);
    offset += stored;
  }
  return { count, offsets, storedLengths, chunkCounts };
}

interface PackHeader {
  readonly header: Header;
  readonly kind: ChunkKind;
}

/**
 * What `use` makes with the header of a pack of `size` bytes, or, if that throws Damage, with the copy of it in front of the tail:
 * nothing in the header itself tells whether its salt is whole.
 */
export function withPackHeader<T>(read: ReadRange, size: number, use: (header: PackHeader) => T): T {
  try {
    return use(packHeaderOf(read(0, HEADER_BYTES)));
  } catch (error) {
    rethrowUnlessDamage(error);
    try {
      return use(packHeaderOf(read(size - TAIL_BYTES - HEADER_BYTES, HEADER_BYTES)));
    } catch (second) {
      rethrowUnlessDamage(second);
      throw error;
    }
  }
}

function packHeaderOf(bytes: Buffer): PackHeader {
  const header = parseHeader(bytes, 'CBRP');
  if (header.kind === PACK_KINDS.data) return { header, kind: 'data' };
  if (header.kind === PACK_KINDS.tree) return { header, kind: 'tree' };
  throw new Damage('it is a pack of an unknown kind');
}

/** A block with its header. */
export function openBlock(keys: Keys, header: Header, number: number, stored: Buffer): Payload {
  const { length } = parseBlockHeader(header, number, stored);
  if (length !== stored.length - BLOCK_HEADER_BYTES) throw new Damage(`block ${number} has another length`);
  const context = Buffer.concat([header.bytes, stored.subarray(0, BLOCK_HEADER_BYTES)]);
  const sealed = stored.subarray(BLOCK_HEADER_BYTES);
  return parsePayload(keys.open('pack', header, number, context, sealed), 'block');
}

function parseBlockHeader(header: Header, number: number, stored: Buffer): { length: number } {
  if (stored.length < BLOCK_HEADER_BYTES) throw new Damage(`block ${number} is cut short`);
  const isRight =
    stored.toString('latin1', 0, 4) === 'CBRB' &&
    stored.readUInt32LE(4) === number &&
    stored.subarray(12, 20).equals(header.salt.subarray(0, 8)) &&
    stored.readUInt32LE(20) === crc32c(stored.subarray(0, 20));
  if (!isRight) throw new Damage(`block ${number} has a header that is not right`);
  return { length: stored.readUInt32LE(8) };
}

/** The sealed table at the end of a pack. */
export function readTable(keys: Keys, read: ReadRange, size: number): PackTable {
  const tail = read(size - TAIL_BYTES, TAIL_BYTES);
  const length = tail.readUInt32LE(0);
  if (tail.toString('latin1', 8) !== 'CBR-TAIL' || tail.readUInt32LE(4) !== 1 || length > MOST_TABLE_BYTES) {
    throw new Damage('its end is not right');
  }
  const sealed = read(size - TAIL_BYTES - HEADER_BYTES - length, length);
  return withPackHeader(read, size, ({ header, kind }) => {
    const payload = keys.open('pack', header, TABLE_NONCE, header.bytes, sealed);
    return { kind, ...parseTable(parsePayload(payload, 'other').content) };
  });
}

function parseTable(content: Buffer): Omit<PackTable, 'kind'> {
  if (content.length < 8) throw new Damage('its table is cut short');
  const blockCount = content.readUInt32LE(0);
  const chunkCount = content.readUInt32LE(4);
  const lengths = 8 + 12 * blockCount;
  const isRight =
    blockCount <= MOST_BLOCKS &&
    chunkCount <= MOST_CHUNKS &&
    content.length === lengths + 36 * chunkCount &&
    parseBlocks(content.subarray(8, lengths)).chunkCounts.reduce((sum, each) => sum + each, 0) === chunkCount;
  if (!isRight) throw new Damage('its table is not right');
  return { blocks: content.subarray(8, lengths), ids: content.subarray(lengths + 4 * chunkCount) };
}

/**
 * The same table from the blocks alone, for a pack whose table is lost: each block is opened and its chunks are hashed. Of blocks that
 * cannot be opened no chunk is told; where the chain of blocks breaks, the table ends.
 */
export function rebuildTable(keys: Keys, read: ReadRange, size: number): PackTable {
  return withPackHeader(read, size, (header) => tableOfBlocks(keys, read, size, header));
}

function tableOfBlocks(keys: Keys, read: ReadRange, size: number, { header, kind }: PackHeader): PackTable {
  const rows: Buffer[] = [];
  const ids: Uint8Array[] = [];
  let offset = HEADER_BYTES;
  for (let number = 0; number < MOST_BLOCKS && offset + BLOCK_HEADER_BYTES < size; number++) {
    let length: number;
    try {
      ({ length } = parseBlockHeader(header, number, read(offset, BLOCK_HEADER_BYTES)));
      if (length > MOST_BLOCK_BYTES) break;
    } catch (error) {
      rethrowUnlessDamage(error);
      break;
    }
    const chunks = idsOfBlock(keys, kind, header, number, () => read(offset, BLOCK_HEADER_BYTES + length));
    const row = Buffer.alloc(12);
    row.writeUInt32LE(BLOCK_HEADER_BYTES + length, 0);
    row.writeUInt32LE(chunks.length, 8);
    rows.push(row);
    ids.push(...chunks);
    offset += BLOCK_HEADER_BYTES + length;
  }
  if (ids.length === 0) throw new Damage('none of its blocks can be opened');
  return { kind, blocks: Buffer.concat(rows), ids: Buffer.concat(ids) };
}

function idsOfBlock(
  keys: Keys,
  kind: ChunkKind,
  header: Header,
  number: number,
  read: () => Buffer,
): Uint8Array[] {
  try {
    const { content, chunkLengths } = openBlock(keys, header, number, read());
    let at = 0;
    return chunkLengths.map((length) => {
      at += length;
      return keys.chunkId(kind, content.subarray(at - length, at));
    });
  } catch (error) {
    rethrowUnlessDamage(error);
    return [];
  }
}
