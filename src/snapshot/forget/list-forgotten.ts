import type { SessionId } from '../../core/index.js';
import { loadRepository, type Repository } from '../../repo/index.js';
import { listSnapshots } from '../list-snapshots.js';
import { contentIdentity } from './content-identity.js';
import { type DamagedForgotten, type ForgottenSnapshot, takeEachForgotten } from './forgotten-snapshots.js';
import { wholeRoots } from './whole-roots.js';

export interface ListedForgotten {
  /** Oldest first, by the time they were taken. */
  readonly snapshots: readonly ForgottenSnapshot[];
  readonly damaged: readonly DamagedForgotten[];
  /** Of all that were ever forgotten: among these an id, or its beginning, is looked for. */
  readonly ids: readonly SessionId[];
}

/**
 * The forgotten snapshots that can be brought back: everything that they hold is still stored (content is not read), and they
 * are not back already. One that was brought back and forgotten again is listed once, as it was forgotten last. Reads the trees
 * of all of them. Rejects when the backend fails or the format is newer, and with the signal's reason.
 */
export async function listForgotten(repository: Repository, signal?: AbortSignal): Promise<ListedForgotten> {
  const loaded = await loadRepository(repository);
  const there = new Set((await listSnapshots(repository)).snapshots.map(contentIdentity));
  const ids: SessionId[] = [];
  const lastWith = new Map<string, ForgottenSnapshot>();
  const damaged = await takeEachForgotten(repository, (found) => {
    ids.push(found.snapshot.id);
    const identity = contentIdentity(found.snapshot);
    if (there.has(identity) || !repository.cache.has(found.snapshot.root.id)) return;
    const before = lastWith.get(identity);
    if (before === undefined || isLater(found, before)) lastWith.set(identity, found);
  });
  const candidates = [...lastWith.values()];
  const roots = candidates.map(({ snapshot }) => snapshot.root);
  const whole = await wholeRoots(repository, loaded, roots, signal);
  return {
    snapshots: candidates.filter(({ snapshot }) => whole.has(snapshot.root.id)).sort(byTime),
    damaged,
    ids: [...ids, ...damaged.map(({ id }) => id)],
  };
}

function isLater(a: ForgottenSnapshot, b: ForgottenSnapshot): boolean {
  return a.forgotten === b.forgotten ? a.snapshot.id > b.snapshot.id : a.forgotten > b.forgotten;
}

function byTime({ snapshot: a }: ForgottenSnapshot, { snapshot: b }: ForgottenSnapshot): number {
  const difference = a.about.seconds - b.about.seconds || a.about.nanoseconds - b.about.nanoseconds;
  return difference || (a.id < b.id ? -1 : 1);
}
