import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { RawPath } from '../../dist/fs/index.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository, type Taken } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { filled } from './taken-tree.js';
import { factsOf } from './tree-facts.js';

/** Sources out of lists: single files in many folders. */

const at = (its: Scratch, ...names: readonly string[]): RawPath[] =>
  names.map((name) => join(its.source, name) as RawPath);

const list = (its: Scratch, names: readonly string[]): Promise<Taken> =>
  its.take({ paths: [], listed: at(its, ...names) });

const actions = ({ items }: Taken, action: string): string[] =>
  items.filter((item) => item.action === action).map(({ path }) => path.slice(path.lastIndexOf('/') + 1));

async function inFolders(): Promise<Scratch> {
  const its = await scratchRepository();
  for (const name of ['a/1', 'a/2', 'a/deep/3', 'b/4', '5']) {
    mkdirSync(join(its.source, name, '..'), { recursive: true });
    writeFileSync(join(its.source, name), randomContent(name.length, 3000));
  }
  return its;
}

const ALL = ['a/1', 'a/2', 'a/deep/3', 'b/4', '5'];

describe('single files', () => {
  test('of one folder and of many are read again only if they changed', async () => {
    const its = await inFolders();
    const first = await list(its, ALL);
    expect(first.summary).toMatchObject({ level: 'full', statistics: { newFiles: 5, folders: 0 } });
    const second = await list(its, ALL);
    expect(second.summary).toMatchObject({ level: 'incr', parent: first.summary.snapshot });
    expect(second.summary.statistics).toMatchObject({ newFiles: 0, changedFiles: 0, unchangedFiles: 5 });
    writeFileSync(join(its.source, 'a/2'), 'other');
    const third = await list(its, ALL);
    expect(actions(third, 'changed')).toEqual(['2']);
    expect(third.summary.statistics.unchangedFiles).toBe(4);
    const { target, summary } = await its.restore();
    expect(summary.lost).toBe(0);
    expect(factsOf(target)).toEqual(factsOf(its.source));
  });

  test('come and go with the list, whatever another list held between', async () => {
    const its = await inFolders();
    await list(its, ['a/1', 'a/2']);
    expect(actions(await list(its, ['a/1', 'b/4']), 'new')).toEqual(['4']);
    const again = await list(its, ALL);
    expect(actions(again, 'unchanged').sort()).toEqual(['1', '4']);
    expect(readFileSync(join((await its.restore()).target, 'a/2'))).toEqual(randomContent(3, 3000));
    // What a snapshot lacks that was forgotten in between is not taken for stored.
    const { target } = await its.restore((await list(its, ['a/2'])).summary.snapshot);
    expect(Object.keys(factsOf(target))).toEqual(['.', './a', './a/2']);
  });

  test('with the folders around them changing from listed to whole and back', async () => {
    const its = await inFolders();
    await list(its, ['a/1', 'a/deep']);
    expect((await list(its, ['a', 'b/4'])).summary.statistics).toMatchObject({ files: 4, folders: 2 });
    const last = await list(its, ['a/1', 'a/deep', 'b']);
    expect(last.summary.statistics).toMatchObject({ files: 3, unchangedFiles: 2, newFiles: 1 });
    const { target } = await its.restore();
    expect(Object.keys(factsOf(target))).toEqual([
      '.',
      './a',
      './a/1',
      './a/deep',
      './a/deep/3',
      './b',
      './b/4',
    ]);
  });

  test('of every type, among a whole folder and missing ones', async () => {
    const its = await filled();
    const names = ['a/file 1', 'link', 'a/fifo', 'a/sparse', 'a/b', 'a/none', 'none/at all'];
    const taken = await list(its, names);
    expect(taken.problems.map(({ severity, subject }) => [severity, subject])).toEqual([
      ['error', join(its.source, 'a/none')],
      ['error', join(its.source, 'none/at all')],
    ]);
    expect(taken.summary).toMatchObject({ errors: 2, missingSources: 2 });
    const { target } = await its.restore();
    const named = /^\.$|^\.\/(?:a|link|a\/file 1|a\/fifo|a\/sparse|a\/b|a\/b\/.*)$/;
    expect(factsOf(target)).toEqual(
      Object.fromEntries(Object.entries(factsOf(its.source)).filter(([path]) => named.test(path))),
    );
  });

  test('whose cache is lost, or whose snapshot was removed behind its back, are stored again', async () => {
    const its = await inFolders();
    const first = await list(its, ALL);
    rmSync(join(its.repo, 'snapshots', first.summary.snapshot!));
    expect((await list(its, ALL)).summary.errors).toBe(0);
    const { target, summary } = await its.restore();
    expect(summary.lost).toBe(0);
    expect(factsOf(target)).toEqual(factsOf(its.source));
    rmSync(its.cache, { recursive: true });
    expect((await list(its, ALL)).summary.statistics).toMatchObject({ newFiles: 5, newBytes: 0 });
  });

  test('names that are not text', async () => {
    const its = await scratchRepository();
    runScript(its.source, ['printf one > "$(printf \'caf\\351\')"', 'printf two > "new\nline"']);
    const taken = await its.take({
      paths: [],
      listed: [`${its.source}/caf\xe9`, `${its.source}/new\nline`] as RawPath[],
    });
    expect(taken.summary.statistics.files).toBe(2);
    const { target } = await its.restore();
    expect(factsOf(target)).toEqual(factsOf(its.source));
  });
});

test('a long list is recorded by the folder that holds it', async () => {
  const its = await scratchRepository();
  const names = Array.from({ length: 101 }, (_, i) => `inner/${i % 7}/${i}`);
  for (const name of names) {
    mkdirSync(join(its.source, name, '..'), { recursive: true });
    writeFileSync(join(its.source, name), name);
  }
  writeFileSync(join(its.source, 'alone'), 'x');
  await its.take({ paths: at(its, 'alone'), listed: at(its, ...names) });
  await list(its, names.slice(0, 3));
  const paths = (await its.snapshots()).map(({ about }) => about.paths);
  expect(paths).toEqual([at(its, 'alone', 'inner'), at(its, ...names.slice(0, 3))]);
});

test('nothing named at all is refused', async () => {
  const its = await scratchRepository();
  await expect(list(its, [])).rejects.toMatchObject({ code: 'usage' });
});

test('a file that was named and vanishes before it is read is an error', async () => {
  const its = await inFolders();
  await list(its, ['a/1', 'a/2']);
  writeFileSync(join(its.source, 'a/2'), 'changed');
  const taken = await its.take({ paths: [], listed: at(its, 'a/1', 'a/2') }, {}, (event) => {
    if (event.type === 'item') rmSync(join(its.source, 'a/2'), { force: true });
  });
  expect(taken.summary).toMatchObject({ errors: 1, statistics: { files: 1 } });
  expect(taken.problems).toMatchObject([{ severity: 'error', subject: join(its.source, 'a/2') }]);
});

test('a repository and a cache that are given by symlinks are not taken in', async () => {
  const its = await inFolders();
  runScript(its.root, ['mv repo cache source', 'ln -s source/repo repo', 'ln -s source/cache cache']);
  const { summary } = await its.take({ ownFolders: [its.cache] });
  expect(summary.statistics).toMatchObject({ files: 5, folders: 4 });
});
