import { expect, test } from 'vitest';
import { sampleBytes, scratchFolders } from '../backends/scratch.js';
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
