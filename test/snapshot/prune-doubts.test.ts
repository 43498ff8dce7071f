import { chmodSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Backend } from '../../dist/backends/index.js';
import type { OpenOptions } from '../../dist/repo/index.js';
import { expectClean, expectNoGarbage, expectRestored, forget, objectsIn, prune } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

/** What one machine knows and another does not, and what is not there though it should be. */

/** A machine: a cache of its own. */
const on = (its: Scratch, machine: string): Partial<OpenOptions> => ({
  cacheRoot: join(its.root, `cache of ${machine}`),
});

const write = (its: Scratch, name: string, seed: number, bytes = 300_000): void =>
  writeFileSync(join(its.source, name), randomContent(seed, bytes));

async function take(its: Scratch, machine = 'a'): Promise<{ id: string; facts: ReturnType<typeof factsOf> }> {
  const { summary } = await its.take({ level: 'full' }, on(its, machine));
  return { id: summary.snapshot!, facts: factsOf(its.source) };
}

/** Changes a byte in the middle of an object. */
function damage(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length >> 1]! ^= 0xff;
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
}

describe('a chunk in two packs', () => {
  /** As two writers do at the same time, who do not see each other's segments. */
  async function twice(its: Scratch) {
    write(its, 'common', 1);
    write(its, 'of the first', 2);
    const first = await take(its);
    renameSync(join(its.repo, 'index'), join(its.repo, 'away'));
    mkdirSync(join(its.repo, 'index'));
    rmSync(join(its.source, 'of the first'));
    write(its, 'of the second', 3);
    const second = await take(its, 'b');
    for (const name of readdirSync(join(its.repo, 'away'))) {
      renameSync(join(its.repo, 'away', name), join(its.repo, 'index', name));
    }
    rmSync(join(its.repo, 'away'), { recursive: true });
    return { first, second };
  }

  test('stays listed at both, so that no cache relies on what no segment names', async () => {
    const its = await scratchRepository({ pad: false });
    const { first, second } = await twice(its);
    // So many small segments that they are merged.
    for (let i = 0; i < 10; i++) {
      write(its, `more ${i}`, 10 + i, 1000);
      await take(its);
    }
    const keep = { maxUnused: { fraction: 1 }, maxRepackBytes: 0 };
    await prune(its, keep, on(its, 'a'));
    expect(objectsIn(its, 'index')).toHaveLength(2);
    for (const forgotten of [second.id]) await forget(its, forgotten, on(its, 'a'));
    await prune(its, keep, on(its, 'a'));
    await expectRestored(its, first.id, first.facts, on(its, 'of somebody else'));
    // And a snapshot of a machine that remembers all of it is whole.
    const last = await take(its, 'a');
    await expectRestored(its, last.id, last.facts, on(its, 'of yet another one'));
    await expectClean(its);
  });

  test('keeps the sound one, though only another machine knows that the other one is damaged', async () => {
    const its = await scratchRepository();
    write(its, 'file', 1, 3_000_000);
    const { id, facts } = await take(its, 'b');
    // Machine a knows the first pack only.
    await its.use(async (repository) => repository.cache.counts(), on(its, 'a'));
    await prune(its, {}, on(its, 'a'));
    const packs = (): string[] => objectsIn(its, 'packs');
    const data = packs().find((name) => readFileSync(pathOf(its, name)).length > 1_000_000)!;
    damage(pathOf(its, data));
    const { findings } = await its.check(100, on(its, 'b'));
    expect(findings.length).toBeGreaterThan(0);
    const healed = await take(its, 'b');
    await expectRestored(its, healed.id, healed.facts, on(its, 'b'));
    for (let night = 0; night < 2; night++) await prune(its, {}, on(its, 'a'));
    await expectRestored(its, healed.id, healed.facts, on(its, 'c'));
    await expectRestored(its, id, facts, on(its, 'c'));
    expect(packs()).not.toContain(data);
    await expectClean(its);
  });
});

const pathOf = (its: Scratch, pack: string): string => join(its.repo, 'packs', pack.slice(0, 2), pack);

describe('a record that cannot be opened', () => {
  test('of a lease: everything is read as before, and nothing is pruned', async () => {
    const its = await scratchRepository();
    write(its, 'kept', 1);
    const kept = await take(its);
    write(its, 'gone', 2);
    const gone = await take(its);
    await forget(its, gone.id);
    await prune(its, {}, on(its, 'a'));
    damage(join(its.repo, 'leases/prune/2'));
    await expectRestored(its, kept.id, kept.facts, on(its, 'b'));
    await expect(prune(its, {}, on(its, 'c'))).rejects.toThrow(/leases\/prune\/2/);
    await expect(prune(its, {}, on(its, 'a'))).rejects.toThrow(/leases\/prune\/2/);
    const next = await take(its, 'd');
    await expectRestored(its, next.id, next.facts, on(its, 'e'));
  });

  test('that says a snapshot is forgotten is no reason to sweep it', async () => {
    const its = await scratchRepository();
    write(its, 'kept', 1);
    const kept = await take(its);
    write(its, 'further', 2);
    await take(its);
    mkdirSync(join(its.repo, 'forgotten'), { recursive: true });
    const forged = join(its.repo, 'forgotten', kept.id);
    writeFileSync(forged, randomContent(3, 400));
    await expect(prune(its)).rejects.toThrow(/forgotten\/.*cannot be opened/);
    rmSync(forged);
    await prune(its);
    await expectRestored(its, kept.id, kept.facts);
  });

  test("of a snapshot that is forgotten is in nobody's way", async () => {
    const its = await scratchRepository();
    write(its, 'kept', 1);
    const kept = await take(its);
    write(its, 'gone', 2);
    const gone = await take(its);
    const record = readFileSync(join(its.repo, 'snapshots', gone.id));
    await forget(its, gone.id);
    writeFileSync(join(its.repo, 'snapshots', gone.id), record.subarray(0, 100));
    await prune(its);
    await expectRestored(its, kept.id, kept.facts);
    expectNoGarbage(its);
  });
});

describe('a snapshot that has vanished', () => {
  async function vanished() {
    const its = await scratchRepository();
    write(its, 'first', 1);
    const lost = await take(its);
    write(its, 'second', 2);
    const kept = await take(its);
    const path = join(its.repo, 'snapshots', lost.id);
    const record = readFileSync(path);
    rmSync(path);
    return { its, lost, kept, path, record };
  }

  test('is waited for: nothing is removed, and it can be put back', async () => {
    const { its, lost, kept, path, record } = await vanished();
    for (const machine of ['a', 'b']) {
      await expect(prune(its, {}, on(its, machine))).rejects.toThrow(/gone, though nobody forgot it/);
    }
    writeFileSync(path, record);
    await prune(its, {}, on(its, 'a'));
    for (const { id, facts } of [lost, kept]) await expectRestored(its, id, facts, on(its, 'c'));
    await expectClean(its);
  });

  test('stays away when that is accepted, and takes nothing with it', async () => {
    const { its, lost, kept } = await vanished();
    await prune(its, { acceptVanished: true }, on(its, 'b'));
    expect((await its.snapshots(on(its, 'a'))).map(({ id }) => id)).toEqual([kept.id]);
    // A machine that remembers the record of it sees the same.
    await prune(its, {}, on(its, 'a'));
    await expectRestored(its, kept.id, kept.facts, on(its, 'c'));
    expect(objectsIn(its, 'snapshots')).toContain(lost.id);
    await expectClean(its);
  });

  test('is noticed also when all who saw it were forgotten and pruned', async () => {
    const { its, lost, kept, path, record } = await vanished();
    // Put back, seen and forgotten, and only then removed by somebody.
    writeFileSync(path, record);
    write(its, 'later', 9);
    const later = await take(its, 'a');
    for (const { id } of [kept, later]) {
      await forget(its, id, on(its, 'a'));
      await prune(its, {}, on(its, 'a'));
    }
    await take(its, 'a');
    rmSync(path);
    for (const machine of ['a', 'b']) {
      await expect(prune(its, {}, on(its, machine))).rejects.toThrow(/gone, though nobody forgot it/);
    }
    writeFileSync(path, record);
    await prune(its, {}, on(its, 'a'));
    await expectRestored(its, lost.id, lost.facts, on(its, 'c'));
  });

  test('is noticed also when nobody has seen it', async () => {
    const { its, kept } = await vanished();
    rmSync(join(its.repo, 'snapshots', kept.id));
    await expect(prune(its)).rejects.toThrow(/gone, though nobody forgot it/);
    expect(objectsIn(its, 'packs').length).toBeGreaterThan(0);
  });
});

/** Lists without one of the objects, at the n-th listing of its kind. */
function forgetful(kind: string, hidden: () => string, at: number) {
  let lists = 0;
  return (inner: Backend): Backend => ({
    ...inner,
    location: inner.location,
    concurrency: inner.concurrency,
    capabilities: inner.capabilities,
    list: async function* (wanted, options) {
      const isNow = wanted === kind && ++lists === at;
      for await (const object of inner.list(wanted, options)) {
        if (!isNow || object.name !== hidden()) yield object;
      }
    },
    stat: (...call) => inner.stat(...call),
    read: (...call) => inner.read(...call),
    write: (...call) => inner.write(...call),
    remove: (...call) => inner.remove(...call),
    removeMany: (...call) => inner.removeMany(...call),
    close: () => inner.close(),
  });
}

test('a pack that one listing misses is not lost, whichever it is', async () => {
  for (let at = 1; at <= 6; at++) {
    const its = await scratchRepository();
    write(its, 'kept', 1);
    const kept = await take(its);
    const [pack] = objectsIn(its, 'packs');
    write(its, 'gone', 2);
    const gone = await take(its);
    await forget(its, gone.id);
    const wrapBackend = forgetful('packs', () => pack!, at);
    // It may refuse; then nothing was removed.
    await prune(its, {}, { ...on(its, 'a'), wrapBackend }).catch(() => undefined);
    await expectRestored(its, kept.id, kept.facts, on(its, 'b'));
    await expectRestored(its, kept.id, kept.facts, on(its, 'a'));
    await prune(its, {}, on(its, 'a'));
    await expectRestored(its, kept.id, kept.facts, on(its, 'c'));
    await expectClean(its);
  }
});
