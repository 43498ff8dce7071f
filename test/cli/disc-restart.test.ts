import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DISC_BYTES, discPlace } from './disc-place.js';

/** `cbr disc build` of discs that were planned before: what is refused costs nothing. */

/** Discs that are planned with a cushion of 5 and not made: the folder for them is a file. */
async function begun() {
  const it = await discPlace();
  await it.take(1, 30);
  const file = join(it.its.root, 'file');
  writeFileSync(file, '');
  const args = ['--media', String(DISC_BYTES), '--cushion', '5', '--out', file];
  expect((await it.its.run(['disc', 'build', '--set', 'photos', ...args])).code).toBe(1);
  const states = async () => (await it.its.json(['disc', 'list'])).items.map(({ state }) => state);
  const planned = await states();
  expect(planned.length).toBeGreaterThan(1);
  expect(new Set(planned)).toEqual(new Set(['planned']));
  return { ...it, states, planned };
}

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
