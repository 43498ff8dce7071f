import { expect, test } from 'vitest';
import type { ChunkReference, Entry } from '../../dist/snapshot/entry.js';
import { movedPath, movedSources, moveSources } from '../../dist/snapshot/rewrite/move-sources.js';
import { encodeEntry, readTree, storeTree } from '../../dist/snapshot/tree.js';
import { file, memoryStore } from '../repo/snapshot-samples.js';

type Move = Parameters<typeof movedPath>[1][number];
const move = (from: string, to: string) => ({ from, to }) as Move;
const TIME = { seconds: 5, nanoseconds: 6 };

/** A nested object: folders are objects, anything else a file of that mode. */
interface Shape {
  readonly [name: string]: Shape | number;
}

function stored(shape: Shape, its: ReturnType<typeof memoryStore>): ChunkReference {
  const entries = Object.entries(shape).map(([name, value]): Entry => {
    if (typeof value === 'number') return { ...file(name), mode: value };
    const tree = stored(value, its);
    return { name, type: 'directory', mode: 0o700, uid: 7, gid: 7, mtime: TIME, tree };
  });
  entries.sort((a, b) => (a.name < b.name ? -1 : 1));
  return storeTree(
    entries.map((entry) => encodeEntry(entry)),
    its.store,
  );
}

/** `/a/b 700` for each entry. */
async function listed(tree: ChunkReference, its: ReturnType<typeof memoryStore>, at = ''): Promise<string[]> {
  const lines: string[] = [];
  for (const entry of await readTree(tree, its.read)) {
    lines.push(`${at}/${entry.name} ${entry.mode.toString(8)}`);
    if (entry.tree !== undefined) lines.push(...(await listed(entry.tree, its, `${at}/${entry.name}`)));
  }
  return lines;
}

async function after(shape: Shape, sources: readonly string[], ...moves: Move[]): Promise<string[]> {
  const its = memoryStore();
  movedSources(sources, moves);
  const parts = { read: its.read, put: its.store, time: TIME };
  return listed(await moveSources(stored(shape, its), sources, moves, parts), its);
}

const HOMES = {
  mnt: { snap: { home: { ann: { letter: 0o600 }, bob: { list: 0o640 } } } },
  etc: { fstab: 0o644 },
};
const SOURCES = ['/etc/fstab', '/mnt/snap/home/ann', '/mnt/snap/home/bob'];

test('a folder above sources goes with all of them, and the folders that were only the way are gone', async () => {
  expect(await after(HOMES, SOURCES, move('/mnt/snap/home', '/home'))).toEqual([
    '/etc 700',
    '/etc/fstab 644',
    '/home 700',
    '/home/ann 700',
    '/home/ann/letter 600',
    '/home/bob 700',
    '/home/bob/list 640',
  ]);
});

test('what nothing is known of may be entered by all', async () => {
  const lines = await after(HOMES, SOURCES, move('/mnt/snap/home/ann', '/new/place/of/ann'));
  expect(lines).toContain('/new 755');
  expect(lines).toContain('/new/place/of 755');
  expect(lines).toContain('/new/place/of/ann 700');
  expect(lines).toContain('/mnt/snap/home/bob/list 640');
  expect(lines).not.toContain('/mnt/snap/home/ann 700');
});

test('a single file, two that change places, and one that is only named anew', async () => {
  expect(await after(HOMES, SOURCES, move('/etc/fstab', '/mnt/table'))).toContain('/mnt/table 644');
  const [ann, bob] = ['/mnt/snap/home/ann', '/mnt/snap/home/bob'];
  const turned = await after(HOMES, SOURCES, move(ann, '/t'), move(bob, ann), move('/t', bob));
  expect(turned).toContain('/mnt/snap/home/ann/list 640');
  expect(turned).toContain('/mnt/snap/home/bob/letter 600');
  expect(turned).toHaveLength(9);
  expect(turned.filter((line) => line.startsWith('/mnt 700'))).toHaveLength(1);
});

test('the root is moved, and becomes one', async () => {
  const whole = { etc: { fstab: 0o644 }, x: 0o600 };
  expect(await after(whole, ['/'], move('/', '/mnt'))).toEqual([
    '/mnt 755',
    '/mnt/etc 700',
    '/mnt/etc/fstab 644',
    '/mnt/x 600',
  ]);
  expect(await after({ mnt: whole }, ['/mnt'], move('/mnt', '/'))).toEqual([
    '/etc 700',
    '/etc/fstab 644',
    '/x 600',
  ]);
  expect(await after(HOMES, SOURCES, move('/', '/old'))).toContain('/old/mnt/snap/home/ann/letter 600');
  expect(await after({ mnt: { a: {}, b: 0o600 } }, ['/mnt/a', '/mnt/b'], move('/mnt', '/'))).toEqual([
    '/a 700',
    '/b 600',
  ]);
});

test('a source that was missing stays missing, and a folder that was empty from the start stays', async () => {
  expect(await after({ mnt: {} }, ['/mnt/gone'], move('/mnt/gone', '/gone'))).toEqual(['/mnt 700']);
});

test('paths follow', () => {
  const moves = [move('/mnt/snap', '/'), move('/home/ann', '/home/anna')];
  expect(movedPath('/mnt/snap/home/ann/letter', moves)).toBe('/home/anna/letter');
  expect(movedPath('/mnt/snapshot', moves)).toBe('/mnt/snapshot');
  expect(movedPath('/mnt/snap', moves)).toBe('/');
  expect(movedPath('/etc', [move('/', '/mnt')])).toBe('/mnt/etc');
  expect(movedSources(['/a', '/c'], [move('/a', '/z')])).toEqual(['/c', '/z']);
});

test('what would mix sources, or moves nothing, is refused', async () => {
  const refused = (sources: readonly string[], each: Move): void => {
    expect(() => movedSources(sources, [each])).toThrow(/^cannot move/);
  };
  refused(['/a', '/b'], move('/a', '/b'));
  refused(['/a', '/b'], move('/a', '/b/in'));
  refused(['/a', '/b/c'], move('/a', '/b'));
  refused(['/a', '/b'], move('/a', '/'));
  refused(['/a'], move('/a/inside', '/x'));
  refused(['/a'], move('/elsewhere', '/x'));
  await expect(after({ a: 0o600 }, ['/a'], move('/a', '/'))).rejects.toThrow('it is no folder');
});
