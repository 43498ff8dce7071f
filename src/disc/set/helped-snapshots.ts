import type { ChunkId } from '../../core/index.js';
import { loadForReading, type Repository } from '../../repo/index.js';
import { rootsLacking, type Snapshot } from '../../snapshot/index.js';

/**
 * The snapshots, in their order, that reach something in one of these packs; those whose trees cannot be read are among them,
 * since nobody can tell. Packs that the repository does not have any more say nothing. Each tree is read once. Rejects when
 * the backend fails, and with the signal's reason.
 */
export async function helpedSnapshots(
  repository: Repository,
  snapshots: readonly Snapshot[],
  packs: ReadonlySet<string>,
  signal: AbortSignal,
): Promise<readonly Snapshot[]> {
  const loaded = await loadForReading(repository);
  const { cache } = repository;
  const isElsewhere = (id: ChunkId): boolean =>
    cache.places(id).every(({ pack }) => !packs.has(cache.pack(pack)?.name ?? ''));
  const roots = snapshots.map(({ root }) => root);
  const helped = await rootsLacking(repository, loaded, roots, isElsewhere, signal);
  return snapshots.filter(({ root }) => helped.has(root.id));
}
