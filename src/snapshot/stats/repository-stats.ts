import { CbrError } from '../../core/index.js';
import { loadForReading, type Repository, validSnapshots } from '../../repo/index.js';
import { snapshotOf } from '../snapshot-record.js';

/** What a repository holds. Sizes in bytes. */
export interface RepositoryStats {
  /** Those whose records can be opened. */
  readonly snapshots: number;
  /** Packs that counting index segments name. */
  readonly packs: number;
  /** Index segments that count. */
  readonly segments: number;
  /** Distinct chunks of content and of trees. */
  readonly chunks: number;
  /** Length of these packs and index segments. */
  readonly storedBytes: number;
  /** Length of the tree packs among them. */
  readonly treeBytes: number;
  /** Content of files in all data packs, before compression: each chunk once. */
  readonly plainBytes: number;
  /** Length of all files of all snapshots. */
  readonly sourceBytes: number;
}

/** Counts by the records and the chunk index; reads no pack. */
export async function repositoryStats(repository: Repository): Promise<RepositoryStats> {
  const { view } = await loadForReading(repository);
  const { cache } = repository;
  const valid = validSnapshots(view);
  let sourceBytes = 0;
  let snapshots = 0;
  for (const [id, outcome] of valid) {
    try {
      sourceBytes += snapshotOf(id, outcome).about.statistics.sourceBytes;
      snapshots++;
    } catch (error) {
      // Its record is malformed: `listSnapshots` tells it, and the other figures hold without it.
      if (!(error instanceof CbrError)) throw error;
    }
  }
  let storedBytes = 0;
  let treeBytes = 0;
  let plainBytes = 0;
  const names = cache.packNames();
  for (const name of names) {
    const pack = cache.packNamed(name);
    if (pack === undefined) continue;
    storedBytes += pack.size;
    if (pack.kind === 'tree') treeBytes += pack.size;
    else for (const block of pack.blocks) plainBytes += block.plain;
  }
  const segments = cache.segments();
  for (const name of segments.keys()) storedBytes += view.segments.get(name) ?? 0;
  const { chunks } = cache.counts();
  return {
    snapshots,
    packs: names.length,
    segments: segments.size,
    chunks,
    storedBytes,
    treeBytes,
    plainBytes,
    sourceBytes,
  };
}
