import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { appendOnly, type Backend, type ObservedBackend, withTraffic } from '../../dist/backends/index.js';
import { BackendError } from '../../dist/core/index.js';
import { registerSession, removeKeySlot } from '../../dist/repo/index.js';
import { sessionStatus } from '../../dist/snapshot/index.js';
import { SMALL } from './check-subject.js';
import { altered } from './mirror-subject.js';
import {
  expectClean,
  expectRestored,
  forget,
  objectsIn,
  prune,
  pruneIn,
  writeFiles,
} from './prune-subject.js';
import { scratchRepository } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

const adding = { wrapBackend: appendOnly };

describe('where objects are only added', () => {
  test('snapshots are taken and restored, and what they leave is cleared by the next prune', async () => {
    const its = await scratchRepository(SMALL);
    writeFiles(its, 'steady', 1, 8, 20_000);
    for (let i = 0; i < 3; i++) {
      writeFileSync(join(its.source, 'changing'), String(i));
      const { summary } = await its.take({ threads: 1 }, adding);
      await expectRestored(its, summary.snapshot!, factsOf(its.source), adding);
    }
    expect(objectsIn(its, 'sessions')).toHaveLength(3);
    await expectClean(its);
    expect((await its.check(0)).notes.join()).not.toContain('session');
    expect(await its.use((repository) => sessionStatus(repository))).toEqual([]);
    expect(await prune(its)).toMatchObject({ state: 'swept', pending: [] });
    expect(objectsIn(its, 'sessions')).toEqual([]);
    await expectClean(its);
  });

  test('what would remove something is refused before it changes anything', async () => {
    const its = await scratchRepository({ ...SMALL, encrypted: true });
    writeFiles(its, 'steady', 1, 2, 20_000);
    const { summary } = await its.take({ threads: 1 });
    const kinds = ['forgotten', 'snapshots', 'leases', 'keys', 'packs', 'marks'];
    const before = kinds.map((kind) => objectsIn(its, kind));
    for (const refused of [
      () => forget(its, summary.snapshot!, adding),
      () => prune(its, {}, adding),
      () => its.use(({ backend }) => removeKeySlot(backend, objectsIn(its, 'keys')[0]!), adding),
    ]) {
      await expect(refused()).rejects.toMatchObject({
        code: 'read-only',
        hint: expect.stringContaining('Nothing was changed'),
      });
    }
    expect(kinds.map((kind) => objectsIn(its, kind))).toEqual(before);
    expect(await prune(its, { dryRun: true }, adding)).toMatchObject({ state: 'planned' });
  });

  test('a store that refuses removals stops no session, and is asked once', async () => {
    const its = await scratchRepository(SMALL);
    writeFiles(its, 'steady', 1, 2, 20_000);
    let asked = 0;
    const refuse = async (): Promise<never> => {
      asked++;
      throw new BackendError('access is denied', false);
    };
    const refusing = (medium: Backend): Backend => altered(medium, { remove: refuse, removeMany: refuse });
    await its.use(
      async (repository) => {
        const session = await registerSession(repository, repository.identity, 1);
        for (let i = 0; i < 5; i++) await session.beat();
        expect(session.leavesBeats).toBe(true);
        await session.abort([]);
      },
      { wrapBackend: refusing },
    );
    expect(asked).toBe(1);
    expect(objectsIn(its, 'sessions')).toHaveLength(6);
    // Nor does a session of a killed process that cannot be cleared away.
    const { summary } = await its.take({ threads: 1 }, { wrapBackend: refusing });
    await expectRestored(its, summary.snapshot!, factsOf(its.source));
    await prune(its);
    expect(objectsIn(its, 'sessions')).toEqual([]);
  });

  test('many sessions that were left cost a prune few calls', async () => {
    const its = await scratchRepository(SMALL);
    writeFiles(its, 'steady', 1, 2, 20_000);
    await its.take({ threads: 1 });
    await its.use(async (repository) => {
      for (let i = 0; i < 30; i++) {
        const session = await registerSession(repository, repository.identity, 1);
        for (let beats = 0; beats < 4; beats++) await session.beat();
        await session.abort([]);
      }
    }, adding);
    expect(objectsIn(its, 'sessions')).toHaveLength(150);
    let observed: ObservedBackend | undefined;
    const wrapBackend = (medium: Backend): Backend => {
      observed = withTraffic(medium);
      return observed;
    };
    await its.use(
      async (repository) => {
        const before = { ...observed!.traffic };
        const calls = (each: keyof typeof before): number => observed!.traffic[each].calls;
        const reads = calls('read') + calls('stat');
        const lists = calls('list');
        await pruneIn(repository);
        // The fences themselves are read, once by each machine.
        expect(calls('read') + calls('stat') - reads).toBeLessThan(50);
        expect(calls('list') - lists).toBeLessThan(50);
      },
      { wrapBackend },
    );
    expect(objectsIn(its, 'sessions')).toEqual([]);
  });
});
