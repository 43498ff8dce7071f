import { chmodSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { listSnapshots, openPathIndex, type Snapshot, snapshotsWithPath } from '../../dist/snapshot/index.js';
import { HistoryReader } from '../../dist/snapshot/paths/find-paths.js';
import { snapshotGroups } from '../../dist/snapshot/paths/snapshot-groups.js';
import { forget, prune } from './prune-subject.js';
import { isRoot, type Scratch, scratchRepository } from './scratch-repository.js';

const ids = (snapshots: readonly Snapshot[]): string[] => snapshots.map(({ id }) => id);

async function holders(at: Scratch, name: string): Promise<string[]> {
  const path = join(at.source, name);
  return ids(await at.use((repository) => snapshotsWithPath(repository, path, { tags: [] })));
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

  test.skipIf(isRoot)('does not take for gone what could not be read', async () => {
    const at = await scratchRepository();
    const file = join(at.source, 'file');
    writeFileSync(file, '1');
    await at.take();
    chmodSync(file, 0);
    writeFileSync(join(at.source, 'other'), '1');
    await at.take();
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
