import { crc32 } from 'node:zlib';
import { type ObjectDigest, type SessionId, toHex } from '../../core/index.js';
import type { Author, BlockSummary, PackKind, PackSummary } from '../index-segment.js';

/**
 * The bytes of the cache's keys and values. Numbers in values are little endian; in keys big endian, so that they sort.
 * All values but places start with the CRC32 of the rest: a place is checked against its pack instead.
 */

/** Raised with every change of these layouts: a cache of another number is rebuilt. */
export const CACHE_SCHEMA = 1;

/** Chunks are looked up by the first bytes of their id; 160 bits never collide by accident. */
export const CHUNK_KEY_BYTES = 20;
export const PLACE_BYTES = 8;
export const DIGEST_BYTES = 32;

/** Where a chunk is. */
export interface ChunkPlace {
  readonly pack: number;
  readonly block: number;
  /** Position within the block. */
  readonly ordinal: number;
}

export interface CachedPack extends PackSummary {
  readonly number: number;
  /** Numbers of the segments that name it; it counts when one of them does. */
  readonly segments: readonly number[];
  /** Every chunk place of the repository has its own number: this is that of the pack's first chunk. */
  readonly firstChunk: number;
  /** For every block the position, within the pack, of its first chunk. */
  readonly blockStarts: Uint32Array;
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

/** The value with its checksum in front. */
export function checked(value: Uint8Array): Buffer {
  const result = Buffer.allocUnsafe(CHECK_BYTES + value.byteLength);
  result.set(value, CHECK_BYTES);
  result.writeUInt32LE(crc32(value), 0);
  return result;
}

/** A view of the value behind its checksum, or undefined if the two do not belong together. */
export function unchecked(stored: Uint8Array): Buffer | undefined {
  if (stored.byteLength < CHECK_BYTES) return undefined;
  const bytes = Buffer.from(stored.buffer, stored.byteOffset, stored.byteLength);
  const value = bytes.subarray(CHECK_BYTES);
  return crc32(value) === bytes.readUInt32LE(0) ? value : undefined;
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
const PACK_HEAD = 32 + 1 + 6 + 6 + 2 + 2;
const BLOCK_ROW = 10;

export type StoredPack = Omit<CachedPack, 'number' | 'blockStarts'>;

/** name 32 · kind u8 · size u48 · first chunk u48 · segments u16 · blocks u16 · u32 a segment · (stored u32, plain u32, chunks u16) a block. */
export function encodePack(pack: StoredPack): Buffer {
  const { segments, blocks } = pack;
  const bytes = Buffer.allocUnsafe(PACK_HEAD + 4 * segments.length + BLOCK_ROW * blocks.length);
  bytes.write(pack.name, 0, 32, 'hex');
  bytes.writeUInt8(PACK_KINDS.indexOf(pack.kind), 32);
  bytes.writeUIntLE(pack.size, 33, 6);
  bytes.writeUIntLE(pack.firstChunk, 39, 6);
  bytes.writeUInt16LE(segments.length, 45);
  bytes.writeUInt16LE(blocks.length, 47);
  let at = PACK_HEAD;
  for (const segment of segments) at = bytes.writeUInt32LE(segment, at);
  for (const block of blocks) {
    at = bytes.writeUInt32LE(block.stored, at);
    at = bytes.writeUInt32LE(block.plain, at);
    at = bytes.writeUInt16LE(block.chunks, at);
  }
  return checked(bytes);
}

export function decodePack(number: number, stored: Uint8Array): CachedPack | undefined {
  const bytes = unchecked(stored);
  if (bytes === undefined || bytes.length < PACK_HEAD) return undefined;
  const kind = PACK_KINDS[bytes.readUInt8(32)];
  const segmentCount = bytes.readUInt16LE(45);
  const blockCount = bytes.readUInt16LE(47);
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
  return { number, name, kind, size, segments, blocks, firstChunk, blockStarts };
}

export function chunksOf(pack: PackSummary): number {
  return pack.blocks.reduce((sum, block) => sum + block.chunks, 0);
}

/** number u32 · kind u8 · session 16 or epoch u48. */
export function encodeSegment({ number, author }: CachedSegment): Buffer {
  const bytes = Buffer.alloc(21);
  bytes.writeUInt32LE(number, 0);
  bytes.writeUInt8(author.kind === 'session' ? 0 : 1, 4);
  if (author.kind === 'session') bytes.write(author.session, 5, 16, 'hex');
  else bytes.writeUIntLE(author.epoch, 5, 6);
  return checked(bytes);
}

export function decodeSegment(stored: Uint8Array): CachedSegment | undefined {
  const bytes = unchecked(stored);
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
