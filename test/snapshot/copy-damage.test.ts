import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { SessionId } from '../../dist/core/index.js';
import { forgetSnapshots, isPartial } from '../../dist/snapshot/index.js';
import { copyAll, statesOf } from './copy-subject.js';
import { BY } from './forget-subject.js';
import { prune } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { restoreFrom, type Scratch, scratch, scratchRepository } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

/** What a copy does where something is lost, of the source or of the target: it never says more than it has done. */

const SMALL = { chunkBytes: 4096, blockBytes: 64 * 1024, packBytes: 256 * 1024 };

const packsOf = ({ repo }: Scratch): string[] =>
  readdirSync(join(repo, 'packs'), { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();

/** Those that came by an action. */
async function packsBy(its: Scratch, action: () => Promise<unknown>): Promise<string[]> {
  const before = new Set(packsOf(its));
  await action();
  return packsOf(its).filter((path) => !before.has(path));
}

/** The largest of some packs: one of content. */
const largest = (paths: readonly string[]): string =>
  paths.reduce((a, b) => (statSync(a).size >= statSync(b).size ? a : b));
const smallest = (paths: readonly string[]): string =>
  paths.reduce((a, b) => (statSync(a).size <= statSync(b).size ? a : b));

function flip(path: string, at = 5000): Buffer {
  const whole = readFileSync(path);
  const bytes = Buffer.from(whole);
  bytes[Math.min(at, bytes.length >> 1)]! ^= 0x10;
  replace(path, bytes);
  return whole;
}

function replace(path: string, bytes: Uint8Array): void {
  rmSync(path);
  writeFileSync(path, bytes);
}

async function targetOf(): Promise<Scratch> {
  const target = scratch();
  await target.init({ ...SMALL, encrypted: true });
  return target;
}

/** The newest snapshot restores to what the source folder is. */
async function expectRestored(from: Scratch, to: Scratch): Promise<void> {
  // That the pack is missing is told, and that nothing is missed.
  for (const { affected } of (await to.check()).findings) expect(affected).toEqual([]);
  await to.use(async (repository) => {
    const snapshot = (await to.snapshots()).at(-1)!;
    const { target, problems } = await restoreFrom(repository, {
      snapshot,
      path: from.source,
      target: from.newTarget(),
    });
    expect(problems).toEqual([]);
    expect(factsOf(target)).toEqual(factsOf(from.source));
  });
}

test.each([
  ['content', largest],
  ['trees', smallest],
] as const)('a snapshot with damaged %s is not copied, and the others are', async (_, ofPacks) => {
  const from = await scratchRepository(SMALL);
  writeFileSync(join(from.source, 'a'), randomContent(1, 100_000));
  await from.take();
  writeFileSync(join(from.source, 'b'), randomContent(2, 100_000));
  const pack = ofPacks(await packsBy(from, () => from.take()));
  rmSync(join(from.source, 'b'));
  writeFileSync(join(from.source, 'c'), randomContent(3, 100_000));
  await from.take();
  const whole = flip(pack);
  const to = await targetOf();
  const { copied } = await copyAll(from, to);
  expect(copied.map(({ state }) => state)).toEqual(['new', 'failed', 'new']);
  expect(copied[1]).toMatchObject({ snapshot: undefined, error: { code: 'damaged' } });
  expect(copied[1]!.error!.message).toContain(copied[1]!.from.id.slice(0, 8));
  expect(await to.snapshots()).toHaveLength(2);
  await expectRestored(from, to);
  replace(pack, whole);
  expect(statesOf(await copyAll(from, to))).toEqual(['there', 'there', 'new']);
  expect((await to.check()).findings).toEqual([]);
});

test('content that lies in a second pack, too, is taken from there', async () => {
  const from = await scratchRepository(SMALL);
  writeFileSync(join(from.source, 'a'), randomContent(1, 100_000));
  const pack = largest(await packsBy(from, () => from.take()));
  flip(pack);
  // Found and stored again.
  await from.check();
  await from.take({ level: 'full' });
  const to = await targetOf();
  // As a machine that does not know which of them is damaged.
  const elsewhere = { cacheRoot: join(from.root, 'another cache') };
  const { copied } = await copyAll(from, to, { sourceOpening: elsewhere });
  expect(copied.map(({ state }) => state)).toEqual(['new', 'new']);
  await expectRestored(from, to);
});

test('what the target has lost since the last copy is brought again', async () => {
  const from = await scratchRepository(SMALL);
  mkdirSync(join(from.source, 'still'));
  writeFileSync(join(from.source, 'still/a'), randomContent(1, 200_000));
  await from.take();
  const to = await targetOf();
  await copyAll(from, to);
  rmSync(largest(packsOf(to)));
  writeFileSync(join(from.source, 'b'), 'new');
  await from.take();
  const { copied } = await copyAll(from, to);
  expect(copied[1]!.state).toBe('new');
  expect(copied[1]!.bytes.new).toBeGreaterThan(100_000);
  await expectRestored(from, to);
});

test('what was forgotten and pruned in the target since the last copy is brought again', async () => {
  const from = await scratchRepository(SMALL);
  mkdirSync(join(from.source, 'still'));
  writeFileSync(join(from.source, 'still/a'), randomContent(1, 200_000));
  await from.take();
  const to = await targetOf();
  const first = await copyAll(from, to);
  await to.use((repository) => forgetSnapshots(repository, [first.copied[0]!.snapshot!.id as SessionId], BY));
  await prune(to);
  writeFileSync(join(from.source, 'b'), 'new');
  await from.take();
  const { copied } = await copyAll(from, to);
  expect(copied.map(({ state }) => state)).toEqual(['forgotten', 'new']);
  expect(copied[1]!.bytes.new).toBe(200_003);
  await expectRestored(from, to);
});

test('what a prune of the source has moved is found', async () => {
  const from = await scratchRepository(SMALL);
  for (let i = 0; i < 10; i++) writeFileSync(join(from.source, `${i}`), randomContent(i, 20_000));
  const { summary } = await from.take();
  const to = await targetOf();
  await copyAll(from, to);
  for (let i = 0; i < 10; i += 2) rmSync(join(from.source, `${i}`));
  await from.take();
  await from.use((repository) => forgetSnapshots(repository, [summary.snapshot as SessionId], BY));
  await prune(from);
  const { copied } = await copyAll(from, to);
  expect(copied).toMatchObject([{ state: 'new', bytes: { new: 0 } }]);
  await expectRestored(from, to);
});

test('a partial snapshot stays partial', async () => {
  const from = await scratchRepository(SMALL);
  const folder = join(from.source, 'a');
  mkdirSync(folder);
  for (const file of ['1', '2']) writeFileSync(join(folder, file), file);
  const paths = [folder];
  await from.take({ paths });
  // Told of at once, and a file that is not taken in any more.
  symlinkSync('1', join(folder, '0'));
  writeFileSync(join(folder, '2'), 'changed');
  const stop = new AbortController();
  const { summary } = await from.take({ paths, partial: true, signal: stop.signal }, {}, ({ type }) => {
    if (type === 'item') stop.abort();
  });
  expect(summary.partial).toBe(true);
  const to = await targetOf();
  const { copied } = await copyAll(from, to);
  expect(copied.map(({ snapshot }) => isPartial(snapshot!.about))).toEqual([false, true]);
  expect((await to.check()).findings).toEqual([]);
});
