import { cpSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Backend, type BackendCall, type FaultPlan, withFaults } from '../../dist/backends/index.js';
import { DamagedError, ObjectExistsError, type SessionId } from '../../dist/core/index.js';
import { forgetSnapshot, type Repository, registerSession } from '../../dist/repo/index.js';
import {
  annotateSnapshot,
  forgetSnapshots,
  listForgotten,
  selectForgotten,
  unforgetSnapshot,
} from '../../dist/snapshot/index.js';
import { Copy, fillSource, SMALL } from './check-subject.js';
import { at, BY, forget, objects, plan, SECOND, takeAt } from './forget-subject.js';
import { Scratch } from './scratch-repository.js';
import { condemn, stopAtAnyCall } from './stopped-writer.js';
import { type Facts, factsOf } from './tree-facts.js';

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
        return forgetSnapshots(repository, ids.slice(0, 2), BY);
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
    const { snapshots } = await its.use((repository) => listForgotten(repository));
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
    id = summary.snapshot as SessionId;
    await original.use((repository) =>
      annotateSnapshot(repository, { id }, { comment: 'mine', pin: {} }, 'x', 1),
    );
    await forget(original, id);
  });
  afterAll(() => original.remove());

  const unforget = (its: Scratch) => its.use((repository) => unforgetSnapshot(repository, id, BY));

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
    await condemn(its);
    const { storedAgain } = await unforget(its);
    expect(storedAgain).toBeGreaterThan(1_500_000);
    for (const object of [...packs, ...segments, 'marks/1']) its.lose(object);
    await expectBack(its);
  });

  test('stopped at any call it can be done again, and then all is there', { timeout: 120_000 }, async () => {
    const small = new Scratch();
    onTestFinished(() => small.remove());
    await small.init();
    writeFileSync(join(small.source, 'file'), 'content');
    const taken = await takeAt(small, '2025-01-01T00:00');
    await small.use((repository) => annotateSnapshot(repository, { id: taken }, { pin: {} }, 'x', 1));
    await forget(small, taken);
    const again = (repository: Repository) => unforgetSnapshot(repository, taken, BY);
    const stops = await stopAtAnyCall(small, again, async (its, number) => {
      const there = await its.snapshots();
      const done = await its.use(again);
      expect(done.isNew).toBe(there.length === 0);
      // Also where a pin was all that was missing.
      expect(await its.snapshots()).toMatchObject([{ id: there[0]?.id ?? done.snapshot.id, pin: {} }]);
      if (number % 4 !== 1) return;
      const { target } = await its.restore(undefined, { path: small.source, threads: 1 });
      expect(factsOf(target)).toEqual(factsOf(small.source));
    });
    expect(stops).toBeGreaterThan(15);
  });

  test('starts over when it was held for dead', async () => {
    const its = new Copy(original);
    let fenced = 0;
    const plan: FaultPlan = ({ operation, kind, names }) => {
      if (operation !== 'write' || kind !== 'snapshots' || fenced++ > 0) return undefined;
      return { when: 'before', error: new ObjectExistsError(`snapshots/${names[0]}`) };
    };
    const wrapBackend = (medium: Backend) => withFaults(medium, plan);
    await its.use((repository) => unforgetSnapshot(repository, id, BY), { wrapBackend });
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
      expect(await listed(its)).toEqual([]);
    }
  });

  const listed = async (its: Scratch): Promise<SessionId[]> =>
    (await its.use((repository) => listForgotten(repository))).snapshots.map(({ snapshot }) => snapshot.id);

  test('is listed only while all is there that it needs itself', async () => {
    const its = new Copy(original);
    const before = its.objects('packs');
    writeFileSync(join(its.source, 'added'), 'to the same trees');
    cpSync(original.source, its.source, { recursive: true });
    const later = await takeAt(its, '2025-01-02T00:00');
    await forget(its, later);
    expect(await listed(its)).toEqual([id, later]);
    const added = its.objects('packs').filter((pack) => !before.includes(pack));
    expect(added.length).toBeGreaterThan(1);
    for (const pack of added) {
      const copy = new Copy(its);
      copy.lose(pack);
      expect(await listed(copy)).toEqual([id]);
      await expect(copy.use((repository) => unforgetSnapshot(repository, later, BY))).rejects.toThrow(
        'cannot be brought back',
      );
      await unforget(copy);
    }
  });

  test('is listed if it can be brought back, whichever pack is damaged', { timeout: 120_000 }, async () => {
    const lost = { listed: 0, unlisted: 0 };
    for (const pack of new Copy(original).objects('packs')) {
      const its = new Copy(original);
      its.flip(pack, its.size(pack) >> 1);
      const isListed = (await listed(its)).length > 0;
      const isBack = await unforget(its).then(
        () => true,
        () => false,
      );
      expect(isListed, pack).toBe(isBack);
      lost[isListed ? 'listed' : 'unlisted']++;
    }
    // Content is read by neither.
    expect(lost.listed).toBeGreaterThan(0);
    expect(lost.unlisted).toBeGreaterThan(0);
  });

  test('done again it is the same one, and of what was forgotten twice the last is listed', async () => {
    const its = new Copy(original);
    const first = await unforget(its);
    expect(first.isNew).toBe(true);
    await its.use((repository) =>
      annotateSnapshot(repository, first.snapshot, { tags: { set: ['new'] }, pin: 'none' }, 'x', 1),
    );
    // Whatever was changed of it since, a pin that was taken away too.
    const again = await unforget(its);
    expect(again).toMatchObject({
      isNew: false,
      storedAgain: 0,
      snapshot: { id: first.snapshot.id, about: { tags: ['new'] } },
    });
    expect(await its.snapshots()).toMatchObject([{ id: first.snapshot.id }]);
    expect((await its.snapshots())[0]).not.toHaveProperty('pin');
    expect(objects(its, 'sessions')).toEqual([]);
    expect(await listed(its)).toEqual([]);
    await its.use((repository) =>
      forgetSnapshots(repository, [first.snapshot.id], { ...BY, nowSeconds: SECOND + 1 }),
    );
    expect(await listed(its)).toEqual([first.snapshot.id]);
    const back = await unforget(its);
    expect(back).toMatchObject({ isNew: true, snapshot: { about: { tags: ['old'] } } });
    const same = await its.use((repository) => unforgetSnapshot(repository, first.snapshot.id, BY));
    expect(same).toMatchObject({ isNew: false, snapshot: { id: back.snapshot.id } });
  });

  test('lists what can be brought back, and finds it by the beginning of its id', async () => {
    const its = new Copy(original);
    const { snapshots, damaged, ids } = await its.use((repository) => listForgotten(repository));
    expect(snapshots).toMatchObject([{ snapshot: { id }, by: 'tester@here', forgotten: SECOND }]);
    expect({ damaged, ids }).toEqual({ damaged: [], ids: [id] });
    const select = (text: string) => its.use((repository) => selectForgotten(repository, text));
    expect(await select(id.slice(0, 5).toUpperCase())).toBe(id);
    await expect(select('latest')).rejects.toMatchObject({ code: 'not-found' });
    const other = id.startsWith('0') ? '1' : '0';
    await expect(select(other)).rejects.toMatchObject({ code: 'not-found' });
    its.copyOf(`forgotten/${id}`, `forgotten/${id.slice(0, 31)}${id.endsWith('0') ? '1' : '0'}`);
    await expect(select(id.slice(0, 5))).rejects.toMatchObject({ code: 'ambiguous' });
    expect((await its.use((repository) => listForgotten(repository))).damaged).toHaveLength(1);
    for (const object of [...its.objects('packs'), ...its.objects('index')]) its.lose(object);
    expect((await its.use((repository) => listForgotten(repository))).snapshots).toEqual([]);
    await expect(
      its.use((repository) => unforgetSnapshot(repository, 'f'.repeat(32) as SessionId, BY)),
    ).rejects.toMatchObject({ code: 'not-found' });
  });
});
