import { spawnSync } from 'node:child_process';
import { readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type BackendCall, type FaultPlan, withFaults } from '../../dist/backends/index.js';
import { BackendError } from '../../dist/core/index.js';
import { randomContent } from './random-content.js';
import { isSoak, Scratch, type Taken } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { type Facts, factsOf } from './tree-facts.js';

/** Content that the second snapshot brings: more than one pack. */
const NEW_BYTES = 2_500_000;
const CHANGING = new Set(['write', 'remove', 'removeMany']);

/** A repository with one snapshot, and a source that has changed since. */
class Prepared extends Scratch {
  firstFacts: Facts = {};
  secondFacts: Facts = {};

  static async make(): Promise<Prepared> {
    const made = new Prepared();
    await made.init({ packBytes: 2 ** 20 });
    const { source } = made;
    runScript(source, ['mkdir -p folder/inner empty', 'echo one > folder/file', 'ln -s file folder/link']);
    for (let i = 0; i < 10; i++) writeFileSync(join(source, `folder/inner/${i}`), randomContent(i, 20_000));
    await made.take({ threads: 1 });
    made.firstFacts = factsOf(source);
    writeFileSync(join(source, 'large'), randomContent(99, NEW_BYTES));
    runScript(source, [
      'echo two >> folder/file',
      'rm folder/inner/3',
      'mv folder/inner moved',
      'mkfifo fifo',
    ]);
    made.secondFacts = factsOf(source);
    return made;
  }

  /** The second snapshot, failing as planned. */
  takeFailing(plan: FaultPlan): Promise<Taken> {
    return this.take({ threads: 1 }, { wrapBackend: (medium) => withFaults(medium, plan) });
  }

  async expectRestored(id: string, facts: Facts): Promise<void> {
    const { target, summary, problems } = await this.restore(id, { verify: false, threads: 1 });
    expect(problems).toEqual([]);
    expect(summary.lost).toBe(0);
    expect(factsOf(target)).toEqual(facts);
  }

  /** Everything committed is whole; a new snapshot works, is whole too, and ends what is left of dead writers. */
  async expectRecovery(opening: { cacheRoot?: string }, restoresAll: boolean): Promise<void> {
    expect((await this.check(0)).findings).toEqual([]);
    const [first, second, ...more] = await this.snapshots();
    expect(more).toEqual([]);
    if (restoresAll) await this.expectRestored(first!.id, this.firstFacts);
    if (second !== undefined) await this.expectRestored(second.id, this.secondFacts);
    const hasSegment = readdirSync(join(this.repo, 'index')).length > 1;
    const next = await this.take({ threads: 1 }, opening);
    // All new content is named by one segment, written after all packs: it counts as soon as its writer is known dead.
    expect(next.summary.statistics.newBytes).toBe(hasSegment ? 0 : NEW_BYTES + 'one\ntwo\n'.length);
    expect(next.summary.errors).toBe(0);
    expect(readdirSync(join(this.repo, 'sessions'))).toEqual([]);
    await this.expectRestored(next.summary.snapshot!, this.secondFacts);
    expect((await this.check(100, { cacheRoot: join(this.root, 'cache of check') })).findings).toEqual([]);
  }
}

async function recordCalls(): Promise<readonly BackendCall[]> {
  const its = await Prepared.make();
  const calls: BackendCall[] = [];
  await its.takeFailing((call) => {
    calls.push(call);
    return undefined;
  });
  its.remove();
  return calls;
}

describe('the process dies at any call to the repository', () => {
  interface Case {
    readonly number: number;
    readonly when: 'before' | 'after';
    readonly its: Prepared;
  }
  const cases: Case[] = [];
  let endings: readonly string[];

  beforeAll(async () => {
    // What is only looked at is the same before and after, and between two changes, whichever look is the last one.
    for (const { number, operation } of await recordCalls()) {
      if (!isSoak && !CHANGING.has(operation) && number % 4 > 0) continue;
      for (const when of ['before', 'after'] as const) {
        if (when === 'before' || CHANGING.has(operation))
          cases.push({ number, when, its: await Prepared.make() });
      }
    }
    const orders = cases.map(({ number, when, its: { repo, cache, source } }) => ({
      number,
      when,
      repo,
      cache,
      source,
    }));
    const child = spawnSync(process.execPath, [join(import.meta.dirname, 'faults-child.mjs')], {
      input: JSON.stringify(orders),
      encoding: 'utf8',
    });
    expect(child).toMatchObject({ signal: 'SIGKILL', stderr: '' });
    endings = child.stdout.split('\n').filter(Boolean);
  }, 600_000);

  afterAll(() => {
    for (const { its } of cases) its.remove();
  });

  test('as it was meant to', () => {
    const stopped = endings.filter((line) => line.includes('injected stop'));
    // The first calls open the repository, and with those there is no run to stop.
    expect(stopped.length).toBeGreaterThan(cases.length / 2);
    // Once it has committed a run has done its work, whatever happens while it clears up.
    for (const line of endings.filter((each) => !stopped.includes(each))) {
      const { its } = cases.find(({ number, when }) => line.startsWith(`${number} ${when}:`))!;
      expect(readdirSync(join(its.repo, 'snapshots')), line).toHaveLength(2);
    }
  });

  test('and nothing is lost', { timeout: 1_800_000 }, async () => {
    for (const [i, { number, when, its }] of cases.entries()) {
      const cache = i % 2 === 0 ? {} : { cacheRoot: join(its.root, 'another cache') };
      try {
        await its.expectRecovery(cache, isSoak || i % 5 === 0);
      } catch (error) {
        throw new Error(`${when} call ${number}, ${i % 2 === 0 ? 'the same' : 'a new'} cache`, {
          cause: error,
        });
      }
    }
  });
});

describe('the repository has no space left', () => {
  test('at any write: the run stops, and what was there before is whole', { timeout: 600_000 }, async () => {
    const writes = (await recordCalls()).filter(({ operation }) => operation === 'write');
    expect(writes.length).toBeGreaterThan(4);
    for (const { number, kind } of writes) {
      const its = await Prepared.make();
      const full = new BackendError('no space left on device (ENOSPC)', false);
      const plan: FaultPlan = (call) =>
        call.number >= number && call.operation === 'write' ? { when: 'before', error: full } : undefined;
      const failed = await its.takeFailing(plan).then(
        () => 'done',
        (error: Error) => error.message,
      );
      // Without a heartbeat a snapshot may still be right.
      expect(failed, `write ${number} of ${kind}`).toContain('no space left');
      // Writing failed and so did the fence: this process still lives, so others must leave its session alone.
      expect(readdirSync(join(its.repo, 'snapshots'))).toHaveLength(1);
      expect((await its.check(0)).findings).toEqual([]);
      await its.expectRestored((await its.snapshots())[0]!.id, its.firstFacts);
      const next = await its.take();
      expect(next.summary.errors).toBe(0);
      await its.expectRestored(next.summary.snapshot!, its.secondFacts);
      expect((await its.check(100)).findings).toEqual([]);
      its.remove();
    }
  });

  test('for a moment: the run that stopped leaves nothing behind, and the next stores little again', async () => {
    const writes = (await recordCalls()).filter(
      ({ operation, kind }) => operation === 'write' && kind === 'packs',
    );
    const last = writes.at(-1)!;
    const its = await Prepared.make();
    const full = new BackendError('no space left on device (ENOSPC)', false);
    const plan: FaultPlan = ({ number }) =>
      number === last.number ? { when: 'before', error: full } : undefined;
    await expect(its.takeFailing(plan)).rejects.toThrow('no space left');
    expect(readdirSync(join(its.repo, 'sessions'))).toEqual([]);
    expect(readdirSync(join(its.repo, 'tmp'))).toEqual([]);
    // The packs that were stored are named by the fence.
    const next = await its.take();
    expect(next.summary.statistics.newBytes).toBeLessThan(NEW_BYTES / 2 + 2 ** 20);
    await its.expectRestored(next.summary.snapshot!, its.secondFacts);
    expect((await its.check(100)).findings).toEqual([]);
    its.remove();
  });
});

async function loseAnswers(): Promise<void> {
  for (const { number, operation } of await recordCalls()) {
    if (!CHANGING.has(operation)) continue;
    const its = await Prepared.make();
    const lost = new BackendError('the answer was lost', true);
    const plan: FaultPlan = (call) => (call.number === number ? { when: 'after', error: lost } : undefined);
    await its.takeFailing(plan).catch((error: unknown) => error);
    expect((await its.check(100)).findings).toEqual([]);
    const next = await its.take();
    await its.expectRestored(next.summary.snapshot!, its.secondFacts);
    its.remove();
  }
}

// The same as dying there, but for what the process itself makes of it.
if (isSoak) test('the answer of any changing call is lost', { timeout: 600_000 }, loseAnswers);
