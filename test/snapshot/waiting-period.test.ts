import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { forwardTo } from '../../dist/backends/forward.js';
import type { Backend, ObjectKind } from '../../dist/backends/index.js';
import { summaryLines } from '../../dist/cli/prune-run.js';
import {
  createFence,
  type OpenOptions,
  type PruneSummary,
  probeOf,
  registerSession,
} from '../../dist/repo/index.js';
import { overwriting } from '../backends/overwriting.js';
import { forget, objectsIn, prune } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratch } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

/** Repositories on a store that silently overwrites: what is to go waits, and nothing that is needed goes. */

const HOUR_MS = 3_600_000;
const START = Date.parse('2030-01-01T00:00:00Z');

class Subject {
  hour = 0;

  constructor(readonly its: Scratch) {}

  opening(changes: Partial<OpenOptions> = {}): Partial<OpenOptions> {
    return { wrapBackend: overwriting, now: () => START + this.hour * HOUR_MS, ...changes };
  }

  take() {
    return this.its.take({}, this.opening());
  }

  prune(changes: Partial<OpenOptions> = {}): Promise<PruneSummary> {
    const timing = {
      clock: () => this.hour * HOUR_MS,
      sleep: async () => undefined,
      timeToLiveMs: 600_000,
      pollMs: 1,
      heartbeatMs: 0,
    };
    return prune(this.its, { timing, examine: () => 'unknown' }, this.opening(changes));
  }

  put(name: string, seed: number, bytes = 300_000): void {
    mkdirSync(this.its.source, { recursive: true });
    writeFileSync(join(this.its.source, name), randomContent(seed, bytes));
  }

  /** The newest snapshot is as the source, and nothing is wrong. */
  async expectSound(): Promise<void> {
    const { target } = await this.its.restore(undefined, {}, this.opening());
    expect(factsOf(target)).toEqual(factsOf(this.its.source));
    expect(await this.its.check(100, this.opening())).toMatchObject({ findings: [] });
  }

  get packs(): number {
    return objectsIn(this.its, 'packs').length;
  }
}

async function subject(): Promise<Subject> {
  const made = new Subject(scratch());
  await made.its.init({}, made.opening());
  return made;
}

/** A repository of which the first of two snapshots is forgotten; packs of the first alone are unused. */
async function withWaste(): Promise<Subject> {
  const made = await subject();
  made.put('old', 1);
  made.put('common', 2);
  const { summary } = await made.take();
  rmSync(join(made.its.source, 'old'));
  made.put('new', 3);
  await made.take();
  await forget(made.its, summary.snapshot!, made.opening());
  return made;
}

/** Does something once, before the first write of that kind, or after it. */
function atWrite(
  kind: ObjectKind,
  action: (name: string) => Promise<void>,
  when: 'before' | 'after' = 'before',
) {
  return (medium: Backend): Backend => {
    const inner = overwriting(medium);
    let isDone = false;
    return {
      ...forwardTo(inner),
      write: async (to, name, ...call) => {
        const isNow = to === kind && !isDone;
        isDone ||= isNow;
        if (isNow && when === 'before') await action(name);
        await inner.write(to, name, ...call);
        if (isNow && when === 'after') await action(name);
      },
    };
  };
}

test('init says what the store lacks, and keeps it', async () => {
  const { its, ...made } = await subject();
  expect(its.reports.join()).toContain('A second write of a name silently replaces the first.');
  void made;
  await its.use(async (repository) => {
    expect(repository.waitingMs).toBe(24 * HOUR_MS);
    expect(probeOf(repository.config)).toMatchObject({ missing: ['create-only'] });
    expect(repository.backend.capabilities.createOnly).toBe(false);
  });
});

test('a prune marks, says when, and a later one removes', async () => {
  const made = await withWaste();
  const before = made.packs;
  const first = await made.prune();
  expect(first).toMatchObject({ state: 'waiting', packsRemoved: 0, removableAt: START + 24 * HOUR_MS });
  expect(first.condemned.packs).toBeGreaterThan(0);
  await made.expectSound();
  made.hour = 23;
  expect(await made.prune()).toMatchObject({ state: 'waiting', removableAt: START + 24 * HOUR_MS });
  expect(made.packs).toBeGreaterThanOrEqual(before);
  made.hour = 25;
  expect(await made.prune()).toMatchObject({ state: 'swept', packsRemoved: first.condemned.packs });
  expect(objectsIn(made.its, 'marks')).toEqual([]);
  await made.expectSound();
  made.hour = 50;
  await made.prune();
  made.hour = 75;
  expect(await made.prune()).toMatchObject({ state: 'swept', condemned: { packs: 0 }, bytesUnused: 0 });
  await made.expectSound();
});

test('what was committed meanwhile and relies on what waits is copied, and the rest waits anew', async () => {
  const made = await subject();
  made.put('a', 1);
  made.put('b', 2);
  const { summary } = await made.take();
  await forget(made.its, summary.snapshot!, made.opening());
  // It has read that all is there, and a prune condemns it before it commits.
  const pruned = atWrite('snapshots', async () => {
    expect(await made.prune({ cacheRoot: join(made.its.root, 'other') })).toMatchObject({ state: 'waiting' });
  });
  const { summary: late } = await made.its.take({}, made.opening({ wrapBackend: pruned }));
  expect(late.statistics.storedBytes).toBeLessThan(100_000);
  await made.expectSound();
  made.hour = 25;
  expect(await made.prune()).toMatchObject({
    state: 'waiting',
    packsRemoved: 0,
    removableAt: START + 49 * HOUR_MS,
  });
  await made.expectSound();
  made.hour = 50;
  expect(await made.prune()).toMatchObject({ state: 'swept' });
  await made.expectSound();
});

test('nothing goes while a session may still commit that has not seen the mark', async () => {
  const made = await withWaste();
  const { its } = made;
  const elsewhere = { host: 'elsewhere', pid: 1, bootId: 'of another machine', startTime: 1 };
  const writer = await its.use(
    ({ backend, records }) => registerSession({ backend, records }, elsewhere, 1),
    made.opening(),
  );
  await made.prune();
  made.hour = 10;
  await its.use(
    async ({ backend }) => backend.write('sessions', `${writer.id}/1`, Buffer.from('a beat')),
    made.opening(),
  );
  await made.prune();
  made.hour = 25;
  expect(await made.prune()).toMatchObject({
    state: 'pending',
    pending: [{ session: writer.id }],
    packsRemoved: 0,
  });
  // Silent for the waiting period, as far as this machine has seen.
  made.hour = 36;
  expect(await made.prune()).toMatchObject({ state: 'swept' });
  await made.expectSound();
});

test('a fence that may yet be replaced by a commit holds up what waits', async () => {
  const made = await withWaste();
  const { its } = made;
  const elsewhere = { host: 'elsewhere', pid: 1, bootId: 'of another machine', startTime: 1 };
  await its.use(async ({ backend, records }) => {
    const { id } = await registerSession({ backend, records }, elsewhere, 1);
    await made.prune({ cacheRoot: join(its.root, 'other') });
    made.hour = 20;
    const awake = { waitingMs: 24 * HOUR_MS, now: () => START + made.hour * HOUR_MS, clock: () => 0 };
    await createFence({ backend, records, awake }, id, async () => []);
  }, made.opening());
  made.hour = 25;
  expect(await made.prune()).toMatchObject({ state: 'pending', packsRemoved: 0 });
  made.hour = 45;
  expect(await made.prune()).toMatchObject({ state: 'swept' });
  await made.expectSound();
});

test('a snapshot that slept for half the waiting period starts over', async () => {
  const made = await subject();
  made.put('a', 1);
  const wrapBackend = atWrite('index', async () => {
    made.hour = 12;
  });
  const { summary } = await made.its.take({}, made.opening({ wrapBackend }));
  expect(objectsIn(made.its, 'snapshots')).toHaveLength(2);
  expect(objectsIn(made.its, 'snapshots')).toContain(summary.snapshot);
  expect(objectsIn(made.its, 'sessions')).toEqual([]);
  await made.expectSound();
});

test('a snapshot whose commit was replaced by a fence starts over', async () => {
  const made = await subject();
  made.put('a', 1);
  const wrapBackend = (medium: Backend): Backend => {
    let other: Uint8Array | undefined;
    return atWrite(
      'snapshots',
      async (name) => {
        await made.its.use(async ({ backend, records }) => {
          await backend.remove('snapshots', name);
          await createFence({ backend, records }, name as never, async () => []);
          other = await backend.read('snapshots', name);
        }, made.opening());
        expect(other).toBeDefined();
      },
      'after',
    )(medium);
  };
  await made.its.take({}, made.opening({ wrapBackend }));
  expect(objectsIn(made.its, 'snapshots')).toHaveLength(2);
  await made.expectSound();
});

test('of two prunes that hold one epoch the later closing counts, and nothing is lost', async () => {
  const made = await withWaste();
  const both = await Promise.all(
    [1, 2].map((number) =>
      made.prune({ cacheRoot: join(made.its.root, `machine ${number}`) }).catch((error: Error) => error),
    ),
  );
  expect(both.some((each) => !(each instanceof Error))).toBe(true);
  for (const hour of [25, 50, 75, 100]) {
    made.hour = hour;
    await made.prune();
    await made.expectSound();
  }
  expect(await made.prune()).toMatchObject({ condemned: { packs: 0 }, bytesUnused: 0 });
});

test('a prune that takes more than half of the waiting period removes nothing, and says why', async () => {
  const made = await withWaste();
  await made.prune();
  const marked = made.packs;
  made.hour = 25;
  let leases = 0;
  const wrapBackend = (medium: Backend): Backend => {
    const inner = overwriting(medium);
    return {
      ...forwardTo(inner),
      write: async (...call) => {
        // The first one opens the epoch, the second one closes it.
        if (call[0] === 'leases' && ++leases === 2) made.hour = 38;
        await inner.write(...call);
      },
    };
  };
  const late = await made.prune({ wrapBackend });
  expect(late).toMatchObject({ state: 'waiting', tookTooLongMs: 13 * HOUR_MS, packsRemoved: 0 });
  expect(made.packs).toBe(marked);
  const [first, ...others] = summaryLines(late, 24 * HOUR_MS);
  expect(first).toBe(
    'Nothing was removed: this prune took 13 h, more than half of the waiting period of 24 h, ' +
      'and what it saw at its beginning may have changed.',
  );
  expect(others.join('\n')).toMatch(/^\d packs? .* stay\. Prune again: .*cbr doctor --waiting-period$/);
  made.hour = 63;
  expect(await made.prune()).toMatchObject({ state: 'swept' });
  expect(made.packs).toBeLessThan(marked);
  await made.expectSound();
});

test('packs that nothing names wait as well', async () => {
  const made = await withWaste();
  await made.its.use(async ({ backend }) => {
    const content = randomContent(9, 5000);
    const { createHash } = await import('node:crypto');
    await backend.write('packs', createHash('sha256').update(content).digest('hex'), content);
  }, made.opening());
  const before = made.packs;
  const { condemned } = await made.prune();
  made.hour = 25;
  expect(await made.prune()).toMatchObject({ state: 'swept', packsRemoved: condemned.packs });
  expect(made.packs).toBeLessThan(before);
  await made.expectSound();
  expect((await made.prune()).condemned.packs).toBe(0);
});
