import { chmodSync, mkdirSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NO_RULES } from '../../dist/fs/index.js';
import { probeAbilities } from './abilities.js';
import { allFactsOf, changesByFacts, diffed, diffedLive, plainly, told } from './diff-subject.js';
import { QUICK } from './places.js';
import { randomContent } from './random-content.js';
import { applyEdits, editsArbitrary } from './random-edits.js';
import { isSoak, type Scratch, scratch, scratchRepository } from './scratch-repository.js';
import { buildTree, runScript } from './source-tree.js';
import { treeArbitrary } from './tree-arbitrary.js';

const can = probeAbilities(QUICK);

test('snapshots and the disk differ in what other programs say has changed', {
  timeout: 600_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(treeArbitrary({ ...can, flags: false }), editsArbitrary, async (tree, edits) => {
      const its = scratch();
      try {
        await its.init();
        await buildTree(its.source, tree.children, tree.metadata);
        await its.take();
        const before = allFactsOf(its.source);
        const done = applyEdits(its.source, edits, can, its.root);
        const expected = changesByFacts(before, allFactsOf(its.source));
        expect(plainly(await diffedLive(its)), done.join('\n')).toEqual(expected);
        await its.take();
        expect(plainly(await diffed(its)), done.join('\n')).toEqual(expected);
        expect((await diffedLive(its)).changes).toEqual([]);
      } finally {
        its.remove();
      }
    }),
    { numRuns: isSoak ? 300 : 5, endOnFailure: true },
  );
});

const put = (its: Scratch, path: string, content: string | Uint8Array): void =>
  writeFileSync(join(its.source, path), content);

/** As it was taken first, then after `edit`: both diffs. */
async function both(its: Scratch, edit: () => void, changes: Parameters<typeof diffed>[1] = {}) {
  await its.take();
  edit();
  const live = await diffedLive(its, changes);
  await its.take();
  return { live, stored: await diffed(its, changes) };
}

test('what was moved is known by its content; of several, those of one name belong together', async () => {
  const its = await scratchRepository();
  mkdirSync(join(its.source, 'old'));
  mkdirSync(join(its.source, 'new'));
  const large = randomContent(1, 3 * 2 ** 20);
  put(its, 'old/large', large);
  for (const name of ['a', 'b', 'c']) put(its, `old/${name}`, 'the same');
  put(its, 'old/empty', '');
  put(its, 'old/gone', 'gone');
  const { live, stored } = await both(its, () => {
    renameSync(join(its.source, 'old'), join(its.source, 'x'));
    mkdirSync(join(its.source, 'old'));
    renameSync(join(its.source, 'x/large'), join(its.source, 'new/renamed'));
    for (const name of ['b', 'd']) put(its, `new/${name}`, 'the same');
    put(its, 'new/empty', '');
    put(its, 'new/same length', 'none');
    rmSync(join(its.source, 'x'), { recursive: true });
  });
  const expected = [
    'moved old/b -> new/b',
    'moved old/a -> new/d',
    'added new/empty',
    'moved old/large -> new/renamed',
    'added new/same length',
    'removed old/c',
    'removed old/empty',
    'removed old/gone',
  ];
  expect(told(stored)).toEqual(expected);
  expect(told(live)).toEqual(expected);
});

test('more changes than can be held are all told, with fewer moves', async () => {
  const its = await scratchRepository();
  for (let i = 0; i < 20; i++) put(its, `a${i}`, `content ${i}`);
  await its.take();
  for (let i = 0; i < 20; i++) renameSync(join(its.source, `a${i}`), join(its.source, `b${i}`));
  await its.take();
  const whole = await diffed(its);
  expect(whole.isCut).toBe(false);
  expect(whole.changes).toHaveLength(20);
  expect(whole.changes.every(({ kind }) => kind === 'moved')).toBe(true);
  const cut = await diffed(its, { held: 1 });
  expect(plainly(cut)).toEqual(plainly(whole));
});

test('what could not be read, or was not reached, is no change', async () => {
  const its = await scratchRepository();
  for (const name of ['a', 'b']) mkdirSync(join(its.source, name));
  put(its, 'a/file', 'a');
  put(its, 'b/file', 'b');
  const paths = ['a', 'b', 'ab'].map((name) => join(its.source, name));
  put(its, 'ab', 'ab');
  await its.take({ paths });
  rmSync(join(its.source, 'a'), { recursive: true });
  rmSync(join(its.source, 'b/file'));
  const { summary } = await its.take({ paths });
  expect(summary.errors).toBe(1);
  const lost = await diffed(its);
  expect(told(lost)).toEqual(['removed b/file']);
  expect(lost.unsure).toEqual(['before', 'before']);
  mkdirSync(join(its.source, 'a'));
  put(its, 'a/new', 'new');
  put(its, 'b/new', 'new');
  await its.take({ paths });
  const found = await diffed(its);
  expect(told(found)).toEqual(['added b/new']);
  expect(found.unsure).toEqual(['after', 'after']);
});

test.runIf(can.mounts)('another file system is neither there nor gone where it is not entered', async () => {
  const its = await scratchRepository();
  mkdirSync(join(its.source, 'mount'));
  put(its, 'mount/below', 'x');
  await its.take();
  runScript(its.source, ['mount -t tmpfs none mount']);
  try {
    put(its, 'mount/new', 'new');
    expect(told(await diffedLive(its, { oneFileSystem: true }))).toEqual(['metadata mount']);
    expect(told(await diffedLive(its))).toEqual(['metadata mount', 'removed mount/below', 'added mount/new']);
  } finally {
    runScript(its.source, ['umount mount']);
  }
});

test('a source that is not on the disk is told', async () => {
  const its = await scratchRepository();
  for (const name of ['a', 'b']) {
    mkdirSync(join(its.source, name));
    put(its, `${name}/file`, name);
  }
  await its.take({ paths: ['a', 'b'].map((name) => join(its.source, name)) });
  renameSync(join(its.source, 'a'), join(its.source, 'c'));
  const { changes, problems } = await diffedLive(its);
  expect(changes.map(({ kind, path }) => [kind, path])).toEqual([
    ['removed', 'a'],
    ['removed', 'a/file'],
  ]);
  expect(problems).toMatchObject([{ severity: 'note', subject: join(its.source, 'a') }]);
  expect(problems[0]!.reason).toContain('--live-path');
  renameSync(join(its.source, 'b'), join(its.source, 'd'));
  await expect(diffedLive(its)).rejects.toMatchObject({
    code: 'not-found',
    hint: expect.stringContaining('--live-path'),
  });
});

test('times alone count only for those who ask', async () => {
  const its = await scratchRepository();
  put(its, 'file', 'content');
  await its.take();
  utimesSync(join(its.source, 'file'), 1, 1);
  expect((await diffedLive(its)).changes).toEqual([]);
  const { changes } = await diffedLive(its, { times: true });
  expect(changes.map(({ kind, path, aspects }) => [kind, path, aspects])).toEqual([
    ['metadata', 'file', ['mtime']],
  ]);
  chmodSync(join(its.source, 'file'), 0o600);
  const [changed] = (await diffedLive(its)).changes;
  expect(changed).toMatchObject({ kind: 'metadata', aspects: ['mode', 'mtime'] });
});

test('a file of the same size and time is read only with compareContent', async () => {
  const its = await scratchRepository();
  put(its, 'file', 'content');
  utimesSync(join(its.source, 'file'), 1000, 1000);
  await its.take();
  put(its, 'file', 'CONTENT');
  utimesSync(join(its.source, 'file'), 1000, 1000);
  expect((await diffedLive(its, { compareContent: false })).changes).toEqual([]);
  expect(told(await diffedLive(its))).toEqual(['content file']);
  // Another time, and the same content.
  put(its, 'file', 'content');
  expect((await diffedLive(its, { compareContent: false })).changes).toEqual([]);
});

test('rules leave out on both sides, folders with all that is in them', async () => {
  const its = await scratchRepository();
  mkdirSync(join(its.source, 'keep'));
  mkdirSync(join(its.source, 'skip'));
  put(its, 'keep/gone', 'gone');
  const rule = (text: string) => ({ text, option: '--exclude', ignoreCase: false });
  const edit = (): void => {
    rmSync(join(its.source, 'keep/gone'));
    for (const path of ['keep/new', 'keep/new.tmp', 'skip/new', 'top']) put(its, path, 'new');
  };
  const rules = { ...NO_RULES, exclude: [rule('*.tmp'), rule('skip/')], include: [rule('keep')] };
  const { live, stored } = await both(its, edit, { rules });
  expect(told(stored)).toEqual(['removed keep/gone', 'added keep/new']);
  expect(told(live)).toEqual(told(stored));
});
