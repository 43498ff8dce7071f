import { expect, test } from 'vitest';
import { type Backend, forwardTo, MemoryBackend, type ObjectKind } from '../../dist/backends/index.js';
import { withDigest } from '../../dist/repo/index.js';
import { withSecondRead } from '../../dist/repo/second-read.js';
import { conformance } from '../backends/conformance.js';
import { sampleBytes, sha256 } from '../backends/scratch.js';

conformance('memory with second reads', async () => withSecondRead(new MemoryBackend()));

/** Its first reads, so many of them, bring one other bit. */
function withBadReads(inner: Backend, count: number): { backend: Backend; reads: () => number } {
  let reads = 0;
  const backend: Backend = {
    ...forwardTo(inner),
    read: async (...call) => {
      const bytes = await inner.read(...call);
      if (++reads <= count) bytes[bytes.length >> 1]! ^= 1;
      return bytes;
    },
  };
  return { backend, reads: () => reads };
}

const PACK = sampleBytes(1000, 1);
const RECORD = withDigest([sampleBytes(100, 2)]);
const OBJECTS: readonly (readonly [ObjectKind, string, Buffer])[] = [
  ['packs', sha256(PACK), PACK],
  ['index', sha256(PACK), PACK],
  ['snapshots', '0123456789abcdef0123456789abcdef', RECORD],
  ['leases', 'prune/1', RECORD],
];

test.each(OBJECTS)('%s: read once more when it is not what it says', async (kind, name, bytes) => {
  const medium = new MemoryBackend();
  await medium.write(kind, name, bytes);
  const read = async (bad: number) => {
    const { backend, reads } = withBadReads(medium, bad);
    const found = await withSecondRead(backend).read(kind, name);
    return { isRight: bytes.equals(found), reads: reads() };
  };
  expect(await read(0)).toEqual({ isRight: true, reads: 1 });
  expect(await read(1)).toEqual({ isRight: true, reads: 2 });
  // The caller has its own digests.
  expect(await read(2)).toEqual({ isRight: false, reads: 2 });
});
