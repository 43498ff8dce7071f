import { type ChunkReader, chunkReader, loadForReading, type Repository } from '../../repo/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import { findNamedPath } from '../find-named-path.js';
import type { FoundPath } from '../find-path.js';
import type { Snapshot } from '../snapshot-record.js';
import { KEPT_BLOCK_BYTES } from './chunks-ahead.js';

/** What is to be dumped, and how to read it. */
export interface DumpSource {
  readonly snapshot: Snapshot;
  readonly found: FoundPath;
  readonly readTree: ReadTreeChunk;
  /** Blocks of content are kept apart from those of trees. */
  readonly data: ChunkReader;
}

/** Finds a path in a snapshot; without one its root. Rejects with `not-found` and with DamagedError. */
export async function openDump(
  repository: Repository,
  snapshot: Snapshot,
  path: string | undefined,
): Promise<DumpSource> {
  const loaded = await loadForReading(repository);
  const trees = chunkReader(repository, loaded);
  const data = chunkReader(repository, loaded, { keptBytes: KEPT_BLOCK_BYTES });
  const readTree: ReadTreeChunk = (reference) => trees.read('tree', reference.id, reference.length);
  return { snapshot, found: await findNamedPath(repository, snapshot, path, readTree), readTree, data };
}
