import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { probeAbilities, tellMissing } from './abilities.js';
import { SMALL } from './check-subject.js';
import { QUICK } from './places.js';
import {
  accountOf,
  expectClean,
  expectNoGarbage,
  expectRestored,
  forget,
  objectsIn,
  prune,
  writeFiles,
} from './prune-subject.js';
import { randomContent } from './random-content.js';
import { applyEdits, editsArbitrary } from './random-edits.js';
import { isSoak, removeTree, Scratch } from './scratch-repository.js';
import { fillSome } from './taken-tree.js';
import { type Facts, factsOf } from './tree-facts.js';

const can = probeAbilities(QUICK);
tellMissing(can, 'Prune');

/** Kernels without fine-grained times may give two changes within so many milliseconds the same time. */
const CLOCK_TICK_MS = 15;

const machine = fc.constantFrom('a', 'b');
const stepArbitrary = fc.oneof(
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('take' as const),
      machine,
      edits: editsArbitrary,
      churn: fc.tuple(fc.nat(4), fc.nat(1_000_000), fc.integer({ min: 1, max: 400_000 })),
    }),
  },
  { weight: 3, arbitrary: fc.record({ kind: fc.constant('forget' as const), machine, which: fc.nat() }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('prune' as const),
      machine,
      fraction: fc.constantFrom(0, 0.02, 0.2, 1),
      repack: fc.constantFrom(undefined, 0, 300_000, 2_000_000),
    }),
  },
);
type Step = typeof stepArbitrary extends fc.Arbitrary<infer T> ? T : never;

/** A repository and what its snapshots must bring back, used from two machines. */
class History {
  readonly its = new Scratch();
  readonly kept = new Map<string, Facts>();

  opening(name: string) {
    return { cacheRoot: join(this.its.root, `cache of ${name}`) };
  }

  async take(name: string): Promise<void> {
    await setTimeout(CLOCK_TICK_MS);
    const { problems, summary } = await this.its.take({ threads: 1 }, this.opening(name));
    // A machine whose last tree is gone with its snapshot says so, and reads all files again.
    expect(problems.filter(({ severity }) => severity !== 'note')).toEqual([]);
    this.kept.set(summary.snapshot!, factsOf(this.its.source));
  }

  async forget(id: string, name: string): Promise<void> {
    expect(await forget(this.its, id, this.opening(name))).toBe('forgotten');
    this.kept.delete(id);
  }

  async carryOut(step: Step): Promise<void> {
    const { its } = this;
    if (step.kind === 'take') {
      applyEdits(its.source, step.edits, can, its.root);
      const [number, seed, bytes] = step.churn;
      const path = join(its.source, `churn ${number}`);
      rmSync(path, { recursive: true, force: true });
      writeFileSync(path, randomContent(seed, bytes));
      await this.take(step.machine);
    } else if (step.kind === 'forget') {
      const ids = [...this.kept.keys()];
      if (ids.length > 0) await this.forget(ids[step.which % ids.length]!, step.machine);
    } else {
      await this.prune(step.machine, step.fraction, step.repack);
    }
  }

  async prune(name: string, fraction: number, repack?: number): Promise<void> {
    const limits = { maxUnused: { fraction }, ...(repack === undefined ? {} : { maxRepackBytes: repack }) };
    const summary = await prune(this.its, limits, this.opening(name));
    expect(summary.state).toBe('swept');
    const { strays, unused, storedUnused, stored } = accountOf(this.its);
    expect(strays).toEqual([]);
    if (repack !== undefined) return;
    if (fraction === 0) expect(unused).toBe(0);
    // Prune judges by blocks, of which some compress better than others.
    expect(storedUnused).toBeLessThanOrEqual((fraction + 0.03) * stored);
  }
}

test('after any sequence of snapshots, forgets and prunes every kept snapshot is whole', {
  timeout: 1_800_000,
}, async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(stepArbitrary, { minLength: 4, maxLength: 14 }), async (steps) => {
      const history = new History();
      const { its, kept } = history;
      try {
        await its.init(SMALL);
        fillSome(its);
        writeFiles(its, 'many', 1, 40, 9000);
        await history.take('a');
        for (const step of steps) await history.carryOut(step);
        await expectClean(its);
        for (const [id, facts] of kept) await expectRestored(its, id, facts, history.opening('a'));
        await history.prune('b', 0);
        await expectClean(its);
        expectNoGarbage(its);
        for (const [id, facts] of kept) await expectRestored(its, id, facts, history.opening('a'));
        for (const id of [...kept.keys()]) await history.forget(id, 'b');
        await history.prune('a', 0.2);
        for (const kind of ['packs', 'index', 'snapshots']) expect(objectsIn(its, kind), kind).toEqual([]);
      } finally {
        removeTree(its.root);
      }
    }),
    { numRuns: isSoak ? 150 : 6, endOnFailure: true },
  );
});
