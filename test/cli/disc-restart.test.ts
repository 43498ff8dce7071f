import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DISC_BYTES, discPlace } from './disc-place.js';

/** `cbr disc build` of discs that were planned before: what is refused costs nothing. */

/** Discs that are planned with a cushion of 5 and not made: something else has the name of the first image. */
async function begun() {
  const it = await discPlace();
  await it.take(1, 30);
  const taken = join(it.its.root, 'taken');
  mkdirSync(taken);
  writeFileSync(join(taken, 'CBR_PHOTOS_0001.iso'), 'of mine');
  const args = ['--media', String(DISC_BYTES), '--cushion', '5', '--out', taken];
  expect((await it.its.run(['disc', 'build', '--set', 'photos', ...args])).code).toBe(1);
  const states = async () => (await it.its.json(['disc', 'list'])).items.map(({ state }) => state);
  const planned = await states();
  expect(planned.length).toBeGreaterThan(1);
  expect(new Set(planned)).toEqual(new Set(['planned']));
  return { ...it, states, planned };
}

test('where the folder cannot be made nothing is planned', async () => {
  const { its, take } = await discPlace();
  await take(1, 3);
  const file = join(its.root, 'file');
  writeFileSync(file, '');
  const run = await its.run(['disc', 'build', '--set', 'photos', '--media', '8MiB', '--out', file]);
  expect(run.code).toBe(1);
  expect(run.stderr).toContain(`cannot make the folder ${file}`);
  expect((await its.run(['disc', 'list'])).stdout).toBe('There are no discs yet.\n');
});

test('what a killed run has begun to write goes away, also when its discs are given up', async () => {
  const { build, out } = await begun();
  mkdirSync(out);
  const part = join(out, 'CBR_PHOTOS_0002.iso.part');
  writeFileSync(part, 'half of it');
  expect((await build('--restart', '--media', String(2 * DISC_BYTES))).code).toBe(0);
  expect(existsSync(part)).toBe(false);
});

test('a plan says when the next build goes on with other discs first', async () => {
  const { its } = await begun();
  const args = ['disc', 'plan', '--set', 'photos', '--media', String(DISC_BYTES)];
  const { stderr } = await its.run(args);
  expect(stderr).toContain('discs of photos were planned before and not all made: CBR_PHOTOS_0001');
});

test('a set that is not there is told when what is new is asked for', async () => {
  const { its, take, build } = await discPlace();
  await take(1, 3);
  await build('--media', String(DISC_BYTES));
  const args = ['--media', String(DISC_BYTES), '--content', 'new'];
  const other = await its.json(['disc', 'plan', '--set', 'photo', ...args]);
  expect(other.problems).toMatchObject([{ severity: 'note', code: 'new-set' }]);
  expect((await its.json(['disc', 'plan', '--set', 'photos', ...args])).problems).toEqual([]);
});

test('a restart that is refused gives nothing up', async () => {
  const { build, states, planned } = await begun();
  expect((await build('--restart')).code).toBe(2);
  expect(await states()).toEqual(planned);
  const media = ['--media', String(DISC_BYTES)];
  expect((await build('--restart', ...media, '--max-new', '1MiB')).code).toBe(1);
  expect((await build('--restart', '--media', '1MiB')).code).toBe(2);
  expect(await states()).toEqual(planned);
  // The new discs have all that those had which are given up.
  const { code, summary } = await build('--restart', ...media, '--content', 'new');
  expect(code).toBe(0);
  const made = (summary.discs as unknown[]).map(() => 'built');
  expect(made.length).toBeGreaterThan(0);
  expect(await states()).toEqual([...planned.map(() => 'retired'), ...made]);
});

test('another cushion than that of the plan is refused, with the media or without; the same one is not', async () => {
  const { build, states, planned } = await begun();
  const media = ['--media', String(DISC_BYTES)];
  for (const args of [
    ['--cushion', '6'],
    [...media, '--cushion', '1'],
  ]) {
    const { code, summary } = await build(...args);
    expect(code).toBe(2);
    expect(JSON.stringify(summary)).toContain('--cushion may not be what they were planned with');
  }
  expect(await states()).toEqual(planned);
  expect((await build(...media, '--cushion', '5')).code).toBe(0);
  expect(await states()).toEqual(planned.map(() => 'built'));
});
