import { appendFileSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SessionId } from '../../dist/core/index.js';
import type { RawPath } from '../../dist/fs/index.js';
import {
  annotateSnapshot,
  isPartial,
  listSnapshots,
  type Merged,
  mergeSnapshots,
  type Rewritten,
  rewriter,
} from '../../dist/snapshot/index.js';
import { excluding } from '../fs/rules.js';
import { BY, forget } from './forget-subject.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';

/** What is rewritten or merged is not alone: snapshots that share trees, pins of several, whole ones and partial ones. */

const rewriteAll = (its: Scratch, patterns: readonly string[], isForgetting = false): Promise<Rewritten[]> =>
  its.use(async (repository) => {
    const change = { rules: excluding(...patterns), words: {}, moves: [] };
    const options = { ...BY, forget: isForgetting, dryRun: false };
    const rewrite = rewriter(repository, change, options);
    const made: Rewritten[] = [];
    for (const snapshot of (await listSnapshots(repository)).snapshots)
      made.push(await rewrite(snapshot, () => undefined));
    return made;
  });

const mergeAll = (its: Scratch, isForgetting = false): Promise<Merged> =>
  its.use(async (repository) => {
    const { snapshots } = await listSnapshots(repository);
    const request = { prefer: 'newest', words: {} } as const;
    const options = { ...BY, forget: isForgetting, dryRun: false };
    return mergeSnapshots(repository, snapshots, request, options, () => undefined);
  });

test('one tree of two snapshots with other sources: what each has to leave out goes', async () => {
  const its = await scratchRepository();
  const inner = join(its.source, 'a');
  mkdirSync(inner);
  writeFileSync(join(inner, 'secret'), 'never to be stored');
  writeFileSync(join(inner, 'other'), 'other');
  const storedUnder = [{ from: its.source as RawPath, path: '/s' as RawPath }];
  const first = await its.take({ paths: [inner], storedUnder });
  const second = await its.take({ storedUnder });
  expect(second.summary.root).toBe(first.summary.root);
  // Of /s/a alone it would be /s/a/a/secret.
  const made = await rewriteAll(its, ['a/secret']);
  expect(made.map(({ state, leftOut }) => [state, leftOut.files])).toEqual([
    ['unchanged', 0],
    ['new', 1],
  ]);
});

test('a pin that came after the new one was made is carried when the old one is forgotten', async () => {
  const its = await scratchRepository();
  writeFileSync(join(its.source, 'secret'), 'never to be stored');
  writeFileSync(join(its.source, 'other'), 'other');
  const { summary } = await its.take();
  const id = summary.snapshot as SessionId;
  const [made] = await rewriteAll(its, ['secret']);
  await its.use(async (repository) => {
    await annotateSnapshot(repository, { id: made!.snapshot!.id }, { comment: 'the new one' }, 'x', 1);
    await annotateSnapshot(repository, { id }, { pin: {}, comment: 'the old one' }, 'x', 1);
  });
  const again = await rewriteAll(its, ['secret'], true);
  expect(again.find(({ from }) => from[0]!.id === id)).toMatchObject({ state: 'there', forgotten: [id] });
  expect(await its.snapshots()).toMatchObject([
    { id: made!.snapshot!.id, pin: {}, about: { comment: 'the new one' } },
  ]);
});

/** A whole snapshot of `a`, and one of `names` that was stopped after its first file. */
async function wholeAndPartial(names: readonly string[]): Promise<Scratch> {
  const its = await scratchRepository();
  for (const name of ['a', 'b']) {
    mkdirSync(join(its.source, name));
    for (const file of ['1', '2']) writeFileSync(join(its.source, name, file), file);
  }
  const paths = names.map((name) => join(its.source, name));
  const first = await its.take({ paths });
  await its.take({ paths: [join(its.source, 'a')], level: 'full' });
  symlinkSync('1', join(its.source, 'a/0'));
  appendFileSync(join(its.source, 'a/2'), 'more');
  const stop = new AbortController();
  const { summary } = await its.take({ paths, partial: true, signal: stop.signal }, {}, ({ type }) => {
    if (type === 'item') stop.abort();
  });
  expect(summary.partial).toBe(true);
  await forget(its, first.summary.snapshot as SessionId);
  return its;
}

test('a partial one and a later whole one of its sources become a whole one, an earlier one does not do', async () => {
  const its = await wholeAndPartial(['a']);
  // What came between them nobody has.
  await expect(mergeAll(its, true)).rejects.toMatchObject({ code: 'usage' });
  // What the partial one alone has.
  rmSync(join(its.source, 'a/0'));
  await its.take({
    paths: [join(its.source, 'a')],
    time: { seconds: Math.ceil(Date.now() / 1000) + 7200, nanoseconds: 0 },
  });
  const { isPartial: isToldPartial, forgotten } = await mergeAll(its, true);
  expect([isToldPartial, forgotten.length]).toEqual([false, 3]);
  const [merged, ...others] = await its.snapshots();
  expect(others).toEqual([]);
  expect(isPartial(merged!.about)).toBe(false);
});

test('a partial one of more sources makes a partial one, for which no whole one is forgotten', async () => {
  const its = await wholeAndPartial(['a', 'b']);
  await expect(mergeAll(its, true)).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining('would be partial'),
  });
  expect(await its.snapshots()).toHaveLength(2);
  const { isPartial: isToldPartial, snapshot } = await mergeAll(its);
  expect([isToldPartial, isPartial(snapshot!.about)]).toEqual([true, true]);
});
