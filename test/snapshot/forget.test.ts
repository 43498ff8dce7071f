import { cpSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Backend, type BackendCall, type FaultPlan, withFaults } from '../../dist/backends/index.js';
import { DamagedError, ObjectExistsError, type SessionId } from '../../dist/core/index.js';
import {
  type Decision,
  decisionsOf,
  type GroupField,
  PolicyRefusedError,
  parseDate,
  TimeZone,
} from '../../dist/policy/index.js';
import {
  changeStoredPolicies,
  createRecord,
  forgetSnapshot,
  leaseRecord,
  markRecord,
  type Repository,
  readStoredPolicies,
  registerSession,
} from '../../dist/repo/index.js';
import {
  annotateSnapshot,
  applyForgetPlan,
  type ForgetOptions,
  type ForgetPlan,
  type ForgetRequest,
  forgetSnapshots,
  listForgotten,
  type PlannedSnapshot,
  planForget,
  selectForgotten,
  unforgetSnapshot,
} from '../../dist/snapshot/index.js';
import { Copy, fillSource, SMALL } from './check-subject.js';
import { Scratch, scratchRepository } from './scratch-repository.js';
import { type Facts, factsOf } from './tree-facts.js';

const UTC = new TimeZone('UTC');
const SECOND = 1_000_000;

const at = (text: string) => ({ seconds: Date.parse(`${text}Z`) / 1000, nanoseconds: 0 });

const by = (changes: Partial<ForgetOptions> = {}): ForgetOptions => ({
  by: 'tester@here',
  nowSeconds: SECOND,
  signal: new AbortController().signal,
  ...changes,
});

/** An id of a snapshot with that time. */
async function takeAt(its: Scratch, time: string, host = 'here'): Promise<SessionId> {
  return (await its.take({ time: at(time), host, threads: 1 })).summary.snapshot!;
}

const forget = (its: Scratch, ...ids: SessionId[]) =>
  its.use((repository) => forgetSnapshots(repository, ids, by()));

type Rules = ForgetRequest['policy'];

function planned(
  repository: Repository,
  policy: Rules,
  now: string,
  groupBy: readonly GroupField[] = ['host'],
): Promise<ForgetPlan> {
  return planForget(repository, { policy, groupBy, zone: UTC, now: at(now), filter: { tags: [] } });
}

const plan = (its: Scratch, policy: Rules, now = '2026-01-01T00:00', groupBy?: readonly GroupField[]) =>
  its.use((repository) => planned(repository, policy, now, groupBy));

const applied = (its: Scratch, policy: Rules, now: string) =>
  its.use(async (repository) => applyForgetPlan(repository, await planned(repository, policy, now), by()));

const reasonsOf = (forgetPlan: ForgetPlan): [id: string, reasons: readonly string[]][] =>
  decisionsOf(forgetPlan.plan).map(({ snapshot, reasons }: Decision<PlannedSnapshot>) => [
    snapshot.id,
    reasons,
  ]);

const objects = (its: Scratch, kind: string): string[] => readdirSync(join(its.repo, kind)).sort();

/** Some small files, and a repository for them. */
async function small(): Promise<Scratch> {
  const its = await scratchRepository();
  writeFileSync(join(its.source, 'file'), 'content');
  return its;
}

describe('forgetting by id', () => {
  const original = new Scratch();
  let ids: readonly SessionId[] = [];

  beforeAll(async () => {
    await original.init();
    writeFileSync(join(original.source, 'file'), 'content');
    ids = [
      await takeAt(original, '2025-01-01T00:00'),
      await takeAt(original, '2025-01-02T00:00'),
      await takeAt(original, '2025-01-03T00:00'),
    ];
  });
  afterAll(() => original.remove());

  /** Forgets the first two; faults begin when the repository is open. */
  async function forgetTwo(its: Copy, plan: FaultPlan): Promise<readonly SessionId[]> {
    let before: number | undefined;
    const faults: FaultPlan = (call) =>
      before === undefined ? undefined : plan({ ...call, number: call.number - before });
    let faulty: ReturnType<typeof withFaults> | undefined;
    return its.use(
      (repository) => {
        before = faulty?.calls ?? 0;
        return forgetSnapshots(repository, ids.slice(0, 2), by());
      },
      {
        wrapBackend: (medium) => {
          faulty = withFaults(medium, faults);
          return faulty;
        },
      },
    );
  }

  const named = (calls: readonly BackendCall[], id: SessionId): string[] =>
    calls.filter(({ names }) => names.includes(id)).map(({ operation, kind }) => `${operation} ${kind}`);

  test('the forgotten record comes before the snapshot goes', async () => {
    const its = new Copy(original);
    const calls: BackendCall[] = [];
    const forgotten = await forgetTwo(its, (call) => {
      calls.push(call);
      return undefined;
    });
    expect(forgotten).toEqual(ids.slice(0, 2));
    for (const id of forgotten) {
      expect(named(calls, id)).toEqual(['read snapshots', 'write forgotten', 'remove snapshots']);
    }
    expect((await its.snapshots()).map(({ id }) => id)).toEqual([ids[2]]);
    expect((await its.check()).findings).toEqual([]);
    expect(await forget(its, ...forgotten)).toEqual([]);
  });

  test('stopped at any call it can be done again, and no snapshot is neither there nor forgotten', async () => {
    const cases = Array.from({ length: 6 }, (_, i) => i + 1).flatMap((number) =>
      (['before', 'after'] as const).map((when) => ({ number, when })),
    );
    for (const { number, when } of cases) {
      const its = new Copy(original);
      const stop: FaultPlan = (call) => (call.number === number ? { when, stop: true } : undefined);
      await expect(forgetTwo(its, stop), `${when} ${number}`).rejects.toThrow('injected stop');
      for (const id of ids.slice(0, 2)) {
        const isThere = objects(its, 'snapshots').includes(id);
        expect(isThere || objects(its, 'forgotten').includes(id), `${when} ${number}`).toBe(true);
      }
      expect((await its.check(0)).findings).toEqual([]);
      await forget(its, ...ids.slice(0, 2));
      expect(objects(its, 'snapshots')).toEqual([ids[2]]);
      expect(objects(its, 'forgotten')).toEqual(ids.slice(0, 2).sort());
      expect((await its.snapshots()).map(({ id }) => id)).toEqual([ids[2]]);
    }
  });

  test('what a killed forget left is finished, and its record stays as it is', async () => {
    const its = new Copy(original);
    const [id] = ids as [SessionId];
    cpSync(join(its.repo, 'snapshots', id), join(its.root, 'kept'));
    await its.use((repository) => forgetSnapshot(repository, id, 'the first', 7));
    cpSync(join(its.root, 'kept'), join(its.repo, 'snapshots', id));
    expect(await forget(its, id)).toEqual([id]);
    expect(objects(its, 'snapshots')).not.toContain(id);
    const { snapshots } = await its.use(listForgotten);
    expect(snapshots).toMatchObject([{ snapshot: { id }, by: 'the first', forgotten: 7 }]);
  });

  test('a fence is no snapshot: it stays', async () => {
    const its = new Copy(original);
    await its.use(async (repository) => {
      const session = await registerSession(repository, repository.identity, 0);
      await session.abort([]);
      expect(await forgetSnapshot(repository, session.id, 'x', 0)).toBe('gone');
      expect(objects(its, 'snapshots')).toContain(session.id);
      expect(objects(its, 'forgotten')).toEqual([]);
    });
  });

  test('a damaged record is not forgotten and does not keep others from it; no policy is applied', async () => {
    const its = new Copy(original);
    its.flip(`snapshots/${ids[1]}`, 100);
    await expect(forget(its, ids[1]!)).rejects.toThrow(DamagedError);
    await expect(plan(its, { last: 1 })).rejects.toThrow(
      /snapshots\/.*: cannot be opened, so nobody can tell/,
    );
    expect(await forget(its, ids[0]!)).toEqual([ids[0]]);
    expect(objects(its, 'snapshots')).toContain(ids[1]);
    expect(objects(its, 'forgotten')).toEqual([ids[0]]);
  });
});

describe('unforget', () => {
  const original = new Scratch();
  let facts: Facts = {};
  let id: SessionId;

  beforeAll(async () => {
    await original.init(SMALL);
    await fillSource(original.source);
    facts = factsOf(original.source);
    const { summary } = await original.take({ tags: ['old'], time: at('2025-01-01T00:00') });
    id = summary.snapshot!;
    await original.use((repository) =>
      annotateSnapshot(repository, { id }, { comment: 'mine', pin: {} }, 'x', 1),
    );
    await forget(original, id);
  });
  afterAll(() => original.remove());

  const unforget = (its: Scratch) => its.use((repository) => unforgetSnapshot(repository, id, by()));

  async function expectBack(its: Scratch): Promise<void> {
    const [back, ...others] = await its.snapshots();
    expect(others).toEqual([]);
    expect(back).toMatchObject({
      about: { ...at('2025-01-01T00:00'), tags: ['old'], comment: 'mine' },
      pin: {},
    });
    expect(back!.id).not.toBe(id);
    const { target, summary, problems } = await its.restore(back!.id, { path: original.source });
    expect({ lost: summary.lost, problems }).toEqual({ lost: 0, problems: [] });
    expect(factsOf(target)).toEqual(facts);
    expect((await its.check()).findings).toEqual([]);
    expect(objects(its, 'sessions')).toEqual([]);
  }

  test('brings back all there was, as a new snapshot, and stores nothing', async () => {
    const its = new Copy(original);
    const packs = its.objects('packs');
    expect(await unforget(its)).toMatchObject({ storedAgain: 0 });
    await expectBack(its);
    expect(its.objects('packs')).toEqual(packs);
    expect(objects(its, 'forgotten')).toEqual([id]);
  });

  test('what is condemned is stored again, and what a prune then removes is not missed', async () => {
    const its = new Copy(original);
    const packs = its.objects('packs');
    const segments = its.objects('index');
    expect(packs.length).toBeGreaterThan(5);
    const condemned = packs.map((path) => Buffer.from(path.slice(-64), 'hex'));
    await its.use(async ({ backend, records }) => {
      await createRecord(backend, 'marks', '1', markRecord, { packs: condemned }, records);
      await createRecord(
        backend,
        'leases',
        'prune/2',
        leaseRecord,
        { role: 'closing', segments: [] },
        records,
      );
    });
    const { storedAgain } = await unforget(its);
    expect(storedAgain).toBeGreaterThan(1_500_000);
    for (const object of [...packs, ...segments, 'marks/1']) its.lose(object);
    await expectBack(its);
  });

  test('starts over when it was held for dead', async () => {
    const its = new Copy(original);
    let fenced = 0;
    const plan: FaultPlan = ({ operation, kind, names }) => {
      if (operation !== 'write' || kind !== 'snapshots' || fenced++ > 0) return undefined;
      return { when: 'before', error: new ObjectExistsError(`snapshots/${names[0]}`) };
    };
    const wrapBackend = (medium: Backend) => withFaults(medium, plan);
    await its.use((repository) => unforgetSnapshot(repository, id, by()), { wrapBackend });
    expect(fenced).toBe(2);
    await expectBack(its);
  });

  test('is refused when a single pack was swept, and then nothing is committed', async () => {
    const packs = new Copy(original).objects('packs');
    for (const pack of [packs[0]!, packs.at(-1)!, packs[3]!]) {
      const its = new Copy(original);
      its.lose(pack);
      await expect(unforget(its)).rejects.toMatchObject({
        code: 'not-found',
        message: expect.stringContaining('cannot be brought back'),
      });
      expect(await its.snapshots()).toEqual([]);
      expect(objects(its, 'sessions')).toEqual([]);
    }
  });

  test('lists what can perhaps be brought back, and finds it by the beginning of its id', async () => {
    const its = new Copy(original);
    const { snapshots, damaged } = await its.use(listForgotten);
    expect(snapshots).toMatchObject([{ snapshot: { id }, by: 'tester@here', forgotten: SECOND }]);
    expect(damaged).toEqual([]);
    const select = (text: string) => its.use((repository) => selectForgotten(repository, text));
    expect(await select(id.slice(0, 5).toUpperCase())).toBe(id);
    await expect(select('latest')).rejects.toMatchObject({ code: 'not-found' });
    const other = id.startsWith('0') ? '1' : '0';
    await expect(select(other)).rejects.toMatchObject({ code: 'not-found' });
    its.copyOf(`forgotten/${id}`, `forgotten/${id.slice(0, 31)}${id.endsWith('0') ? '1' : '0'}`);
    await expect(select(id.slice(0, 5))).rejects.toMatchObject({ code: 'ambiguous' });
    expect((await its.use(listForgotten)).damaged).toHaveLength(1);
    for (const object of [...its.objects('packs'), ...its.objects('index')]) its.lose(object);
    expect((await its.use(listForgotten)).snapshots).toEqual([]);
    await expect(
      its.use((repository) => unforgetSnapshot(repository, 'f'.repeat(32) as SessionId, by())),
    ).rejects.toMatchObject({ code: 'not-found' });
  });
});

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
    expect(await applied(its, { counts: { daily: 1 } }, '2025-01-03T00:00')).toEqual([b]);
    expect((await its.snapshots()).map(({ id }) => id)).toEqual([a, c]);
    expect(objects(its, 'policies')).toEqual([]);
    await expect(plan(its, {})).rejects.toThrow(PolicyRefusedError);
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
    expect(await applied(its, oldest, now)).toEqual([ids[1], ids[3]]);
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
      applyForgetPlan(repository, await planned(repository, oldest, '2025-01-03T00:00', groupBy), by()),
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
