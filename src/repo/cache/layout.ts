import { crc32 } from 'node:zlib';
import { type ObjectDigest, type SessionId, toHex } from '../../core/index.js';
import type { Author, BlockSummary, PackKind, PackSummary } from '../index-segment.js';

/**
 * The bytes of the cache's keys and values. Numbers in values are little endian; in keys big endian, so that they sort.
 * All values but places and numbers of packs start with the CRC32 of the rest and of their key: places and the keys they
 * stand under are checked against the record of their pack instead.
 */

/** Raised with every change of these layouts: a cache of another number is rebuilt. */
export const CACHE_SCHEMA = 2;

/** Chunks are looked up by the first bytes of their id; 160 bits never collide by accident. */
export const CHUNK_KEY_BYTES = 20;
export const PLACE_BYTES = 8;
export const DIGEST_BYTES = 32;
/** A row: the key of a chunk and its place. */
export const ROW_BYTES = CHUNK_KEY_BYTES + PLACE_BYTES;

/** The name, among the cache's own values, of what a killed process left to be finished. */
export const UNFINISHED = 'unfinished';
/** The index is being built: pack records stand, and not all of their rows. */
export const REBUILD = 'rebuild';

/** Where a chunk is. */
export interface ChunkPlace {
  readonly pack: number;
  readonly block: number;
  /** Position within the block. */
  readonly ordinal: number;
}

/** What some rows of one pack, each counted once, come to. */
export interface RowTally {
  readonly rows: number;
  /** Of the hashes of the rows, modulo 2^32 (see RowTallies). */
  readonly sum: number;
}

export interface CachedPack extends PackSummary {
  readonly number: number;
  /** Numbers of the segments that name it; it counts when one of them does. */
  readonly segments: readonly number[];
  /** Every chunk place of the repository has its own number: this is that of the pack's first chunk. */
  readonly firstChunk: number;
  /** For every block the position, within the pack, of its first chunk. */
  readonly blockStarts: Uint32Array;
  /** All rows of the pack in `chunks` and `copies`. */
  readonly tally: RowTally;
}

export interface CachedSegment {
  readonly number: number;
  readonly author: Author;
}

/** Numbers that are never given twice, and the stored bytes of all packs. */
export interface Counters {
  readonly nextPack: number;
  readonly nextSegment: number;
  readonly nextChunk: number;
  readonly packBytes: number;
}

export function writePlace(into: Buffer, pack: number, block: number, ordinal: number): void {
  into.writeUInt32LE(pack, 0);
  into.writeUInt16LE(block, 4);
  into.writeUInt16LE(ordinal, 6);
}

export function packOf(place: Uint8Array): number {
  return (place[0]! | (place[1]! << 8) | (place[2]! << 16) | (place[3]! << 24)) >>> 0;
}

export function readPlace(place: Uint8Array): ChunkPlace {
  return { pack: packOf(place), block: place[4]! | (place[5]! << 8), ordinal: place[6]! | (place[7]! << 8) };
}

const CHECK_BYTES = 4;

/** Of a value and of the key that it stands under, so that it counts under no other. */
export function checksumOf(key: Uint8Array, value: Uint8Array): number {
  return crc32(key, crc32(value));
}

/** The value with its checksum in front. */
export function checked(key: Uint8Array, value: Uint8Array): Buffer {
  const result = Buffer.allocUnsafe(CHECK_BYTES + value.byteLength);
  result.set(value, CHECK_BYTES);
  result.writeUInt32LE(checksumOf(key, value), 0);
  return result;
}

/** A view of the value behind its checksum, or undefined if it is not that of the key and the value. */
export function unchecked(key: Uint8Array, stored: Uint8Array): Buffer | undefined {
  if (stored.byteLength < CHECK_BYTES) return undefined;
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const value = bytes.subarray(CHECK_BYTES);
  return checksumOf(key, value) === bytes.readUInt32LE(0) ? value : undefined;
}

export function u32Key(number: number): Buffer {
  const key = Buffer.allocUnsafe(4);
  key.writeUInt32BE(number);
  return key;
}

export function digestKey(name: ObjectDigest): Buffer {
  return Buffer.from(name, 'hex');
}

export function digestOf(key: Uint8Array): ObjectDigest {
  return toHex(key) as ObjectDigest;
}

/** Text keys: a namespace and a name. */
export function textKey(namespace: string, name: string): Buffer {
  return Buffer.from(`${namespace}\0${name}`);
}

export function directoryKey(root: number, directory: Uint8Array): Buffer {
  return Buffer.concat([u32Key(root), directory]);
}

const PACK_KINDS: readonly PackKind[] = ['data', 'tree'];
const PACK_HEAD = 32 + 1 + 6 + 6 + 4 + 4 + 2 + 2;
const BLOCK_ROW = 10;

export type StoredPack = Omit<CachedPack, 'number' | 'blockStarts'>;

/**
 * name 32 · kind u8 · size u48 · first chunk u48 · rows u32 · sum of rows u32 · segments u16 · blocks u16 · u32 a segment ·
 * (stored u32, plain u32, chunks u16) a block.
 */
export function encodePack(number: number, pack: StoredPack): Buffer {
  const { segments, blocks } = pack;
  const bytes = Buffer.allocUnsafe(PACK_HEAD + 4 * segments.length + BLOCK_ROW * blocks.length);
  bytes.write(pack.name, 0, 32, 'hex');
  bytes.writeUInt8(PACK_KINDS.indexOf(pack.kind), 32);
  bytes.writeUIntLE(pack.size, 33, 6);
  bytes.writeUIntLE(pack.firstChunk, 39, 6);
  bytes.writeUInt32LE(pack.tally.rows, 45);
  bytes.writeUInt32LE(pack.tally.sum, 49);
  bytes.writeUInt16LE(segments.length, 53);
  bytes.writeUInt16LE(blocks.length, 55);
  let at = PACK_HEAD;
  for (const segment of segments) at = bytes.writeUInt32LE(segment, at);
  for (const block of blocks) {
    at = bytes.writeUInt32LE(block.stored, at);
    at = bytes.writeUInt32LE(block.plain, at);
    at = bytes.writeUInt16LE(block.chunks, at);
  }
  return checked(u32Key(number), bytes);
}

export function decodePack(number: number, stored: Uint8Array): CachedPack | undefined {
  const bytes = unchecked(u32Key(number), stored);
  if (bytes === undefined || bytes.length < PACK_HEAD) return undefined;
  const kind = PACK_KINDS[bytes.readUInt8(32)];
  const segmentCount = bytes.readUInt16LE(53);
  const blockCount = bytes.readUInt16LE(55);
  if (kind === undefined || bytes.length !== PACK_HEAD + 4 * segmentCount + BLOCK_ROW * blockCount) {
    return undefined;
  }
  const segments = Array.from({ length: segmentCount }, (_, i) => bytes.readUInt32LE(PACK_HEAD + 4 * i));
  const blocks: BlockSummary[] = [];
  const blockStarts = new Uint32Array(blockCount);
  let start = 0;
  for (let i = 0, at = PACK_HEAD + 4 * segmentCount; i < blockCount; i++, at += BLOCK_ROW) {
    const chunks = bytes.readUInt16LE(at + 8);
    blocks.push({ stored: bytes.readUInt32LE(at), plain: bytes.readUInt32LE(at + 4), chunks });
    blockStarts[i] = start;
    start += chunks;
  }
  const name = bytes.toString('hex', 0, 32) as ObjectDigest;
  const [size, firstChunk] = [bytes.readUIntLE(33, 6), bytes.readUIntLE(39, 6)];
  const tally: RowTally = { rows: bytes.readUInt32LE(45), sum: bytes.readUInt32LE(49) };
  return { number, name, kind, size, segments, blocks, firstChunk, blockStarts, tally };
}

/** Name and stored bytes of a pack, without the rest of its record. */
export function packSize(
  key: Uint8Array,
  stored: Uint8Array,
): { readonly name: ObjectDigest; readonly size: number } | undefined {
  const bytes = unchecked(key, stored);
  if (bytes === undefined || bytes.length < PACK_HEAD) return undefined;
  return { name: bytes.toString('hex', 0, 32) as ObjectDigest, size: bytes.readUIntLE(33, 6) };
}

export function chunksOf(pack: PackSummary): number {
  return pack.blocks.reduce((sum, block) => sum + block.chunks, 0);
}

/** number u32 · kind u8 · session 16 or epoch u48. `key` is that of its name. */
export function encodeSegment(key: Uint8Array, { number, author }: CachedSegment): Buffer {
  const bytes = Buffer.alloc(21);
  bytes.writeUInt32LE(number, 0);
  bytes.writeUInt8(author.kind === 'session' ? 0 : 1, 4);
  if (author.kind === 'session') bytes.write(author.session, 5, 16, 'hex');
  else bytes.writeUIntLE(author.epoch, 5, 6);
  return checked(key, bytes);
}

export function decodeSegment(key: Uint8Array, stored: Uint8Array): CachedSegment | undefined {
  const bytes = unchecked(key, stored);
  if (bytes?.length !== 21) return undefined;
  const author: Author =
    bytes.readUInt8(4) === 0
      ? { kind: 'session', session: bytes.toString('hex', 5, 21) as SessionId }
      : { kind: 'prune', epoch: bytes.readUIntLE(5, 6) };
  return { number: bytes.readUInt32LE(0), author };
}

export function encodeCounters(counters: Counters): Buffer {
  const bytes = Buffer.alloc(24);
  [counters.nextPack, counters.nextSegment, counters.nextChunk, counters.packBytes].forEach((value, i) => {
    bytes.writeUIntLE(value, 6 * i, 6);
  });
  return bytes;
}

export function decodeCounters(bytes: Uint8Array | undefined): Counters {
  if (bytes === undefined) return { nextPack: 1, nextSegment: 1, nextChunk: 0, packBytes: 0 };
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const [nextPack, nextSegment, nextChunk, packBytes] = [0, 6, 12, 18].map((at) => view.readUIntLE(at, 6));
  return { nextPack: nextPack!, nextSegment: nextSegment!, nextChunk: nextChunk!, packBytes: packBytes! };
}

/** Whether the pack has such a place. */
export function liesIn(place: ChunkPlace, pack: PackSummary): boolean {
  const block = pack.blocks[place.block];
  return block !== undefined && place.ordinal < block.chunks;
}
