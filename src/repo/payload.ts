import { ByteReader, FormatError, LIMITS } from '../core/index.js';
import type { Zstd } from './algorithms/zstd.js';

/**
 * What stands inside a seal (docs/format.md, "Payload"): codec, lengths, the chunk lengths of a block, then the content,
 * compressed where that makes it smaller, then zero padding if the repository pads.
 */

const CODEC_RAW = 0;
const CODEC_ZSTD = 1;
const FIXED_BYTES = 16;

export interface Compression {
  readonly zstd: Zstd;
  /** 0 stores raw. */
  readonly level: number;
  readonly pad: boolean;
}

/** Bytes needed at most for a payload of this content, with padding. */
export function payloadBound(plainBytes: number, chunks: number): number {
  return padme(FIXED_BYTES + 4 * chunks + plainBytes);
}

/**
 * Padmé (Nikitin et al., PETs 2019): rounds a length up so that it leaks only its magnitude, at most 12 % longer and
 * far less for large ones.
 */
export function padme(length: number): number {
  if (length < 2) return length;
  const exponent = Math.floor(Math.log2(length));
  const bits = Math.floor(Math.log2(exponent)) + 1;
  const unit = 2 ** Math.max(0, exponent - bits);
  return Math.ceil(length / unit) * unit;
}

/** Writes the payload of `plain` to the start of `into` (at least payloadBound bytes) and returns the part used. */
export function writePayload(
  into: Buffer,
  plain: Uint8Array,
  chunkLengths: ArrayLike<number>,
  compression: Compression,
): Buffer {
  const chunks = chunkLengths.length;
  const start = FIXED_BYTES + 4 * chunks;
  const room = into.subarray(start, start + plain.byteLength);
  let size = compression.level === 0 ? 0 : compression.zstd.compress(plain, room, compression.level);
  let codec = CODEC_ZSTD;
  if (size === 0 || size >= plain.byteLength) {
    codec = CODEC_RAW;
    room.set(plain);
    size = plain.byteLength;
  }
  into.fill(0, 0, 4);
  into[0] = codec;
  into.writeUInt32LE(plain.byteLength, 4);
  into.writeUInt32LE(size, 8);
  into.writeUInt32LE(chunks, 12);
  for (let i = 0; i < chunks; i++) into.writeUInt32LE(chunkLengths[i]!, FIXED_BYTES + 4 * i);
  const end = start + size;
  const padded = compression.pad ? padme(end) : end;
  into.fill(0, end, padded);
  return into.subarray(0, padded);
}

export interface Payload {
  /** Plain lengths of the chunks, in order; empty for what is no block. */
  readonly chunkLengths: readonly number[];
  readonly plain: Uint8Array;
}

/**
 * Reads a payload from untrusted bytes. `mostPlain` bounds what is allocated; `into`, if it is large enough, receives the
 * plain bytes. Rejects with FormatError naming `subject`.
 */
export function readPayload(
  bytes: Uint8Array,
  zstd: Zstd,
  mostPlain: number,
  subject: string,
  into?: Uint8Array,
): Payload {
  const reader = new ByteReader(bytes, subject);
  const codec = reader.u8();
  if (reader.u8() !== 0 || reader.u16() !== 0) reader.fail('reserved bytes are not zero');
  const plainLength = reader.u32();
  const size = reader.u32();
  const chunks = reader.u32();
  if (plainLength > mostPlain) reader.fail(`${plainLength} plain bytes, at most ${mostPlain} allowed`);
  if (chunks > LIMITS.blockChunks) reader.fail(`${chunks} chunks, at most ${LIMITS.blockChunks} allowed`);
  if (4 * chunks + size > reader.remaining) reader.fail('shorter than it says');
  const chunkLengths: number[] = [];
  let sum = 0;
  for (let i = 0; i < chunks; i++) {
    const length = reader.u32();
    if (length < 1 || length > LIMITS.chunk) reader.fail(`chunk of ${length} bytes`);
    chunkLengths.push(length);
    sum += length;
  }
  if (chunks > 0 && sum !== plainLength) reader.fail(`chunks of ${sum} bytes in a block of ${plainLength}`);
  const content = reader.take(size);
  const padding = reader.take(reader.remaining);
  for (let i = 0; i < padding.byteLength; i++) if (padding[i] !== 0) reader.fail('padding is not zero');
  if (codec === CODEC_RAW) {
    if (size !== plainLength) reader.fail('raw content of another length');
    return { chunkLengths, plain: content };
  }
  if (codec !== CODEC_ZSTD) throw new FormatError(`${subject}: codec ${codec}`);
  const plain =
    into !== undefined && into.byteLength >= plainLength
      ? into.subarray(0, plainLength)
      : Buffer.allocUnsafeSlow(plainLength);
  try {
    zstd.decompress(content, plain);
  } catch (error) {
    throw new FormatError(`${subject}: ${error instanceof Error ? error.message : String(error)}`, {
      cause: error,
    });
  }
  return { chunkLengths, plain };
}
