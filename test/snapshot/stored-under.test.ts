import { renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { expect, test } from 'vitest';
import type { RawPath } from '../../dist/fs/index.js';
import type { TakeOptions } from '../../dist/snapshot/index.js';
import { excluding } from '../fs/rules.js';
import { randomContent } from './random-content.js';
import { scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { filled } from './taken-tree.js';
import { factsOf } from './tree-facts.js';

/** Sources that are stored under other paths, as those of a file-system snapshot are. */

const under = (from: string, path: string): Partial<TakeOptions> => ({
  storedUnder: [{ from: from as RawPath, path: path as RawPath }],
});

test('a folder under another path: record, tree and patterns', async () => {
  const its = await filled();
  const taken = await its.take({
    ...under(its.source, '/home/ann'),
    rules: excluding('/a/b', '/home/ann/a/fifo'),
  });
  expect(taken.problems).toEqual([]);
  expect(taken.items.every(({ path }) => path.startsWith('/home/ann/'))).toBe(true);
  expect((await its.snapshots())[0]!.about.paths).toEqual(['/home/ann']);
  const { target } = await its.restore(undefined, { path: '/home/ann' });
  const kept = Object.entries(factsOf(its.source)).filter(([path]) => !/^\.\/a\/(?:b|fifo)/.test(path));
  expect(factsOf(target)).toEqual(Object.fromEntries(kept));
});

test('the next one, read in another folder, is compared with it', async () => {
  const its = await scratchRepository();
  for (let i = 0; i < 20; i++) {
    writeFileSync(join(its.source, `${i}`), randomContent(i, 5000));
    await setTimeout(5);
  }
  // What changed last before a snapshot may have changed right after it.
  const first = await its.take(under(its.source, '/data'));
  const moved = join(its.root, 'mounted elsewhere');
  renameSync(its.source, moved);
  const listed = Array.from({ length: 20 }, (_, i) => join(moved, `${i}`) as RawPath);
  const second = await its.take({ ...under(moved, '/data'), paths: [moved] });
  expect(second.summary.parent).toBe(first.summary.snapshot);
  expect(second.summary.statistics).toMatchObject({ newFiles: 0, changedFiles: 0, newBytes: 0 });
  for (const round of ['full', 'incr']) {
    const by = await its.take({ ...under(moved, '/data'), paths: [], listed });
    expect(by.summary.level).toBe(round);
  }
  expect((await its.restore(undefined, { path: '/data' })).summary.lost).toBe(0);
});

test.for(['a folder', 'names in it'])('what changed in the last moment is read again: %s', async (what) => {
  const its = await scratchRepository();
  writeFileSync(join(its.source, 'old'), 'x');
  await setTimeout(50);
  writeFileSync(join(its.source, 'last'), 'before');
  const names = ['old', 'last'].map((name) => join(its.source, name) as RawPath);
  const sources = what === 'a folder' ? {} : { paths: [], listed: names };
  const options = { ...under(its.source, '/data'), ...sources, ignoreCtimes: true };
  await its.take(options);
  // Changed within the same step of the clock: nothing but its content differs.
  runScript(its.source, [
    'touch -r last ../t',
    'printf after- | dd of=last conv=notrunc 2>/dev/null',
    'touch -r ../t last',
  ]);
  const { items } = await its.take(options);
  expect(items.map(({ path, action }) => [path, action])).toContainEqual(['/data/last', 'changed']);
});

test('several, by the nearest folder above, files too', async () => {
  const its = await scratchRepository();
  runScript(its.source, [
    'mkdir -p home/ann etc',
    'echo 1 > home/ann/f',
    'echo 2 > etc/conf',
    'echo 3 > top',
  ]);
  const options: Partial<TakeOptions> = {
    paths: ['home', 'etc', 'top'].map((name) => join(its.source, name)),
    storedUnder: [
      { from: its.source as RawPath, path: '/' as RawPath },
      { from: join(its.source, 'etc') as RawPath, path: '/old/etc' as RawPath },
      { from: join(its.source, 'top') as RawPath, path: '/renamed' as RawPath },
    ],
  };
  const first = await its.take(options);
  expect((await its.snapshots())[0]!.about.paths).toEqual(['/home', '/old/etc', '/renamed']);
  const { target } = await its.restore(undefined, { path: '/' });
  const names = [
    '.',
    './home',
    './home/ann',
    './home/ann/f',
    './old',
    './old/etc',
    './old/etc/conf',
    './renamed',
  ];
  expect(Object.keys(factsOf(target)).sort()).toEqual(names);
  const second = await its.take(options);
  expect(second.summary.root).toBe(first.summary.root);
  const whole = await its.take(under(its.source, '/'));
  expect(whole.problems).toEqual([]);
  const root = await its.restore(undefined, { path: '/' });
  // The target itself stands for the root of the machine, of which nothing is set.
  expect({ ...factsOf(root.target), '.': '' }).toEqual({ ...factsOf(its.source), '.': '' });
});

test('names that cannot be meant are refused', async () => {
  const its = await filled();
  const take = (changes: Partial<TakeOptions>) => its.take(changes);
  const usage = (text: string) => ({ code: 'usage', message: expect.stringContaining(text) });
  await expect(take(under(join(its.root, 'other'), '/x'))).rejects.toMatchObject(usage('lies at or below'));
  const [a, empty] = [join(its.source, 'a'), join(its.source, 'empty')];
  const both = { paths: [a, empty], ...under(a, join(its.source, 'empty')) };
  await expect(take(both)).rejects.toMatchObject(usage('would be stored as'));
  const inside = { paths: [a, empty], ...under(a, join(its.source, 'empty/in')) };
  await expect(take(inside)).rejects.toMatchObject(usage('would be stored as'));
  const file = join(a, 'file 1');
  await expect(take({ paths: [file], ...under(file, '/') })).rejects.toMatchObject(usage('only a folder'));
});

test('an inner folder under a path of its own is no part of the outer one alone', async () => {
  const its = await filled();
  const inner = join(its.source, 'a/b');
  await its.take({ paths: [its.source, inner], ...under(inner, '/apart') });
  const restored = await its.restore(undefined, { path: '/apart' });
  expect(Object.keys(factsOf(restored.target))).toEqual(Object.keys(factsOf(inner)));
});
