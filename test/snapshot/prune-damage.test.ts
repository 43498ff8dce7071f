import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { objectPath } from '../../dist/backends/index.js';
import { badPacks } from '../../dist/repo/bad-packs.js';
import { headerOf } from '../repo/independent-objects.js';
import { Prunable } from './prune-faults.js';
import {
  accountOf,
  expectClean,
  expectNoGarbage,
  expectRestored,
  forget,
  objectsIn,
  prune,
} from './prune-subject.js';
import { factsOf } from './tree-facts.js';

let original: Prunable;
let its: Prunable;
beforeAll(async () => {
  original = await Prunable.make();
});
afterAll(() => original.remove());
beforeEach(() => {
  its = original.copy();
});
afterEach(() => its.remove());

type Kind = 'snapshots' | 'packs' | 'index' | 'marks' | 'leases';

const pathOf = (kind: Kind, name: string): string => join(its.repo, objectPath(kind, name));
const packsOfKind = (kind: 1 | 2): string[] =>
  objectsIn(its, 'packs').filter(
    (name) => headerOf(readFileSync(pathOf('packs', name)), 'CBRP').kind === kind,
  );

/** Sets an object aside, or puts another in its place; returns what brings it back. */
function harm(kind: Kind, name: string, change?: (bytes: Buffer) => Buffer): () => void {
  const path = pathOf(kind, name);
  const aside = join(its.root, `aside ${name.replaceAll('/', ' ')}`);
  renameSync(path, aside);
  if (change !== undefined) writeFileSync(path, change(readFileSync(aside)));
  return () => renameSync(aside, path);
}

function flipped(bytes: Buffer): Buffer {
  const at = Math.floor(bytes.length / 2);
  return Buffer.concat([bytes.subarray(0, at), Buffer.of(bytes[at]! ^ 1), bytes.subarray(at + 1)]);
}

/** A cache that remembers nothing: what was read once is not read again. */
const fresh = () => ({ cacheRoot: join(its.root, 'fresh') });

const kept = (): string[] => [...its.kept.keys()];

/** As long as it is harmed prune says why it removes nothing, and afterwards it has no trouble. */
async function expectRefusal(harms: readonly (() => void)[], reason: RegExp): Promise<void> {
  const before = ['packs', 'index', 'snapshots'].map((kind) => objectsIn(its, kind));
  for (const opening of [{}, fresh()]) {
    await expect(prune(its, {}, opening)).rejects.toThrow(reason);
    const after = ['packs', 'index', 'snapshots'].map((kind) => objectsIn(its, kind));
    for (const [i, names] of before.entries()) expect(after[i]).toEqual(expect.arrayContaining(names));
  }
  for (const heal of harms) heal();
  await its.expectRecovery(fresh(), true);
}

describe('nothing is removed while nobody can tell what is needed', () => {
  test('a snapshot record that cannot be opened', async () => {
    // A cache remembers what is in it.
    rmSync(its.cache, { recursive: true });
    await expectRefusal([harm('snapshots', kept()[1]!, flipped)], /snapshots\/.* cannot be opened/);
  });

  test('a mark that cannot be opened', async () => {
    mkdirSync(join(its.repo, 'marks'), { recursive: true });
    writeFileSync(pathOf('marks', '3'), 'this is no mark');
    await expectRefusal([() => rmSync(pathOf('marks', '3'))], /marks\/3/);
  });

  test('trees that cannot be read', async () => {
    await expectRefusal(
      packsOfKind(2).map((name) => harm('packs', name, flipped)),
      /snapshot .* cannot be walked|damaged|differs|does not/,
    );
  });

  test('a data pack that is missing and needed', async () => {
    const harms = packsOfKind(1).map((name) => harm('packs', name));
    await expectRefusal(harms, /no index segment names it/);
  });

  test('an outcome that somebody removed', async () => {
    await expectRefusal([harm('snapshots', kept()[0]!)], /gone, though nobody forgot it/);
  });

  test('an index segment that is damaged and needed', async () => {
    rmSync(its.cache, { recursive: true });
    const harms = objectsIn(its, 'index').map((name) => harm('index', name, flipped));
    await expectRefusal(harms, /no index segment names it/);
  });
});

describe('what does not stand in the way', () => {
  test('a damaged segment that nobody needs: packs that only it may name stay', async () => {
    for (const id of kept()) await forget(its, id);
    rmSync(its.cache, { recursive: true });
    const [segment] = objectsIn(its, 'index');
    const heal = harm('index', segment!, flipped);
    await prune(its).catch((error: Error) => expect(error.message).toMatch(/index|damaged/));
    heal();
    // Another machine knew it, and could have relied on it: all that it names is there.
    const { findings } = await its.check(100, fresh());
    expect(findings).toEqual([]);
    its.kept.clear();
    await its.expectRecovery(fresh(), false);
  });

  test('an outcome that somebody removed, once it is said that it may stay away', async () => {
    const [first, second] = kept();
    its.kept.delete(first!);
    rmSync(pathOf('snapshots', first!));
    expect((await prune(its, { acceptVanished: true })).state).toBe('swept');
    // What others need of what its session stored is there.
    expect(accountOf(its)).toMatchObject({ snapshots: [second], strays: [], unused: 0 });
    await expectRestored(its, second!, its.kept.get(second!)!, fresh());
    const { summary } = await its.take({ threads: 1 });
    await expectRestored(its, summary.snapshot!, factsOf(its.source), fresh());
    expectNoGarbage(its);
  });

  test.each(['the machine that found it', 'another machine'])(
    'a damaged pack whose files were stored again: prune on %s keeps the sound copies',
    async (who) => {
      const [first, second] = kept();
      await its.take({ threads: 1 });
      for (const name of packsOfKind(1)) {
        const bytes = readFileSync(pathOf('packs', name));
        rmSync(pathOf('packs', name));
        writeFileSync(pathOf('packs', name), flipped(bytes));
      }
      expect((await its.check(100)).findings.length).toBeGreaterThan(0);
      await its.use(async ({ cache }) => expect(badPacks(cache).size).toBeGreaterThan(0));
      const healed = (await its.take({ level: 'full', threads: 1 })).summary.snapshot!;
      await expectRestored(its, healed, factsOf(its.source), fresh());
      for (const id of [first!, second!]) await forget(its, id);
      const opening = who === 'another machine' ? fresh() : {};
      for (let round = 0; round < 2; round++) {
        // What is damaged and in use it may refuse to rewrite; it must not let go of what is sound.
        await prune(its, {}, opening).catch((error: Error) =>
          expect(error.message).toMatch(/damaged|packs\//),
        );
        await expectRestored(its, healed, factsOf(its.source), fresh());
      }
    },
  );

  test('nothing at all', async () => {
    await its.expectRecovery({}, true);
    await expectClean(its);
  });
});
