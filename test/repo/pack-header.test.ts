import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { type Backend, forwardTo, MemoryBackend } from '../../dist/backends/index.js';
import type { ChunkId } from '../../dist/core/index.js';
import { ChunkReader, type PackSummary } from '../../dist/repo/index.js';
import { algorithms, noise, packsOf, plainKeys, scratchFolder } from './parts.js';

/** What a reader does to have the header of a pack. */

const folder = scratchFolder();
const chunk = noise(20_000, 'content');
const [{ summary, path }] = packsOf(folder, plainKeys, 'data', [chunk]) as [ReturnType<typeof packsOf>[0]];
const stored = readFileSync(path);
const id = plainKeys.chunkIds('data').digest(chunk).toString('latin1') as ChunkId;

async function readerOf(bytes: Uint8Array | undefined) {
  const medium = new MemoryBackend();
  if (bytes !== undefined) await medium.write('packs', summary.name, bytes);
  let reads = 0;
  const backend: Backend = {
    ...forwardTo(medium),
    read: (...call) => {
      reads++;
      return medium.read(...call);
    },
  };
  const place = { pack: 0, block: 0, ordinal: 0 };
  const places = {
    lookup: () => place,
    places: () => [place],
    pack: (): PackSummary => summary,
  };
  const reader = new ChunkReader(backend, plainKeys, algorithms, places, async () => false);
  return { reader, reads: () => reads };
}

test('a pack that is gone is asked for no more often than it has to be', async () => {
  const { reader, reads } = await readerOf(undefined);
  await expect(reader.read('data', id, chunk.length)).rejects.toMatchObject({ code: 'object-not-found' });
  // What fails is read a second time.
  expect(reads()).toBe(2);
});

test('what a pack begins with is not taken for its header again once it was in doubt', async () => {
  const hurt = Buffer.from(stored);
  hurt[40]! ^= 1;
  const { reader } = await readerOf(hurt);
  reader.offerHeader(summary.name, hurt);
  reader.forgetHeader(summary);
  reader.offerHeader(summary.name, hurt);
  expect(Buffer.from(await reader.headerBytes(summary)).equals(stored.subarray(0, 56))).toBe(true);
  expect(Buffer.from(await reader.read('data', id, chunk.length)).equals(chunk)).toBe(true);
});
