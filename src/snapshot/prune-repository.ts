import { type PruneOptions, type PruneSummary, prune, type Repository } from '../repo/index.js';
import { treeWalk } from './reach.js';

/** Reclaims what no snapshot reaches; as `prune`. */
export function pruneRepository(repository: Repository, options: PruneOptions): Promise<PruneSummary> {
  return prune(repository, treeWalk(), options);
}
