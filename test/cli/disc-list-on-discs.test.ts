import { cpSync, mkdirSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DISC_BYTES, discPlace, extracted } from './disc-place.js';

/** `cbr disc list` and `cbr disc missing`, read from discs: what was known when they were made. */

test('a disc says which others a restore needs, though its catalog is older than all of them', async () => {
  const { its, take, build, images } = await discPlace();
  await take(1, 60);
  await build('--media', String(DISC_BYTES));
  const count = images().length;
  expect(count).toBeGreaterThanOrEqual(3);
  const alone = join(its.root, 'alone');
  mkdirSync(alone);
  const last = join(alone, 'last.iso');
  renameSync(images().at(-1)!, last);
  const from = ['-r', `disc:${last}`];

  const missing = await its.json([...from, 'disc', 'missing', 'latest']);
  expect(missing.code).toBe(0);
  expect(missing.items.map(({ number }) => number)).toEqual(Array.from({ length: count }, (_, i) => i + 1));
  expect(missing.summary.sets).toMatchObject([{ set: 'photos', trees: true, missing: { packs: 0 } }]);

  const list = await its.json([...from, 'disc', 'list']);
  expect(list.items.map(({ state }) => state)).toEqual(Array(count).fill('built'));
  expect(list.problems.filter(({ code }) => code === 'assumed-built')).toMatchObject([
    { severity: 'note', message: expect.stringContaining('planned then') },
  ]);
});

test('in a folder to which discs were copied those of their labels count, and what is planned there later does not', async () => {
  const { its, take, build, images } = await discPlace();
  await take(1, 60);
  await build('--media', String(DISC_BYTES));
  const together = join(its.root, 'together');
  for (const [i, image] of images().entries())
    cpSync(extracted(image, join(its.root, `disc ${i}`)), together, { recursive: true });
  const states = async (set: string): Promise<unknown[]> =>
    (await its.json(['-r', together, 'disc', 'list', '--set', set])).items.map(({ state }) => state);
  expect(await states('photos')).toEqual(images().map(() => 'built'));
  expect((await its.run(['-r', together, 'disc', 'missing', 'latest'])).code).toBe(0);
  // Planned, and none of them made.
  const out = join(its.root, 'out');
  mkdirSync(join(out, 'CBR_OTHER_0001.iso'), { recursive: true });
  const args = ['disc', 'build', '--set', 'other', '--media', String(DISC_BYTES), '--out', out];
  expect((await its.run(['-r', together, ...args])).code).toBe(1);
  expect(new Set(await states('other'))).toEqual(new Set(['planned']));
  // Without a label it is a repository as any other.
  rmSync(join(together, 'disc.json'));
  expect(await states('photos')).toContain('planned');
});

test('a repository that lives on images does not say that there are no discs', async () => {
  const { its } = await discPlace();
  const location = `disc:${join(its.root, 'living')}`;
  const sizes = ['--block-size', '1MiB', '--pack-size', '1MiB'];
  await its.run(['-r', `${location}?media=${DISC_BYTES}`, 'init', '--no-encryption', ...sizes]);
  await its.run(['-r', location, 'snapshot', its.source]);
  const { code, stdout } = await its.run(['-r', location, 'disc', 'list']);
  expect(code).toBe(0);
  expect(stdout).toBe(
    'No discs were built from this repository. It lives on images itself, which are not listed here.\n',
  );
});
