import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listSnapshots, openPathIndex, type Snapshot } from '../../dist/snapshot/index.js';
import { HistoryReader } from '../../dist/snapshot/paths/find-paths.js';
import { snapshotGroups } from '../../dist/snapshot/paths/snapshot-groups.js';
import { forget, prune } from './prune-subject.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';

const ids = (snapshots: readonly Snapshot[]): string[] => snapshots.map(({ id }) => id);

async function holders(at: Scratch, name: string): Promise<string[]> {
  return at.use(async (repository) => {
    const listed = await listSnapshots(repository);
    const { index } = await openPathIndex(repository, listed, listed.snapshots);
    const path = index.path(join(at.source, name).slice(1));
    const reader = new HistoryReader(index, snapshotGroups(listed.snapshots, index));
    const found = (path === undefined ? [] : reader.runs(path)).flatMap(([{ snapshots }, runs]) =>
      runs.flatMap(({ from, to, state }) => (state === undefined ? [] : snapshots.slice(from, to))),
    );
    await index.close();
    return ids(found);
  });
}

describe('the path index of a repository', () => {
  test('says which snapshots hold a path', async () => {
    const at = await scratchRepository();
    mkdirSync(join(at.source, 'folder'));
    await at.take();
    writeFileSync(join(at.source, 'folder/file'), 'one');
    await at.take();
    await at.take();
    rmSync(join(at.source, 'folder/file'));
    await at.take();
    const all = ids(await at.snapshots());
    expect(await holders(at, 'folder/file')).toEqual(all.slice(1, 3));
    expect(await holders(at, 'folder')).toEqual(all);
    expect(await holders(at, 'file')).toEqual([]);
    expect(at.reports).toEqual([]);
  });

  test('goes on when the snapshot that it knew last was forgotten and pruned', async () => {
    const at = await scratchRepository();
    writeFileSync(join(at.source, 'always'), '1');
    await at.take();
    writeFileSync(join(at.source, 'short'), '1');
    await at.take();
    const [first, second] = await at.snapshots();
    expect(await holders(at, 'short')).toEqual([second!.id]);
    await forget(at, second!.id);
    await prune(at);
    expect(await holders(at, 'short')).toEqual([]);
    rmSync(join(at.source, 'short'));
    await at.take();
    const third = (await at.snapshots()).at(-1)!;
    expect(await holders(at, 'short')).toEqual([]);
    expect(await holders(at, 'always')).toEqual([first!.id, third.id]);
  });

  test('does not take for gone what could not be read', async () => {
    const at = await scratchRepository();
    const file = join(at.source, 'file');
    const other = join(at.source, 'other');
    writeFileSync(file, '1');
    mkdirSync(other);
    const paths = [file, other];
    await at.take({ paths });
    // Whoever names what is not there is told of an error, root too, and the folder around it is known in part only.
    rmSync(file);
    writeFileSync(join(other, 'new'), '1');
    const { summary } = await at.take({ paths });
    expect(summary.errors).toBe(1);
    await at.use(async (repository) => {
      const { snapshots, damaged } = await listSnapshots(repository);
      const { index } = await openPathIndex(repository, { snapshots, damaged }, snapshots);
      const [history] = new HistoryReader(index, snapshotGroups(snapshots, index)).of(
        index.path(file.slice(1))!,
      );
      expect(history!.versions).toHaveLength(1);
      await index.close();
    });
  });
});
