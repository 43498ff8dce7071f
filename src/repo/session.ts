import { randomBytes } from 'node:crypto';
import { type Backend, forEachParallel } from '../backends/index.js';
import {
  BackendError,
  CbrError,
  isSessionId,
  type ObjectDigest,
  ObjectExistsError,
  ObjectNotFoundError,
  PROGRAM,
  type SessionId,
  sessionId,
  toHex,
} from '../core/index.js';
import { createRecord, type RecordContext, readRecord } from './record-store.js';
import {
  heartbeatRecord,
  type OutcomeRecord,
  outcomeRecord,
  type SessionRecord,
  sessionRecord,
} from './records.js';
import { listNames } from './view.js';
import { fenceExtensions } from './waiting-records.js';

/** The writer's side of docs/protocol.md: register, beat, commit or fence, end. */

export interface SessionContext {
  readonly backend: Backend;
  readonly records: RecordContext;
  /** On a store that silently overwrites. */
  readonly awake?: Wakefulness;
}

/**
 * How a writer notices that it has slept, on a store where a fence does not keep its commit out (docs/protocol.md, "Without
 * create-only"). Both clocks, since one stands still in a machine that sleeps, and the other can be set.
 */
export interface Wakefulness {
  /** Milliseconds: others hold a session for dead that has been silent for so long. */
  readonly waitingMs: number;
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds, never going back. */
  clock(): number;
}

/** Of the waiting period: a writer that was silent for longer does not commit. The rest is for the commit to arrive. */
const AWAKE_PART = 0.5;

class Sleep {
  /** It was too long once: who held this session for dead then is not to be proved wrong by a later sign of life. */
  private wasTooLong = false;
  private last: { readonly now: number; readonly clock: number };

  constructor(private readonly awake: Wakefulness) {
    this.last = this.moment();
  }

  moment(): { readonly now: number; readonly clock: number } {
    return { now: this.awake.now(), clock: this.awake.clock() };
  }

  /** A sign of life that was begun at that moment is durable. */
  seen(moment: { readonly now: number; readonly clock: number }): void {
    this.wasTooLong ||= this.isTooLongAt(moment);
    this.last = moment;
  }

  get isTooLong(): boolean {
    return this.wasTooLong || this.isTooLongAt(this.moment());
  }

  private isTooLongAt({ now, clock }: { readonly now: number; readonly clock: number }): boolean {
    const silent = Math.max(Math.abs(now - this.last.now), clock - this.last.clock);
    return silent >= AWAKE_PART * this.awake.waitingMs;
  }
}

/** A registered session found in the repository. */
export interface FoundSession {
  readonly id: SessionId;
  /** Undefined when its first object could not be read. */
  readonly record: SessionRecord | undefined;
  /** The highest heartbeat seen. */
  readonly beat: number;
}

/** One running writer. */
export interface WriterSession {
  readonly id: SessionId;
  /** Writes the next heartbeat and removes the one before, if this machine may remove anything. */
  beat(): Promise<void>;
  /** Whether it may not: heartbeats and number 0 are left to the next prune. */
  readonly leavesBeats: boolean;
  /**
   * Creates `snapshots/<id>`, and returns it as the store has it; undefined where the answer was lost. Rejects with `fenced`
   * when somebody ended this session from outside: the run must start over as a new session that remembers nothing.
   */
  commit(outcome: Omit<OutcomeRecord, 'outcome'>): Promise<Uint8Array | undefined>;
  /** Ends the session without a snapshot; what the listed segments name stays usable. */
  abort(segments: readonly ObjectDigest[]): Promise<void>;
}

/** W1: registers a new session (rule 9). */
export async function registerSession(
  its: SessionContext,
  identity: Omit<SessionRecord, 'started' | 'program'>,
  nowSeconds: number,
): Promise<WriterSession> {
  const id = sessionId(randomBytes(16));
  const { backend, records, awake } = its;
  const sleep = awake === undefined ? undefined : new Sleep(awake);
  const record: SessionRecord = { ...identity, started: nowSeconds, program: PROGRAM };
  await createRecord(backend, 'sessions', `${id}/0`, sessionRecord, record, records);
  let beats = 0;
  let over = false;
  let leavesBeats = !backend.capabilities.removable;
  const removeBeat = async (number: number): Promise<void> => {
    if (leavesBeats) return;
    try {
      await backend.remove('sessions', `${id}/${number}`);
    } catch (error) {
      // The store refuses it, and would the next time: a key that may only add is no reason to stop.
      if (!isRefusal(error)) throw error;
      leavesBeats = true;
    }
  };
  const finish = async (outcome: OutcomeRecord): Promise<Uint8Array> => {
    over = true;
    const stored = await createRecord(backend, 'snapshots', id, outcomeRecord, outcome, records);
    // The session has ended, whatever becomes of its objects: what stays of them is cleared like those of a dead one.
    if (leavesBeats) return stored;
    // Without a beat there is nothing else, and nothing to list: a round trip less for short runs.
    const clearing = beats === 0 ? backend.remove('sessions', `${id}/0`) : removeSession(backend, id);
    await clearing.catch(() => undefined);
    return stored;
  };
  return {
    id,
    get leavesBeats() {
      return leavesBeats;
    },
    beat: async () => {
      if (over) return;
      const next = beats + 1;
      const begun = sleep?.moment();
      await createRecord(
        backend,
        'sessions',
        `${id}/${next}`,
        heartbeatRecord,
        { number: next },
        records,
      ).catch((error: unknown) => {
        // Nobody else makes it: an earlier attempt arrived after all, and its answer was lost.
        if (!(error instanceof ObjectExistsError)) throw error;
      });
      // At once: if removing the one before fails, the next beat must not try this number again.
      const last = beats;
      beats = next;
      if (begun !== undefined) sleep?.seen(begun);
      // Number 0 stays from start to end, so that a listing in pages cannot miss a session whose beats move.
      if (last > 0) await removeBeat(last);
      // The session may have ended while this beat was under way; then nobody else would clear it.
      if (over) await removeBeat(next);
    },
    commit: async (outcome) => {
      try {
        // Here nothing would keep the commit out: not the fence of somebody who held this session for dead.
        if (sleep !== undefined && (!(await isRegistered(backend, id)) || sleep.isTooLong)) {
          await finish({ outcome: 'fence', segments: outcome.segments, seen: [], ...endedNow(awake) });
          throw fenced(id, undefined);
        }
        const stored = await finish({ outcome: 'commit', ...outcome });
        if (sleep !== undefined && !(await hasCommitted(its, id))) throw fenced(id, undefined);
        return stored;
      } catch (error) {
        over = true;
        if (isUnknown(error) && (await hasCommitted(its, id).catch(() => false))) return undefined;
        if (!(error instanceof ObjectExistsError) && !isFenced(error)) throw error;
        await clearSession(backend, id);
        throw isFenced(error) ? error : fenced(id, error);
      }
    },
    abort: async (segments) => {
      try {
        const fence: OutcomeRecord = { outcome: 'fence', segments: digests(segments), seen: [] };
        await finish({ ...fence, ...endedNow(awake) });
      } catch (error) {
        if (!(error instanceof ObjectExistsError)) throw error;
        await clearSession(backend, id);
      }
    },
  };
}

function fenced(id: SessionId, cause: unknown): CbrError {
  return new CbrError('fenced', `session ${id} was ended from outside before it could commit`, {
    ...(cause === undefined ? {} : { cause }),
    hint: 'Run the snapshot again: this machine seemed dead to another one. Nothing was lost.',
  });
}

function isFenced(error: unknown): boolean {
  return error instanceof CbrError && error.code === 'fenced';
}

async function isRegistered(backend: Backend, id: SessionId): Promise<boolean> {
  try {
    await backend.stat('sessions', `${id}/0`);
    return true;
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return false;
    throw error;
  }
}

/** Whether a write may have taken place although it failed (rule 11: read it back). */
function isUnknown(error: unknown): boolean {
  return error instanceof BackendError && error.retryable;
}

/** Whether the outcome of a session that has just committed is its commit, or was: it may be forgotten by now. */
async function hasCommitted({ backend, records }: SessionContext, id: SessionId): Promise<boolean> {
  try {
    return (await readRecord(backend, 'snapshots', id, outcomeRecord, records)).outcome === 'commit';
  } catch (error) {
    if (!(error instanceof ObjectNotFoundError)) throw error;
    return hasOutcome(backend, id);
  }
}

function endedNow(awake: Pick<Wakefulness, 'now'> | undefined): Pick<OutcomeRecord, 'extensions'> {
  return awake === undefined ? {} : { extensions: fenceExtensions(Math.ceil(awake.now() / 1000)) };
}

function digests(names: readonly ObjectDigest[]): Buffer[] {
  return names.map((name) => Buffer.from(name, 'hex'));
}

/** W5: removes all objects of a session that has an outcome, number 0 last. */
export async function removeSession(backend: Backend, id: SessionId): Promise<void> {
  await removeSessions(backend, new Set([id]));
}

/** As `removeSession` for many, by one list: sessions of machines that may not remove anything leave all their heartbeats. */
export async function removeSessions(backend: Backend, ids: ReadonlySet<SessionId>): Promise<void> {
  if (ids.size === 0) return;
  const beats = (await listNames(backend, 'sessions')).filter(
    (name) => ids.has(name.split('/')[0] as SessionId) && !name.endsWith('/0'),
  );
  await backend.removeMany('sessions', beats);
  await backend.removeMany(
    'sessions',
    [...ids].map((id) => `${id}/0`),
  );
}

/** As `removeSession`, where this machine may remove anything: what stays is left to the next prune. */
async function clearSession(backend: Backend, id: SessionId): Promise<void> {
  if (!backend.capabilities.removable) return;
  await removeSession(backend, id).catch((error: unknown) => {
    if (!isRefusal(error)) throw error;
  });
}

/** That the store will not do it, now or later. */
function isRefusal(error: unknown): boolean {
  return error instanceof BackendError && !error.retryable;
}

/** What an object of the kind `sessions` is called; undefined for names that cbr does not give. */
export function parseSessionName(
  name: string,
): { readonly session: SessionId; readonly number: number } | undefined {
  const [session = '', number = '', ...more] = name.split('/');
  if (!isSessionId(session) || !/^(0|[1-9][0-9]{0,14})$/.test(number) || more.length > 0) return undefined;
  return { session, number: Number(number) };
}

export interface SessionListing {
  /** Also those of which only heartbeats are left: a session beats once more after it was cleared away, and dies. */
  readonly leftovers?: boolean;
  /**
   * What becomes of those that have an outcome and were not cleared away: `skip` leaves them out; `name` yields them without
   * their record; `read`, the default, as all others, as long as they are few.
   */
  readonly ended?: 'skip' | 'name' | 'read';
}

/** Of more sessions than this most have been left by machines that may not clear them away: not worth a read each. */
const MANY_SESSIONS = 8;

/** All sessions registered now. */
export async function listSessions(
  { backend, records }: SessionContext,
  { leftovers = false, ended = 'read' }: SessionListing = {},
): Promise<FoundSession[]> {
  const beats = new Map<SessionId, number>();
  for (const name of await listNames(backend, 'sessions')) {
    const parsed = parseSessionName(name);
    if (parsed !== undefined)
      beats.set(parsed.session, Math.max(beats.get(parsed.session) ?? 0, parsed.number));
  }
  const isAsked = beats.size > MANY_SESSIONS || (ended !== 'read' && beats.size > 0);
  const outcomes = isAsked ? await listOutcomes(backend) : new Set<string>();
  const found = new Map<SessionId, FoundSession>();
  await forEachParallel([...beats], backend.concurrency, async ([id, beat]) => {
    let record: SessionRecord | undefined;
    if (outcomes.has(id)) {
      if (ended !== 'skip') found.set(id, { id, record, beat });
      return;
    }
    try {
      record = await readRecord(backend, 'sessions', `${id}/0`, sessionRecord, records);
    } catch (error) {
      const isGone = error instanceof ObjectNotFoundError;
      if (isGone && !leftovers) return;
      if (!(error instanceof CbrError) || error.code === 'backend') throw error;
    }
    found.set(id, { id, record, beat });
  });
  return [...beats.keys()].flatMap((id) => found.get(id) ?? []);
}

/** Of which sessions there is an outcome: one that is there stays, or becomes a forgotten record. */
export async function listOutcomes(backend: Backend): Promise<Set<string>> {
  const snapshots = await listNames(backend, 'snapshots');
  return new Set([...snapshots, ...(await listNames(backend, 'forgotten'))]);
}

/** Whether a session has an outcome, looked up as rule 20 says: the snapshot first, then the forgotten record. */
export async function hasOutcome(backend: Backend, id: SessionId): Promise<boolean> {
  for (const kind of ['snapshots', 'forgotten'] as const) {
    try {
      await backend.stat(kind, id);
      return true;
    } catch (error) {
      if (!(error instanceof ObjectNotFoundError)) throw error;
    }
  }
  return false;
}

/** Where the segments are that a session wrote. */
export type SegmentsOf = (id: SessionId) => Promise<readonly ObjectDigest[]>;

/**
 * Gives a session held for dead an outcome (rules 9 and 20): a fence with the segments it wrote, unless it has one. Safe if
 * the guess was wrong: exactly one of fence and commit exists.
 */
export async function createFence(
  its: SessionContext,
  id: SessionId,
  segmentsOf: SegmentsOf,
  /** Milliseconds since 1970: since when the session is silent. */
  endedAt = its.awake?.now(),
): Promise<void> {
  if (await hasOutcome(its.backend, id)) return;
  const ended = endedNow(endedAt === undefined ? undefined : { now: () => endedAt });
  const fence: OutcomeRecord = {
    outcome: 'fence',
    segments: digests(await segmentsOf(id)),
    seen: [],
    ...ended,
  };
  try {
    await createRecord(its.backend, 'snapshots', id, outcomeRecord, fence, its.records);
  } catch (error) {
    if (!(error instanceof ObjectExistsError)) throw error;
  }
}

/** Ends a session held for dead (rule 9) and clears its objects. */
export async function fenceSession(
  its: SessionContext,
  id: SessionId,
  segmentsOf: SegmentsOf,
): Promise<void> {
  await createFence(its, id, segmentsOf);
  await clearSession(its.backend, id);
}

/** The segments an outcome names. */
export function outcomeSegments(outcome: OutcomeRecord): ObjectDigest[] {
  return outcome.segments.map((name) => toHex(name) as ObjectDigest);
}
