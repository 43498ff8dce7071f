import { appendFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Backend, withFaults } from '../../dist/backends/index.js';
import type { SessionId } from '../../dist/core/index.js';
import type { InitParameters } from '../../dist/repo/index.js';
import {
  annotateSnapshot,
  copyOf,
  forgetSnapshots,
  listSnapshots,
  parentOf,
  rewriter,
} from '../../dist/snapshot/index.js';
import { excluding } from '../fs/rules.js';
import { probeAbilities, tellMissing } from './abilities.js';
import { copyAll, objectsOf, statesOf } from './copy-subject.js';
import { BY } from './forget-subject.js';
import { DISK, PLACES } from './places.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratch, scratchRepository } from './scratch-repository.js';
import { buildTree, type Node } from './source-tree.js';
import { factsOf, filledHoles } from './tree-facts.js';

/** Snapshots that are copied to another repository: all that they hold, once, under other keys. */

/** Chunks so small that files of a few MiB have lists of pages. */
const SMALL: Partial<InitParameters> = { chunkBytes: 4096, blockBytes: 256 * 1024, packBytes: 2 ** 20 };

/** Where large attributes can be kept, which are chunks of their own. */
const PLACE = PLACES.find((each) => probeAbilities(each).largeXattrs) ?? DISK;
const ABLE = probeAbilities(PLACE);
tellMissing(ABLE, 'copied trees');

const file = (name: string, seed: number, bytes: number): Node => ({
  name,
  type: 'file',
  parts: [{ seed, bytes }],
  metadata: {},
});

/** Everything that an entry can be and have, as far as this machine can make it. */
function everyKind(): Node[] {
  const { acls, devices, flags, xattrs, largeXattrs } = ABLE;
  const many: Node[] = Array.from({ length: 1400 }, (_, i) => file(`n${i}`, i % 7, 20 + (i % 5)));
  return [
    { name: 'many', type: 'folder', children: many, metadata: { mode: 0o751 } },
    {
      name: 'deep',
      type: 'folder',
      metadata: { mtime: 1_000_000_000_123_456_789n },
      children: [
        file('large', 1, 9_000_000),
        file('empty', 2, 0),
        {
          name: 'sparse',
          type: 'file',
          parts: [
            { hole: 2 ** 20 },
            { seed: 3, bytes: 100_000 },
            { hole: 3 * 2 ** 20 },
            { seed: 4, bytes: 9 },
          ],
          metadata: { mode: 0o4711 },
        },
        {
          name: 'linked',
          type: 'file',
          parts: [{ seed: 5, bytes: 70_000 }],
          links: ['deep/twin'],
          metadata: {},
        },
        { name: 'link', type: 'symlink', to: 'nowhere/\xff', metadata: { mtime: -5n } },
        { name: 'pipe', type: 'fifo', metadata: { mode: 0o600 } },
        { name: 'socket', type: 'socket', metadata: {} },
        { name: 'caf\xe9', type: 'folder', children: [], metadata: {} },
        ...(devices
          ? [{ name: 'tape', type: 'device', kind: 'c', major: 9, minor: 7, metadata: {} } as const]
          : []),
      ],
    },
    {
      name: 'dressed',
      type: 'file',
      parts: [{ seed: 6, bytes: 5000 }],
      metadata: {
        xattrs: [
          ...(xattrs ? [{ name: 'user.small', seed: 7, bytes: 9 }] : []),
          ...(largeXattrs ? [{ name: 'user.large', seed: 8, bytes: 5000 }] : []),
        ],
        ...(acls ? { acl: 'u:1234:r' } : {}),
        ...(flags ? { flags: 'd' } : {}),
      },
    },
  ];
}

/** A repository of its own for `from`'s snapshots. */
async function targetOf(from: Scratch, changes: Partial<InitParameters> = {}): Promise<Scratch> {
  const target = scratch();
  await target.init(changes);
  expect(target.repo).not.toBe(from.repo);
  return target;
}

/** What the newest snapshot of the target restores to is what the source folder is. */
async function expectRestored(from: Scratch, to: Scratch): Promise<void> {
  const { target, problems } = await to.restore(undefined, { path: from.source, target: from.newTarget() });
  expect(problems).toEqual([]);
  expect(factsOf(target)).toEqual(factsOf(from.source));
  expect(filledHoles(from.source, target)).toEqual([]);
}

async function expectClean(...all: readonly Scratch[]): Promise<void> {
  for (const each of all) expect((await each.check()).findings).toEqual([]);
}

test('everything that a snapshot holds, from an encrypted repository to an encrypted one', async () => {
  const from = scratch(PLACE);
  await from.init({ ...SMALL, encrypted: true });
  await buildTree(from.source, everyKind());
  const { summary } = await from.take({ tags: ['b', 'a'], job: 'nightly' });
  const to = await targetOf(from, { ...SMALL, encrypted: true });
  const before = objectsOf(from);
  const { copied, cutsDiffer } = await copyAll(from, to);
  expect(cutsDiffer).toBe(false);
  expect(copied).toMatchObject([{ state: 'new', bytes: { read: summary.statistics.newBytes } }]);
  // Nothing was written to the repository that was copied from.
  expect(objectsOf(from)).toEqual(before);
  await expectClean(to);
  await expectRestored(from, to);
  const [old] = await from.snapshots();
  const [made] = await to.snapshots();
  const { extensions: _, ...about } = made!.about;
  expect(about).toEqual(old!.about);
  expect(copyOf(made!.about).map(({ snapshot }) => snapshot)).toEqual([made!.id, old!.id]);
  expect(made!.root.id).not.toBe(old!.root.id);
  // Nothing is new for a snapshot of the same source into the target: no content, and no tree without hard links.
  const direct = await to.take({ paths: [from.source] });
  expect(direct.summary.statistics.newBytes).toBe(0);
  const packs = objectsOf(to).filter((name) => name.startsWith('packs/'));
  expect(direct.summary.statistics.storedBytes).toBeLessThan(5000);
  expect(packs.length).toBeGreaterThan(3);
});

test.each([
  ['encrypted', 'unencrypted', true, false],
  ['unencrypted', 'encrypted', false, true],
  ['unencrypted', 'unencrypted', false, false],
])('from an %s repository to an %s one, which cuts otherwise', async (_from, _to, isFrom, isTo) => {
  const from = scratch(PLACE);
  await from.init({ ...SMALL, encrypted: isFrom });
  await buildTree(from.source, everyKind());
  await from.take();
  const to = await targetOf(from, { encrypted: isTo, compression: 3, pad: true });
  const { cutsDiffer } = await copyAll(from, to);
  expect(cutsDiffer).toBe(true);
  await expectClean(to);
  await expectRestored(from, to);
});

test('a second copy writes nothing, and reads no pack', async () => {
  const from = await scratchRepository(SMALL);
  writeFileSync(join(from.source, 'a'), randomContent(1, 3_000_000));
  await from.take();
  writeFileSync(join(from.source, 'b'), randomContent(2, 100_000));
  await from.take();
  const to = await targetOf(from, { encrypted: true });
  expect(statesOf(await copyAll(from, to))).toEqual(['new', 'new']);
  const again = await copyAll(from, to);
  expect(statesOf(again)).toEqual(['there', 'there']);
  expect(again.to.write.calls).toBe(0);
  expect(again.to.remove.calls).toBe(0);
  expect(again.from.read.bytes + again.to.read.bytes).toBeLessThan(10_000);
});

test('a later snapshot brings only what is new, and only that is read', async () => {
  const from = await scratchRepository({ ...SMALL, encrypted: true });
  mkdirSync(join(from.source, 'still'));
  for (let i = 0; i < 40; i++) writeFileSync(join(from.source, `still/${i}`), randomContent(i, 100_000));
  writeFileSync(join(from.source, 'grows'), randomContent(99, 2_000_000));
  await from.take();
  const to = await targetOf(from, SMALL);
  const first = await copyAll(from, to);
  expect(first.copied[0]!.bytes.new).toBe(6_000_000);
  appendFileSync(join(from.source, 'grows'), randomContent(100, 50_000));
  mkdirSync(join(from.source, 'moved'));
  await from.take();
  const { copied, to: written, from: read } = await copyAll(from, to);
  expect(copied.map(({ state }) => state)).toEqual(['there', 'new']);
  // The end of the old file is cut anew.
  const { bytes } = copied[1]!;
  expect(bytes.new).toBeGreaterThanOrEqual(50_000);
  expect(bytes.new).toBeLessThan(50_000 + 16_384);
  expect(bytes.read).toBe(bytes.new);
  expect(written.write.bytes).toBeLessThan(100_000);
  expect(read.read.bytes).toBeLessThan(400_000);
  await expectClean(to);
  await expectRestored(from, to);
});

test('without its map a copy reads again, and stores nothing twice', async () => {
  const from = await scratchRepository({ ...SMALL, encrypted: true });
  writeFileSync(join(from.source, 'a'), randomContent(1, 500_000));
  await from.take();
  const to = await targetOf(from, SMALL);
  await copyAll(from, to);
  appendFileSync(join(from.source, 'b'), 'more');
  await from.take();
  const elsewhere = { cacheRoot: join(to.root, 'another cache') };
  const { copied } = await copyAll(from, to, { opening: elsewhere });
  expect(copied[1]).toMatchObject({ state: 'new', bytes: { read: 500_004, new: 4 } });
  await expectClean(to);
  await expectRestored(from, to);
});

test('content that the target has by its own snapshots is not stored again', async () => {
  const from = await scratchRepository({ ...SMALL, encrypted: true });
  const to = await targetOf(from, { ...SMALL, encrypted: true });
  writeFileSync(join(from.source, 'own'), randomContent(1, 800_000));
  await to.take({ paths: [from.source] });
  writeFileSync(join(from.source, 'other'), randomContent(2, 30_000));
  await from.take();
  const { copied } = await copyAll(from, to);
  expect(copied[0]!.bytes).toMatchObject({ read: 830_000, new: 30_000 });
  await expectClean(to);
  await expectRestored(from, to);
});

test('what was rewritten or tagged in the target is not copied again, what was forgotten only by name', async () => {
  const from = await scratchRepository(SMALL);
  const ids: SessionId[] = [];
  for (const name of ['a', 'b', 'c']) {
    writeFileSync(join(from.source, name), name);
    ids.push((await from.take()).summary.snapshot as SessionId);
  }
  await from.use((repository) =>
    annotateSnapshot(repository, { id: ids[0]! }, { pin: {}, tags: { set: ['old'] }, comment: 'x' }, 'y', 1),
  );
  const to = await targetOf(from);
  const { copied } = await copyAll(from, to);
  const made = copied.map(({ snapshot }) => snapshot!.id);
  expect(await to.snapshots()).toMatchObject([
    { id: made[0], pin: {}, about: { tags: ['old'], comment: 'x' } },
    { id: made[1], about: { tags: [] } },
    { id: made[2] },
  ]);
  expect((await to.snapshots()).map(({ about }) => parentOf(about))).toEqual([undefined, made[0], made[1]]);
  await to.use(async (repository) => {
    await annotateSnapshot(repository, { id: made[0]! }, { tags: { set: ['new'] }, pin: 'none' }, 'y', 2);
    await forgetSnapshots(repository, [made[1]!], BY);
  });
  const again = await copyAll(from, to);
  expect(statesOf(again)).toEqual(['there', 'there', 'forgotten']);
  expect(again.to.write.calls).toBe(0);
  const named = await copyAll(from, to, { isNamed: true, chosen: ({ id }) => id === ids[1] });
  expect(statesOf(named)).toEqual(['new']);
  // Named once, it is there again.
  expect(statesOf(await copyAll(from, to))).toEqual(['there', 'there', 'there']);
  expect((await to.snapshots()).map(({ about }) => about.tags)).toEqual([['new'], [], []]);
});

test('copies of copies are known as what they are copies of, and nothing goes round in a circle', async () => {
  const from = await scratchRepository(SMALL);
  writeFileSync(join(from.source, 'a'), 'a');
  await from.take();
  const to = await targetOf(from, { encrypted: true });
  const third = await targetOf(from);
  await copyAll(from, to);
  expect(statesOf(await copyAll(to, from))).toEqual(['there']);
  expect(statesOf(await copyAll(to, third))).toEqual(['new']);
  expect(statesOf(await copyAll(from, third))).toEqual(['there']);
  await expectRestored(from, third);
});

test('what was rewritten since stands for the snapshot where it was copied to, and is a new one where it was copied from', async () => {
  const from = await scratchRepository(SMALL);
  writeFileSync(join(from.source, 'secret'), 'never to be stored');
  writeFileSync(join(from.source, 'other'), 'other');
  await from.take();
  const to = await targetOf(from);
  const third = await targetOf(from);
  await copyAll(from, to);
  await copyAll(from, third);
  const [rewritten] = await to.use(async (repository) => {
    const change = { rules: excluding('secret'), words: {}, moves: [] };
    const rewrite = rewriter(repository, change, { ...BY, forget: true, dryRun: false });
    return Promise.all(
      (await listSnapshots(repository)).snapshots.map((each) => rewrite(each, () => undefined)),
    );
  });
  const again = await copyAll(from, to);
  expect(again.copied).toMatchObject([{ state: 'there', snapshot: { id: rewritten!.snapshot!.id } }]);
  expect(again.to.write.calls).toBe(0);
  expect(statesOf(await copyAll(to, third))).toEqual(['new']);
  expect(await third.snapshots()).toHaveLength(2);
});

test('a copy that is stopped fails, and what was stored by then counts for the next one', async () => {
  const from = await scratchRepository({ ...SMALL, packBytes: 512 * 1024 });
  writeFileSync(join(from.source, 'a'), randomContent(1, 6_000_000));
  await from.take();
  const to = await targetOf(from, { ...SMALL, packBytes: 512 * 1024, encrypted: true });
  const stop = new AbortController();
  const wrapTarget = (medium: Backend): Backend =>
    withFaults(medium, ({ operation, kind }) => {
      if (operation === 'write' && kind === 'packs') stop.abort(new Error('stopped by the test'));
      return undefined;
    });
  await expect(copyAll(from, to, { signal: stop.signal, wrapTarget })).rejects.toThrow('stopped by the test');
  expect(await to.snapshots()).toEqual([]);
  const { copied } = await copyAll(from, to);
  expect(copied[0]!.bytes.new).toBeLessThan(6_000_000 - 400_000);
  await expectClean(to);
  await expectRestored(from, to);
});

test('a dry run tells what would be read, and writes nothing', async () => {
  const from = await scratchRepository(SMALL);
  writeFileSync(join(from.source, 'a'), randomContent(1, 100_000));
  await from.take();
  writeFileSync(join(from.source, 'b'), randomContent(2, 10_000));
  await from.take();
  const to = await targetOf(from, { encrypted: true });
  const before = objectsOf(to);
  const { copied } = await copyAll(from, to, { dryRun: true });
  expect(copied).toMatchObject([
    { state: 'new', snapshot: undefined, bytes: { read: 100_000, new: 0, stored: 0 } },
    { state: 'new', snapshot: undefined, bytes: { read: 10_000, new: 0, stored: 0 } },
  ]);
  expect(objectsOf(to)).toEqual(before);
});

test('a repository is not copied to itself, wherever it lies', async () => {
  const from = await scratchRepository();
  await from.take();
  const copyToItself = copyAll(from, from);
  await expect(copyToItself).rejects.toMatchObject({ code: 'usage', message: /itself/ });
});
