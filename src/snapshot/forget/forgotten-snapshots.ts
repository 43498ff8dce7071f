import { forEachParallel } from '../../backends/index.js';
import {
  CbrError,
  type Decoded,
  decode,
  isSessionId,
  ObjectNotFoundError,
  type SessionId,
} from '../../core/index.js';
import {
  decodeRecord,
  forgottenRecord,
  listNames,
  type OutcomeRecord,
  outcomeRecord,
  type Repository,
  readRecord,
  recordMemory,
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

export interface DamagedForgotten {
  readonly id: SessionId;
  readonly error: CbrError;
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
  return forgottenOf(id, record);
}

function forgottenOf(id: SessionId, record: Decoded<typeof forgottenRecord>): ForgottenSnapshot {
  const outcome = decode(outcomeRecord, record.outcome, `forgotten/${id}`);
  return { snapshot: snapshotOf(id, outcome), outcome, by: record.by, forgotten: record.time };
}

/**
 * Takes all that was ever forgotten, in no order, and returns the records that cannot be opened. There may be thousands: what
 * this machine has read before it does not read again. `sizes`: their stored lengths, where they were listed a moment ago.
 * Rejects when the backend fails or the format is newer.
 */
export async function takeEachForgotten(
  { backend, records, cache }: Pick<Repository, 'backend' | 'records' | 'cache'>,
  take: (found: ForgottenSnapshot) => void,
  sizes?: ReadonlyMap<SessionId, number>,
): Promise<readonly DamagedForgotten[]> {
  const memory = recordMemory(cache);
  const listed = [...(sizes ?? (await forgottenSizes(backend)))].filter(([id]) => isSessionId(id));
  const damaged: DamagedForgotten[] = [];
  await forEachParallel(listed, backend.concurrency, async ([id, size]) => {
    const remembered = memory.get('forgotten', id);
    // Of another length: somebody has put something else in its place.
    const kept = remembered?.byteLength === size ? remembered : undefined;
    try {
      const stored = kept ?? (await backend.read('forgotten', id));
      take(forgottenOf(id, decodeRecord('forgotten', id, forgottenRecord, stored, records)));
      if (kept === undefined) memory.put('forgotten', id, stored);
    } catch (error) {
      if (!isOfThisRecord(error)) throw error;
      damaged.push({ id, error });
    }
  });
  return damaged;
}

async function forgottenSizes(backend: Repository['backend']): Promise<Map<SessionId, number>> {
  const sizes = new Map<SessionId, number>();
  for await (const { name, size } of backend.list('forgotten')) sizes.set(name as SessionId, size);
  return sizes;
}

function isOfThisRecord(error: unknown): error is CbrError {
  return error instanceof CbrError && (error.code === 'damaged' || error.code === 'format');
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
