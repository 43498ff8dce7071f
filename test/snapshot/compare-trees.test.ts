import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareTrees, type EntryPair } from '../../dist/snapshot/compare-trees.js';
import type { ChunkReference, Entry } from '../../dist/snapshot/entry.js';
import { encodeEntry, storeTree } from '../../dist/snapshot/tree.js';
import { runs } from '../core/runs.js';
import { file, memoryStore } from '../repo/snapshot-samples.js';
import { editedModel, flatModel, type ModelFolder, modelFolders, storeModel } from './model-tree.js';

/** Chunks in memory with a record of what was read. */
function countedStore() {
  const memory = memoryStore();
  const reads: string[] = [];
  let [underWay, most] = [0, 0];
  return {
    ...memory,
    reads,
    mostAtOnce: () => most,
    read: async (reference: ChunkReference) => {
      reads.push(reference.id);
      most = Math.max(most, ++underWay);
      await new Promise((resolve) => setImmediate(resolve));
      underWay--;
      return memory.read(reference);
    },
  };
}

async function compared(...its: Parameters<typeof compareTrees>): Promise<EntryPair[]> {
  const found: EntryPair[] = [];
  for await (const batch of compareTrees(...its)) found.push(...batch);
  return found;
}

const bytesOf = (entry: Entry | undefined): string | undefined =>
  entry && Buffer.from(encodeEntry(entry).bytes).toString('hex');

const shown = (pairs: readonly EntryPair[]) =>
  pairs.map(({ path, before, after }) => [path, bytesOf(before), bytesOf(after)]);

/** In the order of a walk through both: names by their bytes, folder by folder. */
function inWalkOrder(one: string, other: string): number {
  const [a, b] = [one.split('/'), other.split('/')];
  const at = a.findIndex((name, i) => name !== b[i]);
  if (at === -1) return a.length - b.length;
  return b[at] === undefined ? 1 : a[at]! < b[at]! ? -1 : 1;
}

function naive(before: ReadonlyMap<string, Entry>, after: ReadonlyMap<string, Entry>) {
  const paths = [...new Set([...before.keys(), ...after.keys()])].sort(inWalkOrder);
  return paths
    .map((path) => [path, bytesOf(before.get(path)), bytesOf(after.get(path))] as const)
    .filter(([, one, other]) => one !== other);
}

describe('what differs between two trees', () => {
  const pairs = modelFolders.chain((before) =>
    fc.tuple(fc.constant(before), fc.oneof(editedModel(before), modelFolders)),
  );

  test('is what a comparison of all their entries finds, in the order of a walk', async () => {
    await fc.assert(
      fc.asyncProperty(pairs, async ([before, after]) => {
        const { store, read } = memoryStore();
        const found = await compared(storeModel(before, store), storeModel(after, store), read);
        expect(shown(found)).toEqual(naive(flatModel(before, store), flatModel(after, store)));
      }),
      runs(300),
    );
  });

  test('from or to nothing is everything', async () => {
    await fc.assert(
      fc.asyncProperty(modelFolders, async (model) => {
        const { store, read } = memoryStore();
        const root = storeModel(model, store);
        const all = flatModel(model, store);
        expect(shown(await compared(undefined, root, read))).toEqual(naive(new Map(), all));
        expect(shown(await compared(root, undefined, read))).toEqual(naive(all, new Map()));
        expect(await compared(root, root, () => expect.unreachable())).toEqual([]);
      }),
      runs(100),
    );
  });
});

describe('a folder of many pages', () => {
  const stored = (names: readonly string[], store: ReturnType<typeof memoryStore>['store'], size = 10) =>
    storeTree(
      [...names].sort().map((name) => encodeEntry(file(name, size))),
      store,
    );
  const many = (count: number) => Array.from({ length: count }, (_, i) => `file ${i}`);

  test('gives what differs, and reads no page that both have', async () => {
    const edits = fc.record({
      count: fc.constantFrom(900, 1030, 3000),
      removed: fc.array(fc.nat(3000), { maxLength: 3 }),
      added: fc.array(fc.string({ unit: 'binary-ascii', minLength: 1 }), { maxLength: 3 }),
      changed: fc.array(fc.nat(3000), { maxLength: 3 }),
      cutOff: fc.option(fc.nat(3000)),
    });
    await fc.assert(
      fc.asyncProperty(edits, async ({ count, removed, added, changed, cutOff }) => {
        const before: Record<string, number> = Object.fromEntries(many(count).map((name) => [name, 10]));
        const after = { ...before };
        for (const i of changed) if (i < count) after[`file ${i}`] = 11;
        for (const i of removed) delete after[`file ${i}`];
        for (const name of added) after[name.replaceAll('/', '_')] = 10;
        for (let i = cutOff ?? count; i < count; i++) delete after[`file ${i}`];
        await sameAsNaive(before, after);
        await sameAsNaive(after, before);
      }),
      runs(12),
    );
  });

  async function sameAsNaive(before: ModelFolder, after: ModelFolder): Promise<void> {
    const { store, read, reads } = countedStore();
    const [one, other] = [memoryStore(), memoryStore()];
    const [from, to] = [storeModel(before, store), storeModel(after, store)];
    const found = await compared(from, to, read);
    expect(shown(found)).toEqual(naive(flatModel(before, store), flatModel(after, store)));
    storeModel(before, one.store);
    storeModel(after, other.store);
    const wanted = [...one.chunks.keys(), ...other.chunks.keys()].filter(
      (id) => one.chunks.has(id) !== other.chunks.has(id),
    );
    expect(reads.filter((id) => !wanted.includes(id))).toEqual([]);
    expect(reads.length).toBe(new Set(reads).size);
  }

  test('is read with several pages under way', async () => {
    const whole = countedStore();
    const found = await compared(undefined, stored(many(9000), whole.store), whole.read);
    expect(found.length).toBe(9000);
    expect(whole.mostAtOnce()).toBeGreaterThan(4);
  });

  test('whose pages overlap is refused', async () => {
    const { store, read } = memoryStore();
    const [a, b] = [stored(['a', 'm'], store), stored(['b', 'n'], store)];
    const { MessagePackWriter } = await import('../../dist/core/index.js');
    const writer = new MessagePackWriter();
    writer.array(2).int(1).array(2);
    for (const [first, { id, length }] of [['a', a] as const, ['b', b] as const])
      writer.array(2).latin1(first).array(2).latin1(id).int(length);
    await expect(compared(undefined, store(writer.finish()), read)).rejects.toMatchObject({
      code: 'damaged',
      message: expect.stringContaining('not sorted'),
    });
  });
});

test('many changed folders are read with several reads under way, and a damaged one is named', async () => {
  const { store, read, mostAtOnce, chunks } = countedStore();
  const tree = (size: number): ModelFolder =>
    Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`folder ${i}`, { inner: { file: size + i } }]));
  const [from, to] = [storeModel(tree(1), store), storeModel(tree(1000), store)];
  expect((await compared(from, to, read)).length).toBe(150);
  expect(mostAtOnce()).toBeGreaterThan(8);
  const inner = storeModel({ file: 1007 }, store);
  chunks.get(inner.id)!.fill(0xff);
  await expect(compared(from, to, read)).rejects.toMatchObject({
    code: 'damaged',
    message: expect.stringContaining('/folder 7/inner'),
  });
});
