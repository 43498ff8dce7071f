import { expect, onTestFinished, test } from 'vitest';
import { namesOf, rejection, sampleBytes, scratchFolders, sha256 } from '../backends/scratch.js';
import { startStoreProxy } from '../servers/store-proxy.mjs';
import { gateway, hastyBackend, prefixes, useOwner } from './s3-subject.js';

const OBJECTS = ['0', '1', '2', '3', '4', '5'];
const BYTES = 300_000;
const PER_SECOND = 600_000;

const newFolder = scratchFolders();
const locationOf = prefixes(gateway);

test('a limit holds requests back for longer than a silent one is waited for, and is kept', async () => {
  useOwner(gateway);
  const folder = await newFolder();
  const location = await locationOf(folder);
  const limits = { limitUpload: PER_SECOND, limitDownload: PER_SECOND };
  const backend = await hastyBackend(location, folder, { stallMs: 1200, limits, attempts: 1 });
  const begun = performance.now();
  await Promise.all(OBJECTS.map((name) => backend.write('index', name, sampleBytes(BYTES, Number(name)))));
  const written = performance.now();
  await Promise.all(
    OBJECTS.map(async (name) => {
      expect(sampleBytes(BYTES, Number(name)).equals(await backend.read('index', name))).toBe(true);
    }),
  );
  const least = 1000 * ((OBJECTS.length * BYTES) / PER_SECOND - 0.5);
  expect(written - begun).toBeGreaterThan(least);
  expect(performance.now() - written).toBeGreaterThan(least);
  await backend.close();
});

test('waiting for a free connection is no silence of the store, and can be aborted', async () => {
  useOwner(gateway);
  const proxy = await startStoreProxy(gateway.endpoint, { requestLatency: 800 });
  onTestFinished(() => proxy.close());
  const folder = await newFolder();
  const location = await locationOf(folder, proxy.endpoint);
  const backend = await hastyBackend(location, folder, { stallMs: 1500, connections: 2, attempts: 1 });
  const aborting = new AbortController();
  const writes = OBJECTS.map((name) => backend.write('index', name, Buffer.from(name)));
  const reason = new Error('the user said so');
  const aborted = rejection(backend.write('index', 'last', Buffer.from('last'), { signal: aborting.signal }));
  setTimeout(() => aborting.abort(reason), 100);
  expect(await aborted).toBe(reason);
  await Promise.all(writes);
  expect(await namesOf(backend, 'index')).toEqual(OBJECTS);
  await backend.close();
});

const HEARTBEAT = `${'ab'.repeat(16)}/1`;

test('with one connection, a heartbeat does not wait for packs', async () => {
  useOwner(gateway);
  const proxy = await startStoreProxy(gateway.endpoint, {
    faults: ({ path }) => (path.includes('/packs/') ? { kind: 'silence' } : undefined),
  });
  onTestFinished(() => proxy.close());
  const folder = await newFolder();
  const location = await locationOf(folder, proxy.endpoint);
  const backend = await hastyBackend(location, folder, { stallMs: 60_000, connections: 1, attempts: 1 });
  const { signal, ...aborting } = abortable();
  const packs = [1, 2, 3].map((seed) => {
    const bytes = sampleBytes(BYTES, seed);
    return rejection(backend.write('packs', sha256(bytes), bytes, { signal }));
  });
  await backend.write('sessions', HEARTBEAT, Buffer.from('alive'));
  expect(await namesOf(backend, 'sessions')).toEqual([HEARTBEAT]);
  aborting.abort();
  await Promise.all(packs);
  await backend.close();
});

test('a heartbeat does not wait for the packs that a limit holds back', async () => {
  useOwner(gateway);
  const folder = await newFolder();
  const location = await locationOf(folder);
  const backend = await hastyBackend(location, folder, { limits: { limitUpload: 1000 }, attempts: 1 });
  const { signal, ...aborting } = abortable();
  const bytes = sampleBytes(BYTES, 1);
  const pack = rejection(backend.write('packs', sha256(bytes), bytes, { signal }));
  // Two, since nothing says that the pack began before the first.
  for (const number of ['1', '2'])
    await backend.write('sessions', `${'ab'.repeat(16)}/${number}`, bytes.subarray(0, 200));
  expect(await namesOf(backend, 'packs')).toEqual([]);
  aborting.abort();
  await pack;
  await backend.close();
});

function abortable(): { readonly signal: AbortSignal; abort(): void } {
  const aborting = new AbortController();
  return { signal: aborting.signal, abort: () => aborting.abort(new Error('enough was seen')) };
}
