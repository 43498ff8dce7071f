import { linkSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chunkReader, loadRepository, type Repository } from '../../dist/repo/index.js';
import {
  listSnapshots,
  measureSnapshots,
  type Snapshot,
  sharesByFolder,
  sharesByType,
  walkReachable,
} from '../../dist/snapshot/index.js';
import { randomContent } from './random-content.js';
import { scratchRepository } from './scratch-repository.js';

const options = { signal: new AbortController().signal, listener: () => undefined };

/** All chunks that a snapshot reaches, with their lengths: walked by itself, nothing skipped that others have. */
async function reached(repository: Repository, { root }: Snapshot): Promise<Map<string, number>> {
  const reader = chunkReader(repository, await loadRepository(repository));
  const chunks = new Map<string, number>();
  await walkReachable(root, {
    see: (kind, { id, length }) => {
      if (chunks.has(id)) return false;
      chunks.set(id, kind === 'data' ? length : 0);
      return true;
    },
    read: ({ id, length }) => reader.read('tree', id, length),
  });
  return chunks;
}

test('what each group reaches alone is what no other one reaches', async () => {
  const at = await scratchRepository();
  const file = (name: string): string => join(at.source, name);
  mkdirSync(file('a/b/c'), { recursive: true });
  writeFileSync(file('a/b/c/large'), randomContent(1, 3_000_000));
  writeFileSync(file('a/once'), randomContent(2, 200_000));
  await at.take();
  rmSync(file('a/once'));
  writeFileSync(file('a/b/shared'), randomContent(3, 150_000));
  await at.take();
  writeFileSync(file('a/b/c/third'), randomContent(4, 100_000));
  await at.take();
  // The folder b again as it was, below another one that is new.
  rmSync(file('a/b/shared'));
  rmSync(file('a/b/c/third'));
  writeFileSync(file('fourth'), 'x');
  await at.take();
  await at.use(async (repository) => {
    const { snapshots } = await listSnapshots(repository);
    const all = await Promise.all(snapshots.map((each) => reached(repository, each)));
    const groupings = [
      [[0], [1], [2], [3]],
      [
        [1, 2],
        [0, 3],
      ],
      [[3, 0], [2], [1]],
      [[0, 1, 2, 3]],
      [[2]],
    ];
    for (const grouping of groupings) {
      const groups = grouping.map((group) => group.map((i) => snapshots[i]!));
      const measured = await measureSnapshots(repository, groups, options);
      for (const [g, group] of grouping.entries()) {
        const own = new Map(group.flatMap((i) => [...all[i]!]));
        for (const other of grouping.filter((each) => each !== group).flat()) {
          for (const id of all[other]!.keys()) own.delete(id);
        }
        const content = [...own.values()].reduce((sum, length) => sum + length, 0);
        expect(measured[g]).toMatchObject({ chunks: own.size, contentBytes: content });
        expect(measured[g]!.storedBytes).toBeGreaterThanOrEqual(content);
        expect(measured[g]!.treeBytes).toBeGreaterThan(0);
      }
    }
  });
});

test('files by type and by folder; several names of one file count once', async () => {
  const at = await scratchRepository();
  const file = (name: string): string => join(at.source, name);
  mkdirSync(file('docs/old'), { recursive: true });
  const sizes = { 'a.JPG': 500, 'b.jpg': 200, 'docs/c.txt': 40, 'docs/old/d': 30, 'docs/.rc': 2, 'e.b c': 1 };
  for (const [name, size] of Object.entries(sizes)) writeFileSync(file(name), Buffer.alloc(size));
  linkSync(file('a.JPG'), file('z.png'));
  await at.take();
  await at.use(async (repository) => {
    const [snapshot] = (await listSnapshots(repository)).snapshots;
    const { signal } = options;
    const types = await sharesByType(repository, snapshot!, undefined, signal);
    expect(types).toMatchObject({ files: 6, bytes: 773, unlisted: { files: 0 } });
    expect(types.shares).toEqual([
      { name: 'jpg', files: 2, bytes: 700 },
      { name: 'txt', files: 1, bytes: 40 },
      { name: '', files: 3, bytes: 33 },
    ]);
    const folders = async (path: string | undefined, depth: number) => {
      const { base, shares } = await sharesByFolder(repository, snapshot!, path, depth, signal);
      return shares.map(({ name, files, bytes }) => [name.slice(base.length), files, bytes]);
    };
    expect(await folders(undefined, 1)).toEqual([
      ['', 3, 701],
      ['/docs', 3, 72],
    ]);
    expect(await folders(undefined, 9)).toEqual([
      ['', 3, 701],
      ['/docs', 3, 72],
      ['/docs/old', 1, 30],
    ]);
    expect(await folders(file('docs'), 1)).toEqual([
      ['', 2, 42],
      ['/old', 1, 30],
    ]);
    expect(await folders(file('docs/c.txt'), 1)).toEqual([['', 1, 40]]);
    const root = await sharesByFolder(repository, snapshot!, '/', 1, signal);
    expect(root).toMatchObject({ base: '/', shares: [{ name: `/${at.source.split('/')[1]}`, bytes: 773 }] });
    await expect(sharesByFolder(repository, snapshot!, '/absent', 1, signal)).rejects.toMatchObject({
      code: 'not-found',
    });
  });
});
