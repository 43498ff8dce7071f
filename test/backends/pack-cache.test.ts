import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, expect, test } from 'vitest';
import { type Backend, MemoryBackend, withPackCache, withTraffic } from '../../dist/backends/index.js';
import { ObjectNotFoundError } from '../../dist/core/index.js';
import { conformance } from './conformance.js';
import { rejection, sampleBytes, scratchFolders, sha256 } from './scratch.js';

const MIB = 2 ** 20;
const now = () => 0;
const newFolder = scratchFolders();

conformance('memory with a cache of packs', async (folder) =>
  withPackCache(new MemoryBackend(), { folder: join(folder, 'packs'), mostBytes: 64 * MIB, now }),
);

const bytes = sampleBytes(10 * MIB + 17, 1);
const pack = sha256(bytes);
let folder: string;
let inner: Backend & {
  readonly traffic: { readonly read: { readonly calls: number; readonly bytes: number } };
};

beforeEach(async () => {
  folder = join(await newFolder(), 'packs');
  inner = withTraffic(new MemoryBackend());
  await inner.write('packs', pack, bytes);
});

function cached(mostBytes = 64 * MIB): Backend {
  return withPackCache(inner, { folder, mostBytes, now });
}

async function read(from: Backend, offset: number, length: number, renew = false): Promise<void> {
  const keep = { size: bytes.length, renew };
  const found = await from.read('packs', pack, { offset, length }, { keep });
  expect(bytes.subarray(offset, offset + length).equals(found)).toBe(true);
  // What is read belongs to the caller.
  found.fill(0);
}

test('what is kept is fetched once, with what follows, also for the next process', async () => {
  const first = cached();
  await read(first, 0, 100);
  await read(first, 100, 3 * MIB);
  await read(first, 4 * MIB - 1, 1);
  expect(inner.traffic.read).toMatchObject({ calls: 1, bytes: 4 * MIB });
  const second = cached();
  await read(second, 0, 4 * MIB);
  expect(inner.traffic.read.calls).toBe(1);
  await read(second, bytes.length - 17, 17);
  expect(inner.traffic.read).toMatchObject({ calls: 2, bytes: 4 * MIB + 17 });
  await second.read('packs', pack, { offset: 0, length: 100 });
  expect(inner.traffic.read.calls).toBe(3);
});

test('many at the same time cause no more fetches', async () => {
  const its = cached();
  await Promise.all(Array.from({ length: 20 }, (_, i) => read(its, i * 1000, 1000)));
  expect(inner.traffic.read.calls).toBe(1);
});

test('what was damaged in the folder, or is said to be wrong, is fetched again', async () => {
  await read(cached(), 0, 100);
  const path = join(folder, pack, '0');
  const stored = readFileSync(path);
  stored[50]! ^= 1;
  writeFileSync(path, stored);
  await read(cached(), 0, 100);
  expect(inner.traffic.read.calls).toBe(2);
  await read(cached(), 0, 100);
  expect(inner.traffic.read.calls).toBe(2);
  await read(cached(), 0, 100, true);
  expect(inner.traffic.read.calls).toBe(3);
});

test('packs of trees that are written are kept, packs of content are not', async () => {
  for (const isCold of [true, false]) {
    const content = sampleBytes(MIB + 5, isCold ? 2 : 3);
    const name = sha256(content);
    const its = cached();
    await its.write('packs', name, content, { isCold });
    const before = inner.traffic.read.calls;
    await its.read('packs', name, { offset: 3, length: MIB }, { keep: { size: content.length } });
    expect(inner.traffic.read.calls - before).toBe(isCold ? 1 : 0);
  }
});

test('a pack that is removed is not there, whatever was kept of it', async () => {
  const its = cached();
  await read(its, 0, 100);
  await its.remove('packs', pack);
  const keep = { size: bytes.length };
  expect(await rejection(its.read('packs', pack, { offset: 0, length: 100 }, { keep }))).toBeInstanceOf(
    ObjectNotFoundError,
  );
  expect(readdirSync(folder)).toEqual([]);
});

test('the folder is bounded', async () => {
  const its = cached(3 * MIB);
  for (let offset = 0; offset < bytes.length; offset += MIB) {
    await read(its, offset, Math.min(MIB, bytes.length - offset));
  }
  const files = readdirSync(join(folder, pack)).map((name) => readFileSync(join(folder, pack, name)).length);
  const total = files.reduce((sum, size) => sum + size, 0);
  expect(total).toBeLessThanOrEqual(3 * MIB + MIB);
  expect(total).toBeGreaterThan(0);
});

test('a folder that cannot be made keeps nothing', async () => {
  writeFileSync(join(folder, '..', 'file'), '');
  folder = join(folder, '..', 'file', 'packs');
  const its = cached();
  await read(its, 0, 100);
  await read(cached(), 0, 100);
  expect(inner.traffic.read.calls).toBe(2);
});
