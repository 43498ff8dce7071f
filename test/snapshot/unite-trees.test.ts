import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Blake3 } from '../../dist/repo/index.js';
import type { ChunkReference, Entry } from '../../dist/snapshot/entry.js';
import { type Difference, LinkGroups, uniteTrees } from '../../dist/snapshot/rewrite/unite-trees.js';
import { encodeEntry, readTree, storeTree } from '../../dist/snapshot/tree.js';
import { file, memoryStore } from '../repo/snapshot-samples.js';

type Store = ReturnType<typeof memoryStore>;

/** Folders are objects; files are numbers, their sizes and the times at which they were modified. */
interface Shape {
  readonly [name: string]: Shape | number;
}

function stored(shape: Shape, its: Store): ChunkReference {
  const names = Object.keys(shape).sort();
  const entries = names.map((name): Entry => {
    const value = shape[name]!;
    if (typeof value === 'number')
      return { ...file(name, value + 1), mtime: { seconds: value, nanoseconds: 0 } };
    const tree = stored(value, its);
    return {
      name,
      type: 'directory',
      mode: 0o700,
      uid: 7,
      gid: 7,
      mtime: { seconds: 1, nanoseconds: 0 },
      tree,
    };
  });
  return storeTree(
    entries.map((entry) => encodeEntry(entry)),
    its.store,
  );
}

async function shapeOf(tree: ChunkReference, its: Store): Promise<Shape> {
  const shape: Record<string, Shape | number> = {};
  for (const entry of await readTree(tree, its.read))
    shape[entry.name] = entry.tree === undefined ? entry.mtime.seconds : await shapeOf(entry.tree, its);
  return shape;
}

const digest = {
  digest: (plain: Uint8Array) => createHash('sha256').update(plain).digest(),
} as unknown as Blake3;

async function united(shapes: readonly Shape[], prefer: 'first' | 'modified' = 'first') {
  const its = memoryStore();
  const different: Difference[] = [];
  const { tree, counts } = await uniteTrees(
    shapes.map((shape) => stored(shape, its)),
    {
      prefer,
      read: its.read,
      put: its.store,
      paths: new Set(['/']),
      different: (each) => different.push(each),
      links: new LinkGroups(digest),
    },
  );
  return { shape: await shapeOf(tree, its), counts, different, its, tree };
}

/** The same by the obvious way. */
function expected(shapes: readonly (Shape | number)[], isModified: boolean): Shape | number {
  const best = isModified ? shapes.reduce((a, b) => (timeOf(b) > timeOf(a) ? b : a)) : shapes[0]!;
  if (typeof best === 'number') return best;
  const folders = shapes.filter((each): each is Shape => typeof each !== 'number');
  const names = [...new Set(folders.flatMap((each) => Object.keys(each)))];
  return Object.fromEntries(
    names.map((name) => [
      name,
      expected(
        folders.flatMap((each) => each[name] ?? []),
        isModified,
      ),
    ]),
  );
}
const timeOf = (shape: Shape | number): number => (typeof shape === 'number' ? shape : 1);

const { shape } = fc.letrec<{ shape: Shape; value: Shape | number }>((tie) => ({
  shape: fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd'), tie('value'), {
    maxKeys: 4,
    noNullPrototype: true,
  }),
  value: fc.oneof({ depthSize: 'small' }, fc.nat({ max: 5 }), tie('shape')),
}));

test('the union is what the obvious way gives, and counts what is in it', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(shape, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (shapes, isModified) => {
        const { shape: found, counts } = await united(shapes, isModified ? 'modified' : 'first');
        expect(found).toEqual(expected(shapes, isModified));
        const count = (each: Shape): { files: number; folders: number } => {
          const sum = { files: 0, folders: 0 };
          for (const value of Object.values(each)) {
            if (typeof value === 'number') sum.files++;
            else {
              const below = count(value);
              sum.files += below.files;
              sum.folders += below.folders + 1;
            }
          }
          return sum;
        };
        expect(counts).toMatchObject(count(found));
      },
    ),
  );
});

test('what only one has is not stored again, and equal trees are one', async () => {
  const only = { deep: { er: { x: 1 } }, y: 2 };
  const { tree, its, different } = await united([only, { deep: { er: { x: 1 } } }, only]);
  expect(tree).toEqual(stored(only, its));
  expect(different).toEqual([]);
});

test('a folder against a file is a conflict, and two files that differ are none', async () => {
  const { different } = await united([
    { a: 1, b: { c: 1 }, d: 1 },
    { a: 2, b: 3, d: 1 },
  ]);
  expect(different).toEqual([
    { path: '/a', isConflict: false, taken: 0 },
    { path: '/b', isConflict: true, taken: 0 },
  ]);
});

test('files of one hard-link group that have nothing in common get groups of their own', async () => {
  const its = memoryStore();
  const tree = (...entries: Entry[]): ChunkReference =>
    storeTree(
      entries.map((entry) => encodeEntry(entry)),
      its.store,
    );
  const linked = (name: string, size: number, linkGroup: string): Entry => ({
    ...file('content', size),
    name,
    linkGroup,
  });
  const old = tree(linked('a', 5, 'inode  7'), linked('b', 5, 'inode  7'), linked('z', 1, 'inode  8'));
  const now = tree(linked('c', 9, 'inode  7'), linked('d', 9, 'inode  7'), linked('z2', 1, 'inode  8'));
  const links = new LinkGroups(digest);
  const parts = {
    prefer: 'first',
    read: its.read,
    put: its.store,
    paths: new Set(['/']),
    different: () => {},
  } as const;
  await uniteTrees([old, now], { ...parts, links });
  expect(links.isSplit).toBe(true);
  const { tree: root } = await uniteTrees([old, now], { ...parts, links: links.settled() });
  const groups = new Map((await readTree(root, its.read)).map(({ name, linkGroup }) => [name, linkGroup]));
  expect(groups.get('a')).toBe(groups.get('b'));
  expect(groups.get('c')).toBe(groups.get('d'));
  expect(groups.get('a')).not.toBe(groups.get('c'));
  expect(groups.get('a')).toHaveLength(8);
  expect([groups.get('z'), groups.get('z2')]).toEqual(['inode  8', 'inode  8']);
});
