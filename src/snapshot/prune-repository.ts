import { type PruneOptions, type PruneSummary, prune, type Repository } from '../repo/index.js';
import { treeWalk } from './reach.js';
import { startRewriteWorkers } from './rewrite/rewrite-workers.js';

/** Reclaims what no snapshot reaches; as `prune`, with so many threads for what is rewritten. */
export function pruneRepository(
  repository: Repository,
  options: Omit<PruneOptions, 'startSealer'>,
  threads = 1,
): Promise<PruneSummary> {
  const startSealer: PruneOptions['startSealer'] = (its) => startRewriteWorkers(its, threads);
  return prune(repository, treeWalk(), { ...options, startSealer });
}
