import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { FilterRules, RawPath } from '../../dist/fs/index.js';
import { excluding, patternRules, rulesWith } from '../fs/rules.js';
import { probeAbilities, tellMissing } from './abilities.js';
import { QUICK } from './places.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { factsOf } from './tree-facts.js';

/** Sources that meet each other: by links, mounts and each other's insides. */

const can = probeAbilities(QUICK);
tellMissing(can, 'Sources that meet');

/** Not left out in silence: see above. */
const testMounts = can.mounts ? test : undefined;

const SIZE = 300_000;

async function two(): Promise<Scratch> {
  const its = await scratchRepository();
  runScript(its.source, ['mkdir -p a/in b', 'echo b > b/own']);
  writeFileSync(join(its.source, 'a/in/file'), randomContent(1, SIZE));
  return its;
}

const namesIn = async (its: Scratch, path: string): Promise<string[]> =>
  Object.keys(factsOf((await its.restore(undefined, { path })).target)).sort();

test('one file under two names in two sources is read once, and is one file again', async () => {
  const its = await two();
  runScript(its.source, ['ln a/in/file b/other']);
  const paths = ['a', 'b'].map((name) => join(its.source, name));
  const { summary } = await its.take({ paths });
  expect(summary.statistics).toMatchObject({ files: 3, newBytes: SIZE + 2 });
  const { target } = await its.restore();
  expect(factsOf(target)).toEqual(factsOf(its.source));
});

test('a file in a folder that is named too, by way of a symlink, is not taken for stored with it', async () => {
  const its = await two();
  runScript(its.source, ['mkdir ../elsewhere', 'echo x > ../elsewhere/far', 'ln -s ../../elsewhere a/way']);
  const far = join(its.source, 'a/way/far');
  const taken = await its.take({ paths: [join(its.source, 'a'), far] });
  expect(taken.problems).toEqual([
    expect.objectContaining({
      severity: 'error',
      subject: far,
      reason: expect.stringContaining(`name ${join(its.root, 'elsewhere/far')} instead`),
    }),
  ]);
  expect(taken.summary.missingSources).toBe(1);
  const named = await its.take({ paths: [join(its.source, 'a'), join(its.root, 'elsewhere/far')] });
  expect(named.problems).toEqual([]);
});

test('the same folder by several spellings is taken in once', async () => {
  const its = await two();
  const { source } = its;
  const paths = [source, `${source}/`, `${source}/.`, `${source}/a/../`, join(source, 'a', 'in', 'file')];
  const { summary, problems } = await its.take({ paths });
  expect(summary.statistics).toMatchObject({ files: 2, folders: 4 });
  expect(problems.map(({ severity, subject }) => [severity, subject])).toEqual([
    ['note', join(source, 'a/in/file')],
  ]);
});

testMounts?.('a folder bound to a second place is stored once, and stands in both', async () => {
  const its = await two();
  const [a, b] = [join(its.source, 'a'), join(its.source, 'b')];
  runScript(its.source, ['mount --bind a b']);
  try {
    const { summary } = await its.take({ paths: [a, b] });
    expect(summary.statistics).toMatchObject({ files: 2, newBytes: SIZE });
    expect(await namesIn(its, b)).toEqual(await namesIn(its, a));
  } finally {
    runScript(its.source, ['umount b']);
  }
});

testMounts?.('a mount point inside another source is gone into where it is named', async () => {
  const its = await two();
  const mount = join(its.source, 'b');
  runScript(its.source, ['mount -t tmpfs none b']);
  try {
    runScript(its.source, ['mkdir -p b/on b/deeper', 'echo x > b/on/it', 'mount -t tmpfs none b/deeper']);
    writeFileSync(join(mount, 'deeper/not this'), 'x');
    const both = await its.take({ paths: [its.source, mount], oneFileSystem: true });
    expect(both.problems.map(({ severity, subject }) => [severity, subject])).toEqual([
      ['note', mount],
      ['note', join(mount, 'deeper')],
    ]);
    const inside = ['.', './a', './a/in', './a/in/file', './b', './b/deeper', './b/on', './b/on/it'];
    expect(await namesIn(its, its.source)).toEqual(inside);
    // The next one without it holds nothing of it, and the one after that all again.
    await its.take({ oneFileSystem: true });
    expect(await namesIn(its, its.source)).toEqual(inside.slice(0, 5));
    await its.take({ paths: [its.source, mount], oneFileSystem: true });
    expect(await namesIn(its, its.source)).toEqual(inside);
    const lost = await its.take({ paths: [its.source, join(mount, 'on/it')], oneFileSystem: true });
    expect(lost.problems).toContainEqual(
      expect.objectContaining({
        severity: 'error',
        subject: join(mount, 'on/it'),
        reason: expect.stringContaining(`name the mount point ${mount} too`),
      }),
    );
  } finally {
    runScript(its.source, ['umount b/deeper', 'umount b']);
  }
});

test('a file in a folder that may be entered but not listed', async () => {
  const its = await two();
  mkdirSync(join(its.source, 'closed'));
  writeFileSync(join(its.source, 'closed/known'), 'x');
  runScript(its.source, ['chmod 711 closed']);
  const { summary } = await its.take({ paths: [join(its.source, 'closed/known')] });
  expect(summary).toMatchObject({ errors: 0, statistics: { files: 1 } });
});

describe('what is named is taken, whatever leaves out the rest of the named folder it lies in', () => {
  const rule = (option: string) => ({ text: '', option });
  const byRules: readonly (readonly [string, FilterRules, readonly string[]])[] = [
    ['a pattern', excluding('*.log'), ['b/big', 'b/other.txt']],
    ['a pattern for the folder above', excluding('b'), []],
    [
      'the size',
      rulesWith({ largerThan: { ...rule('--exclude-larger-than'), bytes: 100 } }),
      ['b/other.txt'],
    ],
    ['what else is included', rulesWith({ include: patternRules(['*.txt']) }), ['b/other.txt']],
    [
      'a file in the folder',
      rulesWith({ presence: [{ ...rule('--exclude-if-present'), name: '.none', header: '' }] }),
      ['b/.none'],
    ],
  ];
  test.for(byRules)('%s', async ([, rules, others]) => {
    const its = await scratchRepository();
    const inA = (name: string): string => join(its.source, 'a', name);
    mkdirSync(inA('b/kept'), { recursive: true });
    for (const name of ['b/x.log', 'b/big', 'b/other.txt', 'b/kept/empty.log'])
      writeFileSync(inA(name), name === 'b/big' || name === 'b/x.log' ? randomContent(1, 200) : '');
    if (rules.presence.length > 0) writeFileSync(inA('b/.none'), '');
    const taken = await its.take({
      ...{ paths: [join(its.source, 'a'), inA('b/kept')], listed: [inA('b/x.log') as RawPath], rules },
    });
    expect(taken.summary).toMatchObject({ errors: 0, missingSources: 0 });
    const names = await namesIn(its, join(its.source, 'a'));
    expect(names.filter((name) => name !== './b/kept/empty.log')).toEqual(
      ['.', './b', './b/kept', './b/x.log', ...others.map((name) => `./${name}`)].sort(),
    );
    const again = await its.take({
      ...{ paths: [join(its.source, 'a'), inA('b/kept')], listed: [inA('b/x.log') as RawPath], rules },
    });
    expect(again.summary.statistics).toMatchObject({ newFiles: 0, changedFiles: 0 });
    // Without it being named it is left out again, though nothing on the disk changed.
    await its.take({ paths: [join(its.source, 'a')], rules });
    expect(await namesIn(its, join(its.source, 'a'))).not.toContain('./b/x.log');
  });
});
