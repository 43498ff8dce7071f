import { createHash } from 'node:crypto';
import {
  asBuffer,
  bytes,
  bytesOf,
  CHUNK_ID_BYTES,
  DamagedError,
  decode,
  encode,
  FormatError,
  int,
  LIMITS,
  list,
  type ObjectDigest,
  optional,
  record,
  type SessionId,
  size,
  toHex,
  u32,
  word,
} from '../core/index.js';
import type { Zstd } from './algorithms/zstd.js';
import type { Author, ChunkColumns, IndexSegment, PackSummary } from './index-segment.js';
import type { Keys } from './keys.js';
import { RECORD_NONCE } from './keys.js';
import { decodeHeader, encodeHeader, HEADER_BYTES, newHeader } from './object-header.js';
import { type Compression, payloadBound, readPayload, writePayload } from './payload.js';

/** Index segments as stored objects (docs/format.md, "Index segment"). */

const SEGMENT_KIND = 1;
const BLOCK_BYTES = 12;

const packCodec = record({
  name: bytesOf(32),
  kind: word('data', 'tree'),
  size,
  /** Per block: stored, plain, chunks, each u32. */
  blocks: bytes(BLOCK_BYTES * LIMITS.packBlocks),
});

const segmentCodec = record({
  session: optional(bytesOf(16)),
  epoch: optional(u32),
  packs: list(packCodec, LIMITS.segmentChunks),
  count: int(0, LIMITS.segmentChunks),
  ids: bytes(CHUNK_ID_BYTES * LIMITS.segmentChunks),
  pack: bytes(4 * LIMITS.segmentChunks),
  block: bytes(2 * LIMITS.segmentChunks),
  ordinal: bytes(2 * LIMITS.segmentChunks),
  length: bytes(4 * LIMITS.segmentChunks),
});

function littleEndian(column: Uint32Array | Uint16Array): Buffer {
  const width = column.BYTES_PER_ELEMENT;
  const out = Buffer.allocUnsafe(column.length * width);
  for (let i = 0; i < column.length; i++) {
    if (width === 4) out.writeUInt32LE(column[i]!, 4 * i);
    else out.writeUInt16LE(column[i]!, 2 * i);
  }
  return out;
}

function column32(from: Uint8Array, count: number, subject: string): Uint32Array {
  if (from.byteLength !== 4 * count) throw new FormatError(`${subject}: column of ${from.byteLength} bytes`);
  const view = asBuffer(from);
  return Uint32Array.from({ length: count }, (_, i) => view.readUInt32LE(4 * i));
}

function column16(from: Uint8Array, count: number, subject: string): Uint16Array {
  if (from.byteLength !== 2 * count) throw new FormatError(`${subject}: column of ${from.byteLength} bytes`);
  const view = asBuffer(from);
  return Uint16Array.from({ length: count }, (_, i) => view.readUInt16LE(2 * i));
}

function encodeBlocks(pack: PackSummary): Buffer {
  const out = Buffer.allocUnsafe(BLOCK_BYTES * pack.blocks.length);
  for (const [i, block] of pack.blocks.entries()) {
    out.writeUInt32LE(block.stored, BLOCK_BYTES * i);
    out.writeUInt32LE(block.plain, BLOCK_BYTES * i + 4);
    out.writeUInt32LE(block.chunks, BLOCK_BYTES * i + 8);
  }
  return out;
}

function decodeBlocks(from: Uint8Array, subject: string): PackSummary['blocks'] {
  if (from.byteLength % BLOCK_BYTES !== 0) throw new FormatError(`${subject}: torn block list`);
  const count = from.byteLength / BLOCK_BYTES;
  if (count > LIMITS.packBlocks) throw new FormatError(`${subject}: pack of ${count} blocks`);
  const view = asBuffer(from);
  return Array.from({ length: count }, (_, i) => {
    const plain = view.readUInt32LE(BLOCK_BYTES * i + 4);
    const chunks = view.readUInt32LE(BLOCK_BYTES * i + 8);
    const stored = view.readUInt32LE(BLOCK_BYTES * i);
    if (plain > LIMITS.blockPlain || chunks > LIMITS.blockChunks || stored > 2 * LIMITS.blockPlain)
      throw new FormatError(`${subject}: block of ${plain} bytes in ${chunks} chunks, ${stored} stored`);
    return { stored, plain, chunks };
  });
}

/** Every row must point at a chunk that its pack table has, and the ids must be sorted and unique. */
function checkColumns(chunks: ChunkColumns, packs: readonly PackSummary[], subject: string): void {
  const ids = chunks.ids;
  for (let i = 0; i < chunks.count; i++) {
    const block = packs[chunks.packs[i]!]?.blocks[chunks.blocks[i]!];
    if (block === undefined || chunks.ordinals[i]! >= block.chunks) {
      throw new FormatError(`${subject}: row ${i} points outside its packs`);
    }
    const at = CHUNK_ID_BYTES * i;
    // The source of Buffer.compare is the row before, its target this one.
    if (i > 0 && ids.compare(ids, at, at + CHUNK_ID_BYTES, at - CHUNK_ID_BYTES, at) >= 0) {
      throw new FormatError(`${subject}: ids are not sorted at row ${i}`);
    }
  }
}

function decodeAuthor(session: Uint8Array | undefined, epoch: number | undefined, subject: string): Author {
  if (session !== undefined && epoch === undefined)
    return { kind: 'session', session: toHex(session) as SessionId };
  if (session === undefined && epoch !== undefined) return { kind: 'prune', epoch };
  throw new FormatError(`${subject}: one author expected`);
}

/** The stored bytes of a segment and their name. */
export function encodeSegment(
  segment: IndexSegment,
  keys: Keys,
  compression: Compression,
): { name: ObjectDigest; bytes: Buffer } {
  const { author, packs, chunks } = segment;
  const content = encode(segmentCodec, {
    ...(author.kind === 'session'
      ? { session: Buffer.from(author.session, 'hex') }
      : { epoch: author.epoch }),
    packs: packs.map((pack) => ({
      name: Buffer.from(pack.name, 'hex'),
      kind: pack.kind,
      size: pack.size,
      blocks: encodeBlocks(pack),
    })),
    count: chunks.count,
    ids: chunks.ids,
    pack: littleEndian(chunks.packs),
    block: littleEndian(chunks.blocks),
    ordinal: littleEndian(chunks.ordinals),
    length: littleEndian(chunks.lengths),
  });
  const header = newHeader('index', SEGMENT_KIND, keys.encrypted);
  const headerBytes = encodeHeader(header);
  const payload = writePayload(
    Buffer.allocUnsafe(payloadBound(content.byteLength, 0)),
    content,
    [],
    compression,
  );
  const sealed = keys
    .sealFor('index', header.keyEpoch, header.salt)
    .seal(RECORD_NONCE, [headerBytes], payload);
  const stored = Buffer.concat([headerBytes, ...sealed]);
  return { name: createHash('sha256').update(stored).digest('hex') as ObjectDigest, bytes: stored };
}

/** Opens a stored segment; rejects with FormatError or DamagedError. */
export function decodeSegment(stored: Uint8Array, name: string, keys: Keys, zstd: Zstd): IndexSegment {
  const object = `index/${name}`;
  if (createHash('sha256').update(stored).digest('hex') !== name) {
    throw new DamagedError(object, 'its bytes are not those that were written (SHA-256 differs)');
  }
  const header = decodeHeader(stored, 'index', keys.encrypted, object);
  if (header.kind !== SEGMENT_KIND) throw new FormatError(`${object}: kind ${header.kind}`);
  const headerBytes = stored.subarray(0, HEADER_BYTES);
  const seal = keys.sealFor('index', header.keyEpoch, header.salt);
  const payload = seal.open(RECORD_NONCE, [headerBytes], stored.subarray(HEADER_BYTES), object);
  const content = decode(segmentCodec, readPayload(payload, zstd, LIMITS.record, object).plain, object);
  const { count } = content;
  if (count > LIMITS.segmentChunks) throw new FormatError(`${object}: ${count} chunks`);
  if (content.ids.byteLength !== CHUNK_ID_BYTES * count) throw new FormatError(`${object}: torn id column`);
  const packs = content.packs.map((pack) => {
    const blocks = decodeBlocks(pack.blocks, object);
    const held = blocks.reduce((sum, block) => sum + block.chunks, 0);
    if (pack.size > LIMITS.pack || held > LIMITS.segmentChunks)
      throw new FormatError(`${object}: pack of ${pack.size} bytes and ${held} chunks`);
    return { name: toHex(pack.name) as ObjectDigest, kind: pack.kind, size: pack.size, blocks };
  });
  const chunks: ChunkColumns = {
    count,
    ids: asBuffer(content.ids),
    packs: column32(content.pack, count, object),
    blocks: column16(content.block, count, object),
    ordinals: column16(content.ordinal, count, object),
    lengths: column32(content.length, count, object),
  };
  checkColumns(chunks, packs, object);
  return { author: decodeAuthor(content.session, content.epoch, object), packs, chunks };
}
