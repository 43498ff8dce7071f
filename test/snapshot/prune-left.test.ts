import {
  chmodSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { forwardTo } from '../../dist/backends/forward.js';
import { type Backend, objectPath } from '../../dist/backends/index.js';
import { localFailure } from '../../dist/backends/local-errors.js';
import { headerOf } from '../repo/independent-objects.js';
import { expectRestored, forget, objectsIn, prune } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

/** What is left is what was meant to be left, although something fails or goes in the middle. */

const machine = (its: Scratch, name: string) => ({ cacheRoot: join(its.root, name) });
const pathOf = (its: Scratch, pack: string): string => join(its.repo, objectPath('packs', pack));
const dataPacks = (its: Scratch): string[] =>
  objectsIn(its, 'packs').filter((name) => headerOf(readFileSync(pathOf(its, name)), 'CBRP').kind === 1);
const put = (its: Scratch, name: string, seed: number, bytes: number): void =>
  writeFileSync(join(its.source, name), randomContent(seed, bytes));
const putSome = (its: Scratch, name: string, seed: number, bytes: number, count = 3): void => {
  for (let i = 0; i < count; i++) put(its, `${name} ${i}`, seed + i, bytes);
};
const removeSome = (its: Scratch, name: string, count = 3): void => {
  for (let i = 0; i < count; i++) rmSync(join(its.source, `${name} ${i}`));
};
const packBytes = (its: Scratch): number =>
  objectsIn(its, 'packs').reduce((sum, name) => sum + statSync(pathOf(its, name)).size, 0);
const noSpace = (): Error =>
  localFailure(
    'cannot write',
    Object.assign(new Error('ENOSPC: no space left'), { code: 'ENOSPC' }),
  ) as Error;

/** Fails, or does something else, once: at the first write of a kind. */
const atFirstWrite =
  (kind: string, action: () => void) =>
  (medium: Backend): Backend => {
    let isDone = false;
    return {
      ...forwardTo(medium),
      write: async (to, ...call) => {
        if (to === kind && !isDone) {
          isDone = true;
          action();
        }
        return medium.write(to, ...call);
      },
    };
  };

describe('a pack that was to go and stays for want of room', () => {
  test.each([1, 2, 3, 4, 5, 6])('is not relied on unproven for what else goes (%i)', async (round) => {
    const its = await scratchRepository();
    const seed = 1000 * round;
    const checking = machine(its, 'checking');
    const drop = (): void => {
      for (let i = 0; i < 14; i++) rmSync(join(its.source, `p${i}-b-drop`));
    };
    for (let i = 0; i < 14; i++) {
      put(its, `p${i}-a-keep`, seed + i, 1_200_000);
      put(its, `p${i}-b-drop`, seed + 50 + i, 2_600_000);
    }
    const zero = (await its.take({ threads: 1 }, checking)).summary.snapshot!;
    const old = new Set(dataPacks(its));
    // A chunk in a pack that is then damaged, which only this machine knows, and stored again.
    put(its, 'a chunk', seed + 100, 12_000);
    put(its, 'b filler', seed + 99, 1_030_000);
    putSome(its, 'before', seed + 101, 900_000);
    const first = (await its.take({ threads: 1 }, checking)).summary.snapshot!;
    const damaged = dataPacks(its).filter((name) => !old.has(name));
    expect(damaged).toHaveLength(1);
    const bytes = readFileSync(pathOf(its, damaged[0]!));
    bytes[2000]! ^= 1;
    chmodSync(pathOf(its, damaged[0]!), 0o600);
    writeFileSync(pathOf(its, damaged[0]!), bytes);
    expect((await its.check(100, checking)).findings).not.toEqual([]);
    rmSync(join(its.source, 'b filler'));
    removeSome(its, 'before');
    putSome(its, 'beside', seed + 200, 950_000);
    const again = (await its.take({ threads: 1, level: 'full' }, checking)).summary.snapshot!;
    removeSome(its, 'beside');
    putSome(its, 'before', seed + 101, 900_000);
    drop();
    const last = (await its.take({ threads: 1 }, machine(its, 'third'))).summary.snapshot!;
    const facts = factsOf(its.source);
    for (const id of [zero, first, again]) await forget(its, id, checking);
    await expectRestored(its, last, facts, machine(its, 'before'));
    const wrapBackend = atFirstWrite('packs', () => {
      throw noSpace();
    });
    // It may refuse; then nothing is removed.
    const pruning = prune(its, {}, { ...machine(its, 'pruning'), wrapBackend });
    await pruning.catch((error: Error) => expect(error.message).toMatch(/damaged/));
    await expectRestored(its, last, facts, machine(its, 'after'));
  });
});

test('a pack that is lost while a prune runs makes it refuse: what it condemned may be all there is', async () => {
  const its = await scratchRepository();
  put(its, 'common', 1, 300_000);
  put(its, 'of the first', 2, 3_000_000);
  const first = (await its.take({ level: 'full' }, machine(its, 'a'))).summary.snapshot!;
  const [old] = dataPacks(its);
  // Two who do not see each other's segments.
  renameSync(join(its.repo, 'index'), join(its.repo, 'away'));
  mkdirSync(join(its.repo, 'index'));
  rmSync(join(its.source, 'of the first'));
  put(its, 'of the second', 3, 900_000);
  const second = (await its.take({ level: 'full' }, machine(its, 'b'))).summary.snapshot!;
  const facts = factsOf(its.source);
  for (const name of readdirSync(join(its.repo, 'away')))
    renameSync(join(its.repo, 'away', name), join(its.repo, 'index', name));
  rmSync(join(its.repo, 'away'), { recursive: true });
  await forget(its, first, machine(its, 'a'));
  const staying = dataPacks(its).find((name) => name !== old)!;
  const away = join(its.root, 'lost');
  const wrapBackend = atFirstWrite('marks', () => renameSync(pathOf(its, staying), away));
  const request = { maxUnused: { fraction: 0.3 } };
  await expect(prune(its, request, { ...machine(its, 'p'), wrapBackend })).rejects.toThrow(
    /was there when this prune began, and is gone or damaged now/,
  );
  expect(dataPacks(its)).toContain(old);
  renameSync(away, pathOf(its, staying));
  await expectRestored(its, second, facts, machine(its, 'after'));
});

test('a prune that goes on with a sweep that was broken off counts what it removes', async () => {
  const its = await scratchRepository();
  putSome(its, 'kept', 1, 900_000);
  await its.take({ threads: 1 });
  put(its, 'gone', 77, 3_000_000);
  const gone = (await its.take({ threads: 1 })).summary.snapshot!;
  await forget(its, gone);
  const wrapBackend = (medium: Backend): Backend => ({
    ...forwardTo(medium),
    removeMany: async (kind, ...call) => {
      if (kind === 'packs') throw new Error('killed');
      return medium.removeMany(kind, ...call);
    },
  });
  await expect(prune(its, {}, { wrapBackend })).rejects.toThrow('killed');
  const [bytes, packs] = [packBytes(its), objectsIn(its, 'packs').length];
  const summary = await prune(its);
  expect(summary.packsRemoved).toBe(packs - objectsIn(its, 'packs').length);
  expect(summary.packsRemoved).toBeGreaterThan(0);
  expect(summary.bytesFreed).toBeGreaterThanOrEqual(bytes - packBytes(its));
  expect(summary.bytesKept).toBe(packBytes(its));
});
