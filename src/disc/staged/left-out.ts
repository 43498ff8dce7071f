import type { Backend } from '../../backends/index.js';
import { CbrError, type SessionId, toHex } from '../../core/index.js';
import {
  createRecord,
  loadRepository,
  lostOutcomes,
  type OutcomeRecord,
  outcomeRecord,
  type Repository,
  readDiscCatalog,
  seenByForgotten,
} from '../../repo/index.js';

/** Snapshots that a repository knows of and a consolidation does not take along. */
export interface LeftOut {
  /** Those that are not there to be taken, though nobody forgot them or gave them up, sorted. */
  readonly snapshots: readonly SessionId[];
  /** Those that what is taken along bears witness to: where they have no outcome they are held for lost. */
  readonly witnessed: readonly SessionId[];
}

/**
 * Finds them: others saw them, sessions wrote segments for them, discs were built of them. `taken`: ids of the snapshots that are taken
 * along, besides the records of all that were forgotten. Rejects when the backend fails.
 */
export async function leftOut(repository: Repository, taken: ReadonlySet<string>): Promise<LeftOut> {
  const { view, sync } = await loadRepository(repository);
  const { outcomes, forgotten } = view;
  const isLeft = (id: SessionId): boolean => !taken.has(id) && !forgotten.has(id);
  const seen = await seenByForgotten(repository, forgotten);
  for (const [id, outcome] of outcomes) {
    if (!taken.has(id) || outcome instanceof CbrError) continue;
    for (const each of outcome.seen) seen.add(toHex(each) as SessionId);
  }
  const witnessed = [...seen].filter(isLeft);
  const { builds } = await readDiscCatalog(repository);
  const onDiscs = builds.flatMap(({ snapshots }) => snapshots as readonly SessionId[]);
  const known = [...witnessed, ...(await lostOutcomes(repository, view, sync)), ...onDiscs];
  // Given up, or left out because others were chosen.
  const isSettled = (id: SessionId): boolean => {
    const outcome = outcomes.get(id);
    return outcome !== undefined && !(outcome instanceof CbrError);
  };
  const snapshots = new Set(known.filter((id) => isLeft(id) && !isSettled(id)));
  return { snapshots: [...snapshots].sort(), witnessed };
}

/** Settles in the new repository that these snapshots are not there: one that vanishes later is found all the same. */
export async function giveUp(
  { records }: Repository,
  target: Backend,
  snapshots: readonly SessionId[],
): Promise<void> {
  const fence: OutcomeRecord = { outcome: 'fence', segments: [], seen: [] };
  for (const id of snapshots) await createRecord(target, 'snapshots', id, outcomeRecord, fence, records);
}
