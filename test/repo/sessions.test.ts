import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Backend, MemoryBackend, type ObjectKind, withFaults } from '../../dist/backends/index.js';
import { chunkIdAt, type ObjectDigest, ownIdentity, type SessionId, toHex } from '../../dist/core/index.js';
import {
  beginSession,
  endDeadSessions,
  type FinishedPack,
  fenceSession,
  hasOutcome,
  initRepository,
  knownChunks,
  listSessions,
  loadRepository,
  type OutcomeRecord,
  outcomeRecord,
  outcomeSegments,
  PackStore,
  type Repository,
  readable,
  readRecord,
  readView,
  recordMemory,
  registerSession,
  type SessionContext,
  syncIndex,
} from '../../dist/repo/index.js';
import { noise, packsOf, plainKeys, randomDigest, recordContext, scratchFolder } from './parts.js';

const identity = ownIdentity('here');
const OUTCOME: Omit<OutcomeRecord, 'outcome'> = { segments: [], seen: [] };
const folder = scratchFolder();

function context(backend: Backend = new MemoryBackend()): SessionContext {
  return { backend, records: recordContext(plainKeys) };
}

async function names(backend: Backend, kind: ObjectKind): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of backend.list(kind)) found.push(name);
  return found.sort();
}

function outcomeOf(its: SessionContext, id: SessionId): Promise<OutcomeRecord> {
  return readRecord(its.backend, 'snapshots', id, outcomeRecord, its.records);
}

describe('a session', () => {
  test('is known from its first object to its last', async () => {
    const its = context();
    const session = await registerSession(its, identity, 1234);
    const [found] = await listSessions(its);
    expect(found).toMatchObject({ id: session.id, beat: 0, record: { ...identity, started: 1234 } });
    await session.commit(OUTCOME);
    expect(await listSessions(its)).toEqual([]);
    expect(await names(its.backend, 'sessions')).toEqual([]);
    expect(await outcomeOf(its, session.id)).toMatchObject({ outcome: 'commit' });
  });

  test('whose commit took place although its answer was lost has committed', async () => {
    const inner = new MemoryBackend();
    const lost = withFaults(inner, ({ operation, kind }) =>
      operation === 'write' && kind === 'snapshots' ? { when: 'after' } : undefined,
    );
    const its = context(lost);
    const session = await registerSession(its, identity, 0);
    await session.commit(OUTCOME);
    expect(await outcomeOf(its, session.id)).toMatchObject({ outcome: 'commit' });
    const away = withFaults(inner, ({ kind }) => (kind === 'snapshots' ? { when: 'before' } : undefined));
    const other = await registerSession(context(away), identity, 0);
    await expect(other.commit(OUTCOME)).rejects.toMatchObject({ code: 'backend' });
    expect(await names(inner, 'snapshots')).toEqual([session.id]);
  });

  test('one of whose beats arrived although its answer was lost beats on', async () => {
    const inner = new MemoryBackend();
    let isLost = true;
    const its = context(
      withFaults(inner, ({ names: [name = ''] }) =>
        isLost && name.endsWith('/2') ? { when: 'after' } : undefined,
      ),
    );
    const session = await registerSession(its, identity, 0);
    await session.beat();
    await expect(session.beat()).rejects.toMatchObject({ code: 'backend' });
    isLost = false;
    await session.beat();
    await session.beat();
    expect((await listSessions(its))[0]!.beat).toBe(3);
  });

  test('beats: one heartbeat beside number 0, each with the next number', async () => {
    const its = context();
    const session = await registerSession(its, identity, 0);
    for (let beat = 1; beat <= 4; beat++) {
      await session.beat();
      expect(await names(its.backend, 'sessions')).toEqual([`${session.id}/0`, `${session.id}/${beat}`]);
      expect((await listSessions(its))[0]!.beat).toBe(beat);
    }
    await session.commit(OUTCOME);
    await session.beat();
    expect(await names(its.backend, 'sessions')).toEqual([]);
  });

  test('that aborts leaves a fence with its segments', async () => {
    const its = context();
    const session = await registerSession(its, identity, 0);
    const segments = [randomDigest(), randomDigest()];
    await session.abort(segments);
    const outcome = await outcomeOf(its, session.id);
    expect(outcome.outcome).toBe('fence');
    expect(outcomeSegments(outcome)).toEqual(segments);
    expect(await names(its.backend, 'sessions')).toEqual([]);
  });

  test('that was fenced cannot commit, and clears its objects', async () => {
    const its = context();
    const session = await registerSession(its, identity, 0);
    await session.beat();
    const segment = randomDigest();
    await fenceSession(its, session.id, async () => [segment]);
    await expect(session.commit(OUTCOME)).rejects.toMatchObject({ code: 'fenced' });
    expect(outcomeSegments(await outcomeOf(its, session.id))).toEqual([segment]);
    expect(await names(its.backend, 'sessions')).toEqual([]);
  });

  test('that has committed cannot be fenced', async () => {
    const its = context();
    const session = await registerSession(its, identity, 0);
    await session.commit(OUTCOME);
    await fenceSession(its, session.id, async () => expect.unreachable('no segments are asked for'));
    expect(await outcomeOf(its, session.id)).toMatchObject({ outcome: 'commit' });
  });

  test('that was forgotten is not fenced either: its outcome was removed, not missing', async () => {
    const its = context();
    const session = await registerSession(its, identity, 0);
    await its.backend.write('forgotten', session.id, Buffer.from('any'));
    expect(await hasOutcome(its.backend, session.id)).toBe(true);
    await fenceSession(its, session.id, async () => expect.unreachable('no segments are asked for'));
    expect(await names(its.backend, 'snapshots')).toEqual([]);
    expect(await names(its.backend, 'sessions')).toEqual([]);
  });

  test('without its number 0 is none: its heartbeats are left over', async () => {
    const its = context();
    const session = await registerSession(its, identity, 0);
    await session.beat();
    await its.backend.remove('sessions', `${session.id}/0`);
    expect(await listSessions(its)).toEqual([]);
  });

  test('has committed once its outcome exists, even if its objects cannot be removed', async () => {
    const memory = new MemoryBackend();
    const backend = withFaults(memory, ({ operation }) =>
      operation.startsWith('remove') ? { when: 'before' } : undefined,
    );
    const session = await registerSession(context(backend), identity, 0);
    await session.commit(OUTCOME);
    const its = context(memory);
    expect(await outcomeOf(its, session.id)).toMatchObject({ outcome: 'commit' });
    await fenceSession(its, session.id, async () => []);
    expect(await names(memory, 'sessions')).toEqual([]);
  });

  test('is removed with number 0 last', async () => {
    const order: string[] = [];
    const backend = withFaults(new MemoryBackend(), ({ operation, names: removed }) => {
      if (operation === 'remove' || operation === 'removeMany') order.push(...removed);
      return undefined;
    });
    const its = context(backend);
    const session = await registerSession(its, identity, 0);
    await session.beat();
    await session.commit(OUTCOME);
    expect(order).toEqual([`${session.id}/1`, `${session.id}/0`]);
  });
});

describe('of commit and fence', () => {
  test('exactly one happens when both are tried at the same time', async () => {
    const results = new Set<string>();
    for (let round = 0; round < 40; round++) {
      // The medium answers in another order each time.
      const slow = withFaults(new MemoryBackend(), () => undefined);
      const delayed: Backend = {
        ...slow,
        list: (kind, options) => slow.list(kind, options),
        write: async (...call) => {
          for (let i = (round * 7) % 5; i > 0; i--) await null;
          return slow.write(...call);
        },
      };
      const its = context(delayed);
      const session = await registerSession(its, identity, 0);
      const steps = round % 8;
      const committing = (async () => {
        for (let i = 0; i < steps; i++) await null;
        return session.commit(OUTCOME).then(
          () => 'committed',
          (error: { code: string }) => error.code,
        );
      })();
      const fencing = fenceSession(its, session.id, async () => []);
      const [committed] = await Promise.all([committing, fencing]);
      const { outcome } = await outcomeOf(its, session.id);
      expect(committed).toBe(outcome === 'commit' ? 'committed' : 'fenced');
      expect(await names(its.backend, 'sessions')).toEqual([]);
      results.add(outcome);
    }
    expect([...results].sort()).toEqual(['commit', 'fence']);
  });

  test('a commit whose answer was lost, and that cannot be read back, is there', async () => {
    const memory = new MemoryBackend();
    const session = await registerSession(
      context(
        withFaults(memory, ({ number, operation, kind }) => {
          if (operation === 'read' && kind === 'snapshots') return { when: 'before' };
          return number === 2 ? { when: 'after' } : undefined;
        }),
      ),
      identity,
      0,
    );
    await expect(session.commit(OUTCOME)).rejects.toMatchObject({ code: 'backend' });
    // What the run does next: it gives up, which must not undo what happened.
    await session.abort([]);
    expect(await outcomeOf(context(memory), session.id)).toMatchObject({ outcome: 'commit' });
  });
});

/** Process id of one that has ended. */
function endedPid(): number {
  return spawnSync(process.execPath, ['-e', '']).pid;
}

async function newRepository(name: string): Promise<Repository> {
  return initRepository(
    {
      location: join(folder, name),
      password: async () => Buffer.from('secret'),
      cacheRoot: join(folder, `${name}-cache`),
      portable: false,
      host: 'here',
      now: () => 1_700_000_000_000,
      report: () => undefined,
    },
    {
      encrypted: false,
      chunkBytes: 65_536,
      blockBytes: 4_194_304,
      packBytes: 33_554_432,
      compression: 3,
      pad: false,
    },
  );
}

/** What a run stores before it is killed: a pack and the segment of a checkpoint. */
async function storeAs(
  repository: Repository,
  session: SessionId,
  content: Uint8Array,
): Promise<{ readonly pack: FinishedPack; readonly segment: ObjectDigest }> {
  const { backend, records, keys } = repository;
  const [pack] = packsOf(folder, keys, 'data', [content]);
  const store = new PackStore({
    backend,
    records,
    // The killed process had a cache of its own.
    known: { has: () => false, addSegment: async () => undefined },
    author: { kind: 'session', session },
    clock: () => 0,
  });
  store.store(pack!);
  const [segment] = await store.finish();
  return { pack: pack!, segment: segment! };
}

describe('dead sessions of the own host', () => {
  test('are ended, and what their checkpoints named counts from then on', async () => {
    const repository = await newRepository('dead');
    try {
      const its = { backend: repository.backend, records: repository.records };
      const dead = await registerSession(its, { ...repository.identity, pid: endedPid(), startTime: 1 }, 0);
      await dead.beat();
      const { pack, segment } = await storeAs(repository, dead.id, noise(1000, 'dead'));
      const id = chunkIdAt(pack.table.ids);
      const before = await loadRepository(repository);
      expect(knownChunks(repository.cache, before.sync.unreliable).has(id)).toBe(false);
      expect(await endDeadSessions(repository)).toEqual([dead.id]);
      const outcome = await outcomeOf(its, dead.id);
      expect(outcome.outcome).toBe('fence');
      expect(outcomeSegments(outcome)).toEqual([segment]);
      expect(await names(repository.backend, 'sessions')).toEqual([]);
      const after = await loadRepository(repository);
      expect(knownChunks(repository.cache, after.sync.unreliable).has(id)).toBe(true);
      expect(await endDeadSessions(repository)).toEqual([]);
    } finally {
      await repository.close();
    }
  });

  test('are the only ones: the living, other hosts and the unreadable are left alone', async () => {
    const repository = await newRepository('others');
    try {
      const its = { backend: repository.backend, records: repository.records };
      const own = await registerSession(its, repository.identity, 0);
      const foreign = { host: 'elsewhere', pid: endedPid(), startTime: 1, bootId: 'another boot' };
      const other = await registerSession(its, foreign, 0);
      const named = { ...repository, identity: { ...repository.identity, machine: 'a'.repeat(32) } };
      const twin = { ...foreign, host: named.identity.host, machine: 'b'.repeat(32) };
      const namesake = await registerSession(its, twin, 0);
      const unreadable = toHex(noise(16, 'unreadable'));
      await repository.backend.write('sessions', `${unreadable}/0`, Buffer.from('garbage'));
      expect(await endDeadSessions(named)).toEqual([]);
      const found = await listSessions(its);
      expect(found.map(({ id }) => id).sort()).toEqual([own.id, other.id, namesake.id, unreadable].sort());
      expect(found.find(({ id }) => id === namesake.id)!.record).toMatchObject(twin);
      expect(found.find(({ id }) => id === unreadable)!.record).toBeUndefined();
    } finally {
      await repository.close();
    }
  });

  test('are ended by whoever begins a session, and the new one is registered', async () => {
    const repository = await newRepository('begin');
    try {
      const its = { backend: repository.backend, records: repository.records };
      const dead = await registerSession(its, { ...repository.identity, pid: endedPid(), startTime: 1 }, 0);
      const session = await beginSession(repository);
      expect((await listSessions(its)).map(({ id }) => id)).toEqual([session.id]);
      expect(await outcomeOf(its, dead.id)).toMatchObject({ outcome: 'fence' });
      await session.commit(OUTCOME);
      expect(await names(repository.backend, 'sessions')).toEqual([]);
    } finally {
      await repository.close();
    }
  });
});

describe('a commit', () => {
  test('is remembered when the store has it, and not when it came too late', async () => {
    const repository = await newRepository('remembered');
    const { backend, cache } = repository;
    try {
      const session = await beginSession(repository);
      const stored = await session.commit(OUTCOME);
      expect(stored).toEqual(await backend.read('snapshots', session.id));
      expect(cache.getRecord('snapshots', session.id)).toEqual(stored);
      const late = await beginSession(repository);
      await fenceSession(repository, late.id, async () => []);
      await expect(late.commit(OUTCOME)).rejects.toMatchObject({ code: 'fenced' });
      expect(cache.getRecord('snapshots', late.id)).toBeUndefined();
    } finally {
      await repository.close();
    }
  });

  test('whose cache fails is a commit all the same', async () => {
    const repository = await newRepository('unremembered');
    const failing = new Proxy(repository.cache, {
      get: (cache, name) => {
        if (name === 'putRecord') return () => expect.fail('the disk of the cache is full');
        const value = Reflect.get(cache, name, cache) as unknown;
        return typeof value === 'function' ? value.bind(cache) : value;
      },
    });
    try {
      const session = await beginSession({ ...repository, cache: failing });
      await session.commit(OUTCOME);
      expect(await outcomeOf(repository, session.id)).toMatchObject({ outcome: 'commit' });
    } finally {
      await repository.close();
    }
  });
});

describe('a listing of packs of a moment ago', () => {
  test('does not make one missing that came later, and one that is gone is missing', async () => {
    const repository = await newRepository('listed');
    const { backend, cache, records } = repository;
    try {
      const session = await beginSession(repository);
      const { segment } = await storeAs(repository, session.id, noise(1000, 'late'));
      await session.commit({ segments: [Buffer.from(segment, 'hex')], seen: [] });
      const view = await readView(backend, records, recordMemory(cache));
      const sync = () => syncIndex(repository, view, readable(view, false), { packs: new Map() });
      expect((await sync()).missingPacks).toEqual([]);
      const [name = ''] = await names(backend, 'packs');
      expect(cache.packNames()).toEqual([name]);
      await backend.remove('packs', name);
      expect((await sync()).missingPacks).toEqual([name]);
    } finally {
      await repository.close();
    }
  });
});
