import { type PruneOptions, type PruneSummary, prune, type Repository } from '../../repo/index.js';
import { startPruneWorkers } from './prune-workers.js';
import { treeWalk } from './reach.js';

/** Reclaims what no snapshot reaches; as `prune`, with so many threads. */
export function pruneRepository(
  repository: Repository,
  options: Omit<PruneOptions, 'startWorkers'>,
  threads = 1,
): Promise<PruneSummary> {
  const startWorkers: PruneOptions['startWorkers'] = (its) => startPruneWorkers(its, threads);
  return prune(repository, treeWalk(), { ...options, startWorkers });
}
