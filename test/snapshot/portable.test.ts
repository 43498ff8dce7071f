import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Repository } from '../../dist/repo/index.js';
import { listSnapshots } from '../../dist/snapshot/index.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratch, type Taken, takeFrom } from './scratch-repository.js';
import { runScript } from './source-tree.js';
import { treeIdOf } from './stored-trees.js';
import { factsOf } from './tree-facts.js';

/** Without native code of ours, as on a machine without a compiler, and with what this machine has. */
const WAYS = [
  { portable: true, other: false },
  { portable: false, other: true },
] as const;

const namesOf = ({ algorithms }: Repository): string[] => {
  const { blake3, zstd, argon2 } = algorithms;
  return [blake3.name, zstd.name, argon2().name];
};

async function take(its: Scratch, portable: boolean): Promise<Taken & { tree: string }> {
  // A cache for each, so that neither trusts what the other one saw of the source.
  const opening = { portable, cacheRoot: join(its.root, portable ? 'portable cache' : 'native cache') };
  return its.use(async (repository) => {
    const taken = await takeFrom(repository, { paths: [its.source] });
    const { snapshots } = await listSnapshots(repository);
    return { ...taken, tree: await treeIdOf(repository, snapshots.at(-1)!, its.source) };
  }, opening);
}

async function expectRestored(its: Scratch, portable: boolean): Promise<void> {
  const { target, summary, problems } = await its.restore(undefined, {}, { portable });
  expect(problems).toEqual([]);
  expect(summary).toMatchObject({ lost: 0, verified: summary.files });
  expect(factsOf(target)).toEqual(factsOf(its.source));
}

test.each(WAYS)(
  'written (portable: $portable), read and continued by the other',
  async ({ portable, other }) => {
    const its = scratch();
    // Deriving keys without native code is slow: once is enough, since a key made there is opened here.
    await its.init({ encrypted: portable, chunkBytes: 16 * 1024, compression: 3 }, { portable });
    mkdirSync(join(its.source, 'folder'));
    writeFileSync(join(its.source, 'noise'), randomContent(1, 1_500_000));
    writeFileSync(join(its.source, 'folder/text'), 'the same line again and again\n'.repeat(20_000));
    runScript(its.source, [
      'touch empty',
      'ln -s noise link',
      'ln noise folder/linked',
      'truncate -s 1M sparse',
    ]);

    const first = await take(its, portable);
    expect(first.summary.statistics.newBytes).toBeGreaterThan(1_500_000);
    const second = await take(its, other);
    expect(second.summary).toMatchObject({ level: 'full', statistics: { newBytes: 0 } });
    expect(second.tree).toBe(first.tree);
    await expectRestored(its, other);

    writeFileSync(join(its.source, 'folder/text'), 'another line\n'.repeat(30_000));
    writeFileSync(join(its.source, 'more'), randomContent(2, 300_000));
    const third = await take(its, other);
    expect(third.summary.statistics.newBytes).toBeGreaterThan(300_000);
    const fourth = await take(its, portable);
    expect(fourth.summary.statistics).toMatchObject({ newBytes: 0, changedFiles: 1, newFiles: 1 });
    expect(fourth.tree).toBe(third.tree);
    await expectRestored(its, portable);
    expect((await its.check(100, { portable })).findings).toEqual([]);
    expect((await its.check(100, { portable: other })).findings).toEqual([]);
  },
);

test('the two are different programs', async () => {
  const its = scratch();
  await its.init();
  const [fallback, native] = await Promise.all(
    [true, false].map((portable) => its.use(async (each) => namesOf(each), { portable })),
  );
  const same = native!.filter((name) => fallback!.includes(name));
  // A machine without native code has but one of them.
  if (same.length > 0) process.stderr.write(`No native code on this machine for ${same.join(', ')}.\n`);
  for (const name of fallback!) expect(name).not.toMatch(/napi|node-rs/);
});
