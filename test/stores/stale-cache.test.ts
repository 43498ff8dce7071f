import { rmSync } from 'node:fs';
import { expect, test } from 'vitest';
import { randomNumbers } from '../servers/proxy-faults.mjs';
import { forget, prune, writeFiles } from '../snapshot/prune-subject.js';
import { isSoak } from '../snapshot/scratch-repository.js';
import { type Facts, factsOf } from '../snapshot/tree-facts.js';
import { gateway, prefixes, useOwner } from './s3-subject.js';
import { type StoreScratch, storeScratch } from './store-scratch.js';

const DAY = 86_400_000;
const ROUNDS = isSoak ? 200 : 8;

const locationOf = prefixes(gateway);

/** A machine: a cache of its own, and the day it thinks it is. */
class Machine {
  readonly cacheRoot: string;

  constructor(
    private readonly its: StoreScratch,
    readonly source: string,
  ) {
    this.cacheRoot = its.newCache();
  }

  async opening(day: number) {
    const now = (): number => Date.now() + day * DAY;
    return { ...(await this.its.opening({ cacheRoot: this.cacheRoot })), now };
  }

  async take(day: number) {
    const { summary } = await this.its.take({ paths: [this.source] }, await this.opening(day));
    expect(summary.errors).toBe(0);
    return summary;
  }
}

/** What a machine that knows nothing yet finds: all is there, and these snapshots are what was taken. */
async function expectWhole(its: StoreScratch, taken: ReadonlyMap<string, [string, Facts]>): Promise<void> {
  const opening = { cacheRoot: its.newCache() };
  const { findings } = await its.check(100, await its.opening(opening));
  expect(findings).toEqual([]);
  for (const [id, [path, facts]] of taken) {
    const { target, problems } = await its.restore(id, { path }, await its.opening(opening));
    expect(problems).toEqual([]);
    expect(factsOf(target)).toEqual(facts);
    rmSync(target, { recursive: true });
  }
}

async function twoMachines(name: string) {
  useOwner(gateway);
  const its = await storeScratch(await locationOf(name));
  writeFiles(its, 'one', 1, 10, 40_000);
  writeFiles(its, 'other', 2, 10, 40_000);
  return { its, one: new Machine(its, `${its.source}/one`), other: new Machine(its, `${its.source}/other`) };
}

test('what was pruned while a machine was away is sent again, although nothing has changed there', {
  timeout: 600_000,
}, async () => {
  const { its, one, other } = await twoMachines('away');
  const before = await one.take(0);
  await other.take(1);
  await forget(its, before.snapshot!, await other.opening(2));
  for (const day of [3, 4, 5]) {
    writeFiles(its, 'other', day, 5, 40_000);
    await other.take(day);
    await prune(its, {}, await other.opening(day));
  }
  const after = await one.take(7);
  expect(after.statistics.newBytes).toBe(before.statistics.newBytes);
  await expectWhole(its, new Map([[after.snapshot!, [one.source, factsOf(one.source)]]]));
});

test('what was moved to other packs while a machine was away is not sent again, and is found', {
  timeout: 600_000,
}, async () => {
  const { its, one, other } = await twoMachines('moved');
  const before = await one.take(0);
  // The other one holds half of it, in packs that are then half empty.
  writeFiles(its, 'other', 1, 5, 40_000);
  const held = await other.take(1);
  await forget(its, before.snapshot!, await other.opening(2));
  await prune(its, {}, await other.opening(3));
  const after = await one.take(7);
  expect(after.statistics.newBytes).toBe(5 * 40_000);
  await prune(its, {}, await other.opening(8));
  await expectWhole(
    its,
    new Map([
      [after.snapshot!, [one.source, factsOf(one.source)]],
      [held.snapshot!, [other.source, factsOf(other.source)]],
    ]),
  );
});

test('machines that come and go for weeks, with prunes in between', { timeout: 3_600_000 }, async () => {
  const { its, one, other } = await twoMachines('weeks');
  const seed = isSoak ? Math.floor(Math.random() * 2 ** 31) : 7;
  const draw = randomNumbers(seed);
  const below = (most: number): number => Math.floor(draw() * most);
  const machines = [one, other, new Machine(its, one.source)] as const;
  const kept = new Map<string, [string, Facts]>();
  for (let round = 0, day = 0; round < ROUNDS; round++) {
    const machine = machines[below(machines.length)]!;
    day += below(8);
    if (below(2) === 0)
      writeFiles(its, machine.source === one.source ? 'one' : 'other', below(6), below(10), 30_000);
    const { snapshot } = await machine.take(day);
    kept.set(snapshot!, [machine.source, factsOf(machine.source)]);
    const [oldest] = kept.keys();
    if (kept.size > 3 || (kept.size > 1 && below(2) === 0)) {
      await forget(its, oldest!, await machines[below(machines.length)]!.opening(day));
      kept.delete(oldest!);
    }
    if (below(3) > 0) await prune(its, {}, await machines[below(machines.length)]!.opening(day));
    if (isSoak || round % 4 === 3)
      await expectWhole(its, kept).catch((cause) => {
        throw new Error(`seed ${seed}, round ${round}`, { cause });
      });
  }
});
