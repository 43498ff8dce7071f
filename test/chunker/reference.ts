import { createCipheriv } from 'node:crypto';
import type { ChunkSizes } from '../../dist/chunker/index.js';

/** The 256 numbers of docs/format.md, "Cut points": an AES-256-CTR key stream of nothing but zeros, 31 bits each. */
const TABLE: readonly number[] = (() => {
  const stream = createCipheriv('aes-256-ctr', Buffer.alloc(32), Buffer.alloc(16)).update(Buffer.alloc(1024));
  return Array.from({ length: 256 }, (_, i) => stream.readUInt32BE(4 * i) & 0x7fffffff);
})();

/** The length of the first chunk of `bytes`, by the words of docs/format.md: slow, and independent of the WASM module. */
function firstChunk(bytes: Uint8Array, { min, target, max }: ChunkSizes): number {
  const size = Math.min(bytes.byteLength, max);
  if (size <= min) return size;
  const bits = Math.round(Math.log2(target));
  const hard = 2 ** (bits + 1) - 1;
  const easy = 2 ** (bits - 1) - 1;
  const normal = target - Math.min(target, min + Math.ceil(min / 2));
  let hash = 0;
  for (let at = min; at < size; at++) {
    hash = ((hash >>> 1) + TABLE[bytes[at]!]!) >>> 0;
    if ((hash & (at < normal ? hard : easy)) === 0) return at + 1;
  }
  return size;
}

/** The ends of all chunks of a whole file or extent. */
export function referenceCuts(bytes: Uint8Array, sizes: ChunkSizes): number[] {
  const ends: number[] = [];
  for (let start = 0; start < bytes.byteLength; ) {
    start += firstChunk(bytes.subarray(start), sizes);
    ends.push(start);
  }
  return ends;
}
