import { forEachParallel } from '../../backends/index.js';
import { CbrError, isSessionId, type SessionId, toHex } from '../../core/index.js';
import type { Repository, RepositoryView } from '../../repo/index.js';
import { readForgotten } from './forgotten-snapshots.js';

/** Which snapshots were taken last, by what they saw of each other: clocks may jump. */

export interface TakenGroup {
  readonly members: readonly SessionId[];
  /** Those of the members about which is asked. */
  readonly asked: readonly SessionId[];
}

/**
 * Of those asked about, the ones that no other member of their group saw, be it through snapshots of other groups or through
 * ones that were forgotten. A forgotten record that cannot be opened is taken for one that saw nothing: then more are said to
 * be the last, and none less.
 */
export async function takenLast(
  repository: Pick<Repository, 'backend' | 'records'>,
  view: RepositoryView,
  groups: readonly TakenGroup[],
): Promise<ReadonlySet<SessionId>> {
  const last = new Set<SessionId>();
  const seenBy = new Map<SessionId, readonly SessionId[]>();
  for (const [id, outcome] of view.outcomes) {
    // A fence can stand beside the forgotten record of a commit; what that saw is in there.
    if (!(outcome instanceof CbrError) && outcome.outcome === 'commit') seenBy.set(id, seenIn(outcome.seen));
  }
  for (const { members, asked } of groups) {
    const open = new Set(asked);
    const met = new Set<SessionId>();
    let next: readonly SessionId[] = members;
    while (open.size > 0 && next.length > 0) {
      const unread = follow(next, seenBy, met, open).filter((id) => view.forgotten.has(id));
      if (open.size > 0) await readSeen(repository, unread, seenBy);
      for (const id of unread) met.delete(id);
      next = unread;
    }
    for (const id of open) last.add(id);
  }
  return last;
}

/** Goes to all that can be followed, takes what is seen off the list, and returns what would have to be read first. */
function follow(
  from: readonly SessionId[],
  seenBy: ReadonlyMap<SessionId, readonly SessionId[]>,
  met: Set<SessionId>,
  open: Set<SessionId>,
): SessionId[] {
  const unread: SessionId[] = [];
  const stack = [...from];
  for (let id = stack.pop(); id !== undefined; id = stack.pop()) {
    if (met.has(id)) continue;
    met.add(id);
    const seen = seenBy.get(id);
    if (seen === undefined) unread.push(id);
    for (const each of seen ?? []) {
      open.delete(each);
      stack.push(each);
    }
  }
  return unread;
}

async function readSeen(
  repository: Pick<Repository, 'backend' | 'records'>,
  ids: readonly SessionId[],
  seenBy: Map<SessionId, readonly SessionId[]>,
): Promise<void> {
  await forEachParallel(ids, repository.backend.concurrency, async (id) => {
    try {
      const { outcome } = await readForgotten(repository, id);
      seenBy.set(id, seenIn(outcome.seen));
    } catch (error) {
      if (!(error instanceof CbrError) || (error.code !== 'damaged' && error.code !== 'format')) throw error;
      seenBy.set(id, []);
    }
  });
}

function seenIn(seen: readonly Uint8Array[]): SessionId[] {
  return seen.map(toHex).filter(isSessionId);
}
