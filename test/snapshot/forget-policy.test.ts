import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { DamagedError, type SessionId } from '../../dist/core/index.js';
import { NO_RULES } from '../../dist/fs/index.js';
import { type GroupField, PolicyRefusedError, parseDate } from '../../dist/policy/index.js';
import { changeStoredPolicies, readStoredPolicies } from '../../dist/repo/index.js';
import { annotateSnapshot, applyForgetPlan, listSnapshots, rewriter } from '../../dist/snapshot/index.js';
import {
  applied,
  at,
  BY,
  forget,
  objects,
  plan,
  planned,
  type Rules,
  reasonsOf,
  takeAt,
  unforget,
} from './forget-subject.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';

/** Some small files, and a repository for them. */
async function small(): Promise<Scratch> {
  const its = await scratchRepository();
  writeFileSync(join(its.source, 'file'), 'content');
  return its;
}

describe('by a policy', () => {
  test('the plan changes nothing, and what it forgets is forgotten', async () => {
    const its = await small();
    const days = ['2025-01-01T00:00', '2025-01-02T00:00', '2025-01-02T01:00'];
    const [a, b, c] = [await takeAt(its, days[0]!), await takeAt(its, days[1]!), await takeAt(its, days[2]!)];
    await its.use((repository) =>
      annotateSnapshot(repository, { id: a }, { pin: { until: at('2025-02-01T00:00').seconds } }, 'x', 1),
    );
    const early = await plan(its, { counts: { daily: 1 } }, '2025-01-03T00:00');
    expect(reasonsOf(early)).toEqual([
      [a, ['pinned']],
      [b, []],
      [c, ['daily 2025-01-02', 'newest']],
    ]);
    expect(early.forget).toEqual([b]);
    expect((await plan(its, { counts: { daily: 1 } }, '2025-03-01T00:00')).forget).toEqual([a, b]);
    expect(objects(its, 'forgotten')).toEqual([]);
    expect((await applied(its, { counts: { daily: 1 } }, '2025-01-03T00:00')).forgotten).toEqual([b]);
    expect((await its.snapshots()).map(({ id }) => id)).toEqual([a, c]);
    expect(objects(its, 'policies')).toEqual([]);
    await expect(plan(its, {})).rejects.toThrow(PolicyRefusedError);
  });

  test('what a note says that cannot be opened may be a pin', async () => {
    const its = await small();
    const [a, b] = [await takeAt(its, '2025-01-01T00:00'), await takeAt(its, '2025-01-02T00:00')];
    mkdirSync(join(its.repo, 'notes', a), { recursive: true });
    writeFileSync(join(its.repo, 'notes', a, '1'), 'not a note');
    expect(reasonsOf(await plan(its, { last: 1 }))).toEqual([
      [a, ['pinned']],
      [b, ['last', 'newest']],
    ]);
    expect(its.reports.join()).toContain('cannot be opened, and may have pinned it');
    await its.use((repository) => annotateSnapshot(repository, { id: a }, { comment: 'settled' }, 'x', 1));
    expect((await plan(its, { last: 1 })).forget).toEqual([a]);
  });

  test('what was taken last is kept though the clock was slow, as long as it is the last', async () => {
    const its = await small();
    const fast = await takeAt(its, '2025-01-02T00:00');
    const slow = await takeAt(its, '2025-01-01T00:00');
    const expected = [
      [slow, ['taken last']],
      [fast, ['last', 'newest']],
    ];
    expect(reasonsOf(await plan(its, { last: 1 }))).toEqual(expected);
    // Another group has no part in it, and its snapshots are seen and forgotten in between.
    const other = await takeAt(its, '2025-01-03T00:00', 'there');
    expect(reasonsOf(await plan(its, { last: 1 })).slice(0, 2)).toEqual(expected);
    const next = await takeAt(its, '2025-01-04T00:00');
    await forget(its, other, fast);
    const after = await plan(its, { last: 1 });
    expect(after.forget).toEqual([slow]);
    expect(reasonsOf(after)).toEqual([
      [slow, []],
      [next, ['last', 'newest']],
    ]);
  });

  test('taken last and dated before all: none that saw it is left but forgotten ones', async () => {
    const its = await small();
    const first = await takeAt(its, '2025-01-01T00:00');
    const chain = [await takeAt(its, '2025-01-02T00:00'), await takeAt(its, '2025-01-03T00:00')];
    const last = await takeAt(its, '2025-01-04T00:00');
    await forget(its, ...chain);
    expect((await plan(its, { last: 1 })).forget).toEqual([first]);
    // Nobody can tell any more who saw the first one: it may have been taken last.
    const [middle] = chain as [SessionId];
    rmSync(join(its.repo, 'forgotten', middle));
    writeFileSync(join(its.repo, 'forgotten', middle), 'no record');
    expect(reasonsOf(await plan(its, { last: 1 }))).toEqual([
      [first, ['taken last']],
      [last, ['last', 'newest']],
    ]);
  });
});

describe('taken last, where snapshots were brought back', () => {
  /** The first two with a good clock, the last one with a slow one; and what `--keep-last 1` keeps them for. */
  async function three(): Promise<{ its: Scratch; ids: readonly [SessionId, SessionId, SessionId] }> {
    const its = await small();
    const first = await takeAt(its, '2025-01-20T00:00');
    const newest = await takeAt(its, '2025-01-25T00:00');
    const last = await takeAt(its, '2025-01-10T00:00');
    expect(reasonsOf(await plan(its, { last: 1 }))).toEqual([
      [last, ['taken last']],
      [first, []],
      [newest, ['last', 'newest']],
    ]);
    return { its, ids: [first, newest, last] };
  }

  async function back(its: Scratch, id: SessionId): Promise<SessionId> {
    await forget(its, id);
    return unforget(its, id);
  }

  test('an older one is not the last for it, and what it saw then may be', async () => {
    const { its, ids } = await three();
    const [first, newest, last] = ids;
    const expected = (id: SessionId) => [
      [last, ['taken last']],
      [id, []],
      [newest, ['last', 'newest']],
    ];
    const again = await back(its, first);
    expect(reasonsOf(await plan(its, { last: 1 }))).toEqual(expected(again));
    // Its tags are not what tells it.
    await its.use((repository) =>
      annotateSnapshot(repository, { id: again }, { tags: { add: ['mine'] }, comment: 'mine' }, 'x', 1),
    );
    expect(reasonsOf(await plan(its, { last: 1 }))).toEqual(expected(again));
    const twice = await back(its, again);
    expect(reasonsOf(await plan(its, { last: 1 }))).toEqual(expected(twice));
    const next = await takeAt(its, '2025-01-26T00:00');
    expect((await plan(its, { last: 1 })).forget).toEqual([last, twice, newest]);
    expect(next).toBe((await its.snapshots()).at(-1)!.id);
  });

  test('the last one is the last again', async () => {
    const { its, ids } = await three();
    const last = await back(its, ids[2]);
    expect(reasonsOf(await plan(its, { last: 1 }))[0]).toEqual([last, ['taken last']]);
    const twice = await back(its, last);
    expect(reasonsOf(await plan(its, { last: 1 }))[0]).toEqual([twice, ['taken last']]);
    await takeAt(its, '2025-01-09T00:00');
    expect((await plan(its, { last: 1 })).forget).toEqual([twice, ids[0]]);
  });

  test('the newest one saw what it saw when it was taken', async () => {
    const { its, ids } = await three();
    const [first, newest, last] = ids;
    const again = await back(its, newest);
    expect(reasonsOf(await plan(its, { last: 1 }))).toEqual([
      [last, ['taken last']],
      [first, []],
      [again, ['last', 'newest']],
    ]);
    await forget(its, last);
    expect((await plan(its, { last: 1 })).forget).toEqual([first]);
    await back(its, again);
    expect((await plan(its, { last: 1 })).forget).toEqual([first]);
  });

  test('a rewritten one was taken when what it was made from was taken', async () => {
    const { its, ids } = await three();
    const [first, newest, last] = ids;
    const rewrite = (id: SessionId, forget: boolean): Promise<SessionId> =>
      its.use(async (repository) => {
        const { snapshots } = await listSnapshots(repository);
        const change = { rules: NO_RULES, words: { user: 'somebody' }, moves: [] };
        const rewriteOne = rewriter(repository, change, { ...BY, forget, dryRun: false });
        const { snapshot } = await rewriteOne(snapshots.find((each) => each.id === id)!, () => undefined);
        return snapshot!.id;
      });
    const now = await rewrite(first, true);
    expect(reasonsOf(await plan(its, { last: 1 }))).toEqual([
      [last, ['taken last']],
      [now, []],
      [newest, ['last', 'newest']],
    ]);
    // Beside the one that it was made from, too.
    const beside = await rewrite(last, false);
    expect(new Set(reasonsOf(await plan(its, { last: 1 })).slice(0, 2))).toEqual(
      new Set([
        [last, ['taken last']],
        [beside, ['taken last']],
      ]),
    );
  });
});

describe('round-robin anchors', () => {
  const SLOTS = { days: 0, weeks: 2, months: 0, years: 0, mode: 'exact' } as const;
  const oldest: Rules = { roundRobin: { ...SLOTS, anchor: 'oldest' } };

  test('are stored when something is really forgotten, and used from then on', async () => {
    const its = await small();
    // Wednesdays the 1st, 8th and 15th, and the Fridays after them.
    const ids = [];
    for (const day of ['01', '03', '08', '10', '15', '17'])
      ids.push(await takeAt(its, `2025-01-${day}T02:00`));
    const now = '2025-01-18T00:00';
    expect((await plan(its, oldest, now)).plan.groups).toMatchObject([{ anchor: parseDate('2025-01-01') }]);
    expect(objects(its, 'policies')).toEqual([]);
    expect((await applied(its, oldest, now)).forgotten).toEqual([ids[1], ids[3]]);
    const stored = await its.use(readStoredPolicies);
    expect(stored).toMatchObject({ number: 1, record: { rules: [], by: 'tester@here' } });
    expect(stored.record!.anchors).toEqual([{ group: ['host=here'], date: '2025-01-01' }]);
    await applied(its, oldest, now);
    expect(objects(its, 'policies')).toEqual(['1']);
    // The oldest one is a Wednesday's no more, the slots are.
    const friday = await takeAt(its, '2025-01-03T02:00');
    await forget(its, ids[0]!);
    const after = reasonsOf(await plan(its, oldest, '2025-01-19T00:00'));
    expect(after).toEqual([
      [friday, ['taken last']],
      [ids[2], ['round-robin week 2025-01-08']],
      [ids[4], ['round-robin week 2025-01-15']],
      [ids[5], ['newest']],
    ]);
    // A date that is named replaces it, for good.
    const named: Rules = { roundRobin: { ...SLOTS, anchor: { date: parseDate('2025-01-10') } } };
    for (let i = 0; i < 2; i++) await applied(its, named, '2025-01-19T00:00');
    expect(objects(its, 'policies')).toEqual(['1', '2']);
    expect((await its.use(readStoredPolicies)).record!.anchors).toEqual([
      { group: ['host=here'], date: '2025-01-10' },
    ]);
    expect(reasonsOf(await plan(its, oldest, '2025-01-19T00:00')).at(-1)).toEqual([
      ids[5],
      ['round-robin week 2025-01-17', 'newest'],
    ]);
  });

  test('belong to the group, whatever its paths and tags are', async () => {
    const its = await small();
    await its.take({ tags: ['b', 'ä'], time: at('2025-01-01T00:00'), job: 'nightly' });
    await its.take({ time: at('2025-01-02T00:00') });
    const groupBy: readonly GroupField[] = ['host', 'paths', 'job', 'tags'];
    await its.use(async (repository) =>
      applyForgetPlan(repository, await planned(repository, oldest, '2025-01-03T00:00', groupBy), BY),
    );
    const { record } = await its.use(readStoredPolicies);
    const source = `paths=${Buffer.from(its.source).toString('latin1')}`;
    const tag = `tags=${Buffer.from('ä').toString('latin1')}`;
    expect(record!.anchors).toEqual([
      { group: ['host=here', 'job=nightly', source, 'tags=b', tag], date: '2025-01-01' },
      { group: ['host=here', 'job=', source, 'tags='], date: '2025-01-02' },
    ]);
    const again = await plan(its, oldest, '2025-06-01T00:00', groupBy);
    expect(again.plan.groups.map(({ anchor }) => anchor)).toEqual([
      parseDate('2025-01-01'),
      parseDate('2025-01-02'),
    ]);
  });
});

describe('stored policies', () => {
  const rules = (value: string) => ({ rules: [{ name: 'keep-last', value }], anchors: [] });

  test('the highest number counts, and of two at the same time none is lost', async () => {
    const its = await small();
    expect(await its.use(readStoredPolicies)).toEqual({ number: 0, record: undefined });
    await its.use(async (repository) => {
      for (let i = 1; i <= 10; i++) await changeStoredPolicies(repository, () => rules(String(i)), 'x', 1);
      expect(await readStoredPolicies(repository)).toMatchObject({ number: 10, record: rules('10') });
      const append = (name: string) =>
        changeStoredPolicies(
          repository,
          (before) => ({
            rules: before!.rules,
            anchors: [...before!.anchors, { group: [name], date: '2025-01-01' }],
          }),
          'x',
          1,
        );
      await Promise.all([append('a'), append('b'), append('c')]);
      const { number, record } = await readStoredPolicies(repository);
      expect(number).toBe(13);
      expect(record!.anchors.map(({ group }) => group[0]).sort()).toEqual(['a', 'b', 'c']);
    });
  });

  test('one that cannot be opened counts, and so does one with a rule of a newer program', async () => {
    const its = await small();
    await its.use(async (repository) => {
      await changeStoredPolicies(repository, () => rules('1'), 'x', 1);
      await repository.backend.write('policies', '2', Buffer.from('no record'));
      await expect(readStoredPolicies(repository)).rejects.toThrow(/policies\/2: cannot be opened/);
      const change = (replaces: boolean) =>
        changeStoredPolicies(repository, () => rules('3'), 'x', 1, replaces);
      await expect(change(false)).rejects.toThrow(DamagedError);
      expect(await change(true)).toMatchObject({ number: 3, record: rules('3') });
      const newer = { rules: [{ name: 'keep-moonly', value: '1' }], anchors: [] };
      await changeStoredPolicies(repository, () => newer, 'x', 1);
      await expect(readStoredPolicies(repository)).rejects.toMatchObject({ code: 'newer-format' });
      await expect(change(true)).rejects.toMatchObject({ code: 'newer-format' });
    });
  });
});
