import { decompress } from 'fzstd';
import { Damage, messageOf } from './failure.js';

/** What is inside a seal: docs/format.md, "Payload". */

const MOST_CHUNKS = 65_535;
const MOST_CHUNK_BYTES = 8 * 2 ** 20;
/** Plain bytes of a block, and of everything else. */
const MOST_BYTES = { block: 16 * 2 ** 20, other: 64 * 2 ** 20 };

export interface Payload {
  readonly content: Buffer;
  /** Of a block; nothing elsewhere. */
  readonly chunkLengths: readonly number[];
}

/** Throws Damage for what is no payload of that sort. Checks every length before anything is allocated. */
export function parsePayload(bytes: Buffer, sort: 'block' | 'other'): Payload {
  if (bytes.length < 16) throw new Damage('a payload is cut short');
  const codec = bytes.readUInt8(0);
  const plainLength = bytes.readUInt32LE(4);
  const storedLength = bytes.readUInt32LE(8);
  const chunks = bytes.readUInt32LE(12);
  if (codec > 1 || bytes.readUIntLE(1, 3) !== 0) throw new Damage('a payload of an unknown codec');
  const hasRightCount = sort === 'block' ? chunks >= 1 && chunks <= MOST_CHUNKS : chunks === 0;
  if (!hasRightCount || plainLength > MOST_BYTES[sort]) throw new Damage('a payload beyond its limits');
  const begin = 16 + 4 * chunks;
  if (begin + storedLength > bytes.length) throw new Damage('a payload is cut short');
  const chunkLengths = lengthsOf(bytes, chunks, plainLength);
  if (bytes.subarray(begin + storedLength).some((byte) => byte !== 0)) {
    throw new Damage('padding that is not zero');
  }
  const stored = bytes.subarray(begin, begin + storedLength);
  if (codec === 1) return { content: unpack(stored, plainLength), chunkLengths };
  if (storedLength !== plainLength) throw new Damage('lengths of a payload that contradict each other');
  return { content: stored, chunkLengths };
}

function lengthsOf(bytes: Buffer, chunks: number, plainLength: number): number[] {
  const lengths = Array.from({ length: chunks }, (_, i) => bytes.readUInt32LE(16 + 4 * i));
  if (lengths.some((length) => length < 1 || length > MOST_CHUNK_BYTES)) {
    throw new Damage('a chunk beyond its limits');
  }
  if (chunks > 0 && lengths.reduce((sum, length) => sum + length, 0) !== plainLength) {
    throw new Damage('chunks that do not add up');
  }
  return lengths;
}

function unpack(frame: Buffer, plainLength: number): Buffer {
  checkFrame(frame, plainLength);
  const plain = Buffer.alloc(plainLength);
  try {
    decompress(frame, plain);
  } catch (error) {
    throw new Damage(`content that cannot be decompressed: ${messageOf(error)}`);
  }
  return plain;
}

/**
 * One frame of RFC 8878 that states its content size, uses no dictionary and ends where the content ends: the decoder would take
 * several of them, and more than there is room for.
 */
function checkFrame(frame: Buffer, plainLength: number): void {
  const refuse = (): never => {
    throw new Damage('content that is not a frame of zstd as it must be');
  };
  if (frame.length < 9 || frame.readUInt32LE(0) !== 0xfd2fb528) refuse();
  const descriptor = frame.readUInt8(4);
  const isSingleSegment = (descriptor & 0x20) !== 0;
  const sizeCode = descriptor >> 6;
  if ((descriptor & 0x0b) !== 0 || (sizeCode === 0 && !isSingleSegment)) refuse();
  let at = 5 + (isSingleSegment ? 0 : 1);
  const sizeBytes = ([1, 2, 4, 8] as const)[sizeCode] ?? refuse();
  if (at + sizeBytes > frame.length) refuse();
  const low = frame.readUIntLE(at, Math.min(sizeBytes, 6));
  if (low + (sizeBytes === 2 ? 256 : 0) !== plainLength) refuse();
  if (sizeBytes === 8 && frame.readUInt16LE(at + 6) !== 0) refuse();
  at += sizeBytes;
  for (let isLast = false; !isLast; ) {
    if (at + 3 > frame.length) refuse();
    const block = frame.readUIntLE(at, 3);
    isLast = (block & 1) === 1;
    at += 3 + (((block >> 1) & 3) === 1 ? 1 : block >> 3);
  }
  if (at + ((descriptor & 4) !== 0 ? 4 : 0) !== frame.length) refuse();
}
