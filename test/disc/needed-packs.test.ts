import { execFileSync } from 'node:child_process';
import { cpSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { forwardTo } from '../../dist/backends/forward.js';
import type { Backend } from '../../dist/backends/index.js';
import { type NeededPacks, neededPacks } from '../../dist/disc/index.js';
import { createRecord, markRecord } from '../../dist/repo/index.js';
import type { Snapshot } from '../../dist/snapshot/index.js';
import { objectsIn, prune, writeFiles } from '../snapshot/prune-subject.js';
import { type Scratch, scratch, scratchRepository } from '../snapshot/scratch-repository.js';

/** Which packs the chosen snapshots need: enough to restore them, and not one too many. */

const needed = (
  at: Scratch,
  snapshots: readonly Snapshot[],
  signal = new AbortController().signal,
): Promise<NeededPacks> => at.use((repository) => neededPacks(repository, snapshots, signal));

const packFile = (at: Scratch, name: string): string => join(at.repo, 'packs', name.slice(0, 2), name);
const names = (packs: readonly { readonly name: string }[]): string[] => packs.map(({ name }) => name);
const groups = ({ data }: NeededPacks): number[] => [
  ...new Set(data.map(({ firstSnapshot }) => firstSnapshot)),
];

/** Four snapshots: each has some packs of its own, and what the ones before have of `kept`. */
async function four(): Promise<{ at: Scratch; snapshots: readonly Snapshot[] }> {
  const at = await scratchRepository();
  writeFiles(at, 'kept', 1, 5, 2_000_000);
  await at.take();
  for (const round of [2, 3, 4]) {
    rmSync(join(at.source, 'own'), { recursive: true, force: true });
    writeFiles(at, 'own', round, 3, 2_000_000);
    await at.take();
  }
  return { at, snapshots: await at.snapshots() };
}

test('the packs suffice to restore the chosen snapshots, and none of them is too much', async () => {
  const { at, snapshots } = await four();
  const chosen = [snapshots[0]!, snapshots[2]!];
  const packs = await needed(at, chosen);
  expect(groups(packs)).toEqual([0, 1]);
  expect(packs.tree.every(({ kind }) => kind === 'tree')).toBe(true);
  const all = [...names(packs.data), ...names(packs.tree)];
  expect(new Set(all).size).toBe(all.length);

  const part = scratch();
  cpSync(at.repo, part.repo, { recursive: true });
  const others = objectsIn(at, 'packs').filter((name) => !all.includes(name));
  expect(others.length).toBeGreaterThan(2);
  for (const name of others) rmSync(packFile(part, name));
  for (const { id } of chosen) {
    const [whole, few] = [await at.restore(id), await part.restore(id, { path: at.source })];
    expect(few.problems).toEqual([]);
    execFileSync('diff', ['-r', whole.target, few.target]);
  }
  for (const name of all) {
    renameSync(packFile(part, name), join(part.root, 'aside'));
    const hurt = (await part.check(0)).findings.flatMap(({ affected }) => affected);
    expect(chosen.some(({ id }) => hurt.some((place) => place.startsWith(id.slice(0, 8))))).toBe(true);
    renameSync(join(part.root, 'aside'), packFile(part, name));
  }
}, 60_000);

test('data packs come with the first snapshot that needs them', async () => {
  const { at, snapshots } = await four();
  const forward = await needed(at, snapshots);
  expect(groups(forward)).toEqual([0, 1, 2, 3]);
  // What the last one shares with the first is its own when it comes first.
  const backward = await needed(at, [...snapshots].reverse());
  expect(names(backward.data).sort()).toEqual(names(forward.data).sort());
  const alone = await needed(at, [snapshots[3]!]);
  const ofFirst = names(backward.data.filter(({ firstSnapshot }) => firstSnapshot === 0));
  expect(ofFirst).toEqual(names(alone.data));
  expect(ofFirst.length).toBeGreaterThan(
    forward.data.filter(({ firstSnapshot }) => firstSnapshot === 3).length,
  );
  // Twice the same snapshot adds nothing, and of none nothing is needed.
  expect(names((await needed(at, [snapshots[3]!, snapshots[3]!])).data)).toEqual(ofFirst);
  expect(await needed(at, [])).toEqual({ data: [], tree: [] });
}, 60_000);

/** Has a prune of somebody else move what all packs hold: each is condemned. */
async function moveAll(at: Scratch): Promise<void> {
  const elsewhere = { cacheRoot: join(at.root, 'cache of prune') };
  const before = objectsIn(at, 'packs');
  await at.use(async ({ backend, records }) => {
    const packs = before.map((name) => Buffer.from(name, 'hex'));
    await createRecord(backend, 'marks', '1000000', markRecord, { packs }, records);
  }, elsewhere);
  expect((await prune(at, {}, elsewhere)).state).toBe('swept');
  expect(objectsIn(at, 'packs').filter((name) => before.includes(name))).toEqual([]);
}

test('what a prune moves while trees are read is found where it is then', async () => {
  const { at, snapshots } = await four();
  let reads = 0;
  const wrapBackend = (inner: Backend): Backend => ({
    ...forwardTo(inner),
    read: async (kind, ...call) => {
      // The trees of some snapshots were read by then.
      if (kind === 'packs' && ++reads === 5) await moveAll(at);
      return inner.read(kind, ...call);
    },
  });
  const { data, tree } = await at.use(
    (repository) => neededPacks(repository, snapshots, new AbortController().signal),
    { wrapBackend },
  );
  expect(reads).toBeGreaterThan(5);
  expect([...names(data), ...names(tree)].sort()).toEqual(objectsIn(at, 'packs'));
}, 60_000);

test('a snapshot that lacks something is named, and others are not hindered', async () => {
  const { at, snapshots } = await four();
  const { data, tree } = await needed(at, snapshots);
  const refused = async (name: string, of: readonly Snapshot[], hurt: Snapshot): Promise<void> => {
    renameSync(packFile(at, name), join(at.root, 'aside'));
    await expect(needed(at, of)).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining(`snapshot ${hurt.id.slice(0, 8)}: is not whole: `),
      hint: expect.stringContaining('cbr check'),
    });
    renameSync(join(at.root, 'aside'), packFile(at, name));
  };
  const ofSecond = data.find(({ firstSnapshot }) => firstSnapshot === 1)!.name;
  await refused(ofSecond, snapshots, snapshots[1]!);
  renameSync(packFile(at, ofSecond), join(at.root, 'lost'));
  expect((await needed(at, [snapshots[0]!, snapshots[2]!, snapshots[3]!])).data.length).toBeGreaterThan(0);
  renameSync(join(at.root, 'lost'), packFile(at, ofSecond));
  await refused(tree[0]!.name, snapshots, snapshots[0]!);
  expect((await needed(at, snapshots)).data).toHaveLength(data.length);
}, 60_000);

test('it stops when it is told to', async () => {
  const { at, snapshots } = await four();
  const reason = new Error('enough');
  await expect(needed(at, snapshots, AbortSignal.abort(reason))).rejects.toBe(reason);
}, 60_000);
