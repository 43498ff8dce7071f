import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { CbrError } from '../../dist/core/index.js';
import { FAULT_KINDS, randomFaults, randomNumbers } from '../servers/proxy-faults.mjs';
import { startStoreProxy } from '../servers/store-proxy.mjs';
import { forget, prune } from '../snapshot/prune-subject.js';
import { randomContent } from '../snapshot/random-content.js';
import { isSoak } from '../snapshot/scratch-repository.js';
import { type Facts, factsOf } from '../snapshot/tree-facts.js';
import { gateway, prefixes, useOwner } from './s3-subject.js';
import { type StoreScratch, storeScratch } from './store-scratch.js';

const FAULTS = isSoak ? 1000 : 200;
const FILES = 12;
const MOST_KEPT = 5;

const locationOf = prefixes(gateway);

/** Runs through days of one repository behind a line with faults, and keeps account of what it was told. */
class Days {
  /** Snapshots that were reported as made, and not as forgotten. */
  readonly kept = new Map<string, Facts>();
  readonly forgotten = new Set<string>();
  /** What failed in spite of all attempts. */
  readonly failures: unknown[] = [];
  private readonly draw: () => number;
  private readonly caches: readonly string[];

  constructor(
    private readonly its: StoreScratch,
    private readonly location: string,
    seed: number,
  ) {
    this.draw = randomNumbers(seed);
    this.caches = [its.newCache(), its.newCache()];
    mkdirSync(join(its.source, 'folder'));
    for (let i = 0; i < FILES; i++) this.write(i);
  }

  async day(): Promise<void> {
    for (let i = 0; i < 3; i++) this.write(this.below(FILES));
    const facts = factsOf(this.its.source);
    const taken = await this.attempt(async () => this.its.take({}, await this.opening()));
    if (taken !== undefined) {
      // Notes say that less was known from before than usual.
      expect(taken.problems.filter(({ severity }) => severity !== 'note')).toEqual([]);
      this.kept.set(taken.summary.snapshot!, facts);
    }
    if (this.kept.size > MOST_KEPT) await this.forgetOne();
    if (this.below(3) === 0) await this.attempt(async () => prune(this.its, {}, await this.opening()));
    if (this.below(2) === 0) await this.restoreOne();
  }

  private async forgetOne(): Promise<void> {
    const id = this.anyId();
    const done = await this.attempt(async () => {
      await forget(this.its, id, await this.opening());
      return true;
    });
    // When it failed nobody knows whether it is still there.
    this.kept.delete(id);
    if (done) this.forgotten.add(id);
  }

  private async restoreOne(): Promise<void> {
    if (this.kept.size === 0) return;
    const id = this.anyId();
    const restored = await this.attempt(async () => this.its.restore(id, {}, await this.opening()));
    if (restored === undefined) return;
    if (restored.summary.lost > 0) this.failures.push(`restore lost ${restored.summary.lost}`);
    // What it calls restored is right.
    else expect(factsOf(restored.target)).toEqual(this.kept.get(id));
    rmSync(restored.target, { recursive: true });
  }

  private async attempt<T>(action: () => Promise<T>): Promise<T | undefined> {
    try {
      return await action();
    } catch (error) {
      this.failures.push(error);
      return undefined;
    }
  }

  private opening() {
    return this.its.opening({ location: this.location, cacheRoot: this.caches[this.below(2)]! });
  }

  private anyId(): string {
    return [...this.kept.keys()][this.below(this.kept.size)]!;
  }

  private write(file: number): void {
    const bytes = randomContent(this.below(1_000_000), 1000 + this.below(120_000));
    writeFileSync(join(this.its.source, 'folder', `file ${file}`), bytes);
  }

  private below(most: number): number {
    return Math.floor(this.draw() * most);
  }
}

test(`${FAULTS} faults between client and store: nothing is lost, and nothing is reported that is not so`, {
  timeout: 3_600_000,
}, async () => {
  useOwner(gateway);
  const seed = isSoak ? Math.floor(Math.random() * 2 ** 31) : 1;
  const plan = randomFaults(seed, { rate: 0.25, limit: FAULTS });
  const proxy = await startStoreProxy(gateway.endpoint, { faults: plan });
  onTestFinished(() => proxy.close());
  const its = await storeScratch(await locationOf('faults'));
  const days = new Days(its, await locationOf('faults', proxy.endpoint), seed);
  const made = () => Object.values(proxy.counts.faults).reduce((sum, each) => sum + each, 0);
  while (made() < FAULTS) await days.day();

  const direct = () => its.opening({ cacheRoot: its.newCache() });
  const { findings } = await its.check(100, await direct());
  expect(findings, `seed ${seed}`).toEqual([]);
  const found = (await its.snapshots(await direct())).map(({ id }) => id as string);
  for (const id of days.forgotten) expect(found, `seed ${seed}`).not.toContain(id);
  for (const [id, facts] of days.kept) {
    const { target, problems } = await its.restore(id, {}, await direct());
    expect(problems).toEqual([]);
    expect(factsOf(target), `seed ${seed}`).toEqual(facts);
  }
  expect(days.kept.size).toBeGreaterThan(1);
  // Whoever is given other bytes than were stored may stop; whatever else happened on the line was got over.
  expect(
    days.failures.filter((error) => !isOfOtherBytes(error)),
    `seed ${seed}`,
  ).toEqual([]);
  expect(days.failures.length).toBeLessThanOrEqual(proxy.counts.faults.corrupted ?? 0);
  expect(Object.keys(proxy.counts.faults).sort()).toEqual([...FAULT_KINDS].sort());
});

/** Whole objects are read again; of a pack only parts are read, and few who read them ask for them twice. */
function isOfOtherBytes(error: unknown): boolean {
  if (!(error instanceof CbrError)) return false;
  return ['damaged', 'format', 'newer-format'].includes(error.code) && error.message.startsWith('packs/');
}
