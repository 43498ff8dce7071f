import type { SessionId } from '../../core/index.js';
import type { SyncReport } from '../index-sync.js';
import { undecidedAuthors } from '../load-repository.js';
import type { Repository } from '../repository.js';
import { hasOutcome } from '../session.js';
import type { RepositoryView } from '../view.js';
import { seenByForgotten } from './seen-by-forgotten.js';
import { unregistered } from './settle-sessions.js';

/**
 * Outcomes that were there and are not: snapshots that others saw, and authors of segments that are not registered. Rejects when the
 * backend fails.
 */
export async function lostOutcomes(
  repository: Repository,
  view: RepositoryView,
  sync: SyncReport,
): Promise<SessionId[]> {
  const authors = await unregistered({ repository }, undecidedAuthors(view, sync));
  const lost = new Set([...view.vanished, ...authors]);
  for (const sid of await seenByForgotten(repository, view.forgotten)) {
    const isThere = view.outcomes.has(sid) || view.forgotten.has(sid);
    // A listing in pages may have missed it.
    if (!isThere && !(await hasOutcome(repository.backend, sid))) lost.add(sid);
  }
  return [...lost];
}
