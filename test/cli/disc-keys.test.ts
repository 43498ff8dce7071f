import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { place } from './run.js';

test('discs open with the password of their day, and together with either', async () => {
  const its = place();
  const withOld = { env: { CBR_PASSWORD: 'the old one' } };
  const withNew = { env: { CBR_PASSWORD: 'the new one' } };
  const fresh = join(its.root, 'new password');
  writeFileSync(fresh, 'the new one\n');
  const run = async (args: readonly string[], by: typeof withOld): Promise<number | null> =>
    (await its.run(args, by)).code;
  const build = ['disc', 'build', '--set', 'photos', '--media', '20MiB', '--content', 'new', '--out'];
  const [before, after] = [join(its.root, 'before'), join(its.root, 'after')];
  const sizes = ['--pack-size', '1MiB', '--block-size', '512KiB'];
  expect(await run(['init', ...sizes], withOld)).toBe(0);
  writeFileSync(join(its.source, 'one'), 'one');
  expect(await run(['snapshot', its.source], withOld)).toBe(0);
  expect(await run([...build, before], withOld)).toBe(0);
  expect(await run(['key', 'change', '--new-password-file', fresh], withOld)).toBe(0);
  writeFileSync(join(its.source, 'two'), 'two');
  expect(await run(['snapshot', its.source], withNew)).toBe(0);
  expect(await run([...build, after], withNew)).toBe(0);

  const opens = (folder: string, by: typeof withOld) => run(['-r', `disc:${folder}`, 'snapshots'], by);
  expect([await opens(before, withOld), await opens(before, withNew)]).toEqual([0, 12]);
  expect([await opens(after, withOld), await opens(after, withNew)]).toEqual([12, 0]);
  const both = join(its.root, 'both');
  mkdirSync(both);
  copyFileSync(join(before, 'CBR_PHOTOS_0001.iso'), join(both, '1.iso'));
  copyFileSync(join(after, 'CBR_PHOTOS_0002.iso'), join(both, '2.iso'));
  expect([await opens(both, withOld), await opens(both, withNew)]).toEqual([0, 0]);
});
