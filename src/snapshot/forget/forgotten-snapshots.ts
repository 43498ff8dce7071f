import { forEachParallel } from '../../backends/index.js';
import { CbrError, decode, isSessionId, ObjectNotFoundError, type SessionId } from '../../core/index.js';
import {
  forgottenRecord,
  listNames,
  loadRepository,
  type OutcomeRecord,
  outcomeRecord,
  type Repository,
  type RepositoryView,
  readRecord,
  validSnapshots,
} from '../../repo/index.js';
import { type Snapshot, snapshotOf } from '../snapshot-record.js';

/** Snapshots that were forgotten: their whole records stay (docs/protocol.md rule 3). */

export interface ForgottenSnapshot {
  /** As it was taken, without what its notes changed. */
  readonly snapshot: Snapshot;
  readonly outcome: OutcomeRecord;
  readonly by: string;
  /** When it was forgotten, in seconds since 1970 by the clock of who did it. */
  readonly forgotten: number;
}

export interface ListedForgotten {
  /** Oldest first, by the time they were taken. */
  readonly snapshots: readonly ForgottenSnapshot[];
  readonly damaged: readonly { readonly id: SessionId; readonly error: CbrError }[];
}

/** Rejects with `not-found` when it was not forgotten, and with DamagedError or FormatError when its record is damaged. */
export async function readForgotten(
  { backend, records }: Pick<Repository, 'backend' | 'records'>,
  id: SessionId,
): Promise<ForgottenSnapshot> {
  const record = await readRecord(backend, 'forgotten', id, forgottenRecord, records).catch(
    (error: unknown) => {
      if (!(error instanceof ObjectNotFoundError)) throw error;
      throw notForgotten(id);
    },
  );
  const outcome = decode(outcomeRecord, record.outcome, `forgotten/${id}`);
  return { snapshot: snapshotOf(id, outcome), outcome, by: record.by, forgotten: record.time };
}

/**
 * Forgotten snapshots whose root tree is still stored, and that are not back already: those that can perhaps be brought back.
 * Rejects when the backend fails or the format is newer.
 */
export async function listForgotten(repository: Repository): Promise<ListedForgotten> {
  const { backend, cache } = repository;
  const { view } = await loadRepository(repository);
  const isBack = backAgain(view);
  const ids = (await listNames(backend, 'forgotten')).filter(isSessionId);
  const snapshots: ForgottenSnapshot[] = [];
  const damaged: { id: SessionId; error: CbrError }[] = [];
  await forEachParallel(ids, backend.concurrency, async (id) => {
    try {
      const found = await readForgotten(repository, id);
      if (cache.has(found.snapshot.root.id) && !isBack(found.snapshot)) snapshots.push(found);
    } catch (error) {
      if (!isOfThisRecord(error)) throw error;
      damaged.push({ id, error });
    }
  });
  return { snapshots: snapshots.sort(byTime), damaged };
}

/** Whether there is a snapshot of the same root, time and host: that is what bringing one back makes. */
function backAgain(view: RepositoryView): (snapshot: Snapshot) => boolean {
  const keyOf = ({ root, about: { seconds, nanoseconds, host } }: Snapshot): string =>
    [root.id, seconds, nanoseconds, host].join();
  const valid = new Set<string>();
  for (const [id, outcome] of validSnapshots(view)) {
    try {
      valid.add(keyOf(snapshotOf(id, outcome)));
    } catch (error) {
      if (!isOfThisRecord(error)) throw error;
    }
  }
  return (snapshot) => valid.has(keyOf(snapshot));
}

function isOfThisRecord(error: unknown): error is CbrError {
  return error instanceof CbrError && (error.code === 'damaged' || error.code === 'format');
}

function byTime({ snapshot: a }: ForgottenSnapshot, { snapshot: b }: ForgottenSnapshot): number {
  const difference = a.about.seconds - b.about.seconds || a.about.nanoseconds - b.about.nanoseconds;
  return difference || (a.id < b.id ? -1 : 1);
}

const HINT = 'See: cbr unforget';

function notForgotten(id: string): CbrError {
  return new CbrError('not-found', `no forgotten snapshot has an id that begins with ${id}`, { hint: HINT });
}

/** The forgotten snapshot that is meant by an id or its beginning. Rejects with `not-found` and `ambiguous`. */
export async function selectForgotten(
  { backend }: Pick<Repository, 'backend'>,
  text: string,
): Promise<SessionId> {
  const prefix = text.toLowerCase();
  if (!/^[0-9a-f]{1,32}$/.test(prefix)) {
    throw new CbrError('not-found', `${JSON.stringify(text)} is not the id of a snapshot`, { hint: HINT });
  }
  const found = (await listNames(backend, 'forgotten'))
    .filter(isSessionId)
    .filter((id) => id.startsWith(prefix));
  if (found.length === 1) return found[0]!;
  if (found.length === 0) throw notForgotten(prefix);
  throw new CbrError(
    'ambiguous',
    `${found.length} forgotten snapshots have an id that begins with ${prefix}`,
    {
      hint: 'Give more digits of the id.',
    },
  );
}
