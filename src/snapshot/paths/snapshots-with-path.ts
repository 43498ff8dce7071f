import type { Repository } from '../../repo/index.js';
import { listSnapshots } from '../list-snapshots.js';
import { filterSnapshots, type SnapshotFilter } from '../snapshot-filter.js';
import type { Snapshot } from '../snapshot-record.js';
import { HistoryReader } from './find-paths.js';
import { type IndexOptions, openPathIndex } from './index-snapshots.js';
import { snapshotGroups } from './snapshot-groups.js';

/**
 * The snapshots that hold a path, which is raw and absolute within them, oldest first, out of those that the filter lets
 * through. Brings the path index up to date for that. One whose trees cannot be read is not among them. Rejects when the
 * backend fails.
 */
export async function snapshotsWithPath(
  repository: Repository,
  path: string,
  filter: SnapshotFilter,
  options: IndexOptions = {},
): Promise<readonly Snapshot[]> {
  const listed = await listSnapshots(repository);
  const wanted = filterSnapshots(listed.snapshots, filter);
  const { index } = await openPathIndex(repository, listed, wanted, options);
  try {
    const found = index.path(path.slice(1));
    if (found === undefined) return [];
    const reader = new HistoryReader(index, snapshotGroups(wanted, index));
    const holding = new Set(reader.holders(found));
    return wanted.filter((each) => holding.has(each));
  } finally {
    await index.close();
  }
}
