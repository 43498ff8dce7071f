import { randomBytes } from 'node:crypto';
import type { Backend } from '../backends/index.js';
import {
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
  /** Writes the next heartbeat and removes the one before. */
  beat(): Promise<void>;
  /**
   * Creates `snapshots/<id>`. Rejects with `fenced` when somebody ended this session from outside: the run must start over as
   * a new session that remembers nothing.
   */
  commit(outcome: Omit<OutcomeRecord, 'outcome'>): Promise<void>;
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
  const finish = async (outcome: OutcomeRecord): Promise<void> => {
    over = true;
    await createRecord(backend, 'snapshots', id, outcomeRecord, outcome, records);
    // The session has ended, whatever becomes of its objects: what stays of them is cleared like those of a dead one.
    await removeSession(backend, id).catch(() => undefined);
  };
  return {
    id,
    beat: async () => {
      if (over) return;
      const next = beats + 1;
      const begun = sleep?.moment();
      await createRecord(backend, 'sessions', `${id}/${next}`, heartbeatRecord, { number: next }, records);
      // At once: if removing the one before fails, the next beat must not try this number again.
      const last = beats;
      beats = next;
      if (begun !== undefined) sleep?.seen(begun);
      // Number 0 stays from start to end, so that a listing in pages cannot miss a session whose beats move.
      if (last > 0) await backend.remove('sessions', `${id}/${last}`);
      // The session may have ended while this beat was under way; then nobody else would clear it.
      if (over) await backend.remove('sessions', `${id}/${next}`);
    },
    commit: async (outcome) => {
      try {
        // Here nothing would keep the commit out: not the fence of somebody who held this session for dead.
        if (sleep !== undefined && (!(await isRegistered(backend, id)) || sleep.isTooLong)) {
          await finish({ outcome: 'fence', segments: outcome.segments, seen: [], ...endedNow(awake) });
          throw fenced(id, undefined);
        }
        await finish({ outcome: 'commit', ...outcome });
        if (sleep !== undefined && !(await hasCommitted(its, id))) throw fenced(id, undefined);
      } catch (error) {
        over = true;
        if (!(error instanceof ObjectExistsError) && !isFenced(error)) throw error;
        await removeSession(backend, id);
        throw isFenced(error) ? error : fenced(id, error);
      }
    },
    abort: async (segments) => {
      try {
        const fence: OutcomeRecord = { outcome: 'fence', segments: digests(segments), seen: [] };
        await finish({ ...fence, ...endedNow(awake) });
      } catch (error) {
        if (!(error instanceof ObjectExistsError)) throw error;
        await removeSession(backend, id);
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
  const names = (await listNames(backend, 'sessions')).filter(
    (name) => name.startsWith(`${id}/`) && name !== `${id}/0`,
  );
  await backend.removeMany('sessions', names);
  await backend.remove('sessions', `${id}/0`);
}

/** What an object of the kind `sessions` is called; undefined for names that cbr does not give. */
export function parseSessionName(
  name: string,
): { readonly session: SessionId; readonly number: number } | undefined {
  const [session = '', number = '', ...more] = name.split('/');
  if (!isSessionId(session) || !/^(0|[1-9][0-9]{0,14})$/.test(number) || more.length > 0) return undefined;
  return { session, number: Number(number) };
}

/**
 * All sessions registered now; with `leftovers` also those of which only heartbeats are left: a session beats once more after
 * it was cleared away, and dies.
 */
export async function listSessions(
  its: SessionContext,
  { leftovers = false }: { readonly leftovers?: boolean } = {},
): Promise<FoundSession[]> {
  const beats = new Map<SessionId, number>();
  for (const name of await listNames(its.backend, 'sessions')) {
    const parsed = parseSessionName(name);
    if (parsed !== undefined)
      beats.set(parsed.session, Math.max(beats.get(parsed.session) ?? 0, parsed.number));
  }
  const found: FoundSession[] = [];
  for (const [id, beat] of beats) {
    let record: SessionRecord | undefined;
    try {
      record = await readRecord(its.backend, 'sessions', `${id}/0`, sessionRecord, its.records);
    } catch (error) {
      const isGone = error instanceof ObjectNotFoundError;
      if (isGone && !leftovers) continue;
      if (!(error instanceof CbrError) || error.code === 'backend') throw error;
    }
    found.push({ id, record, beat });
  }
  return found;
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
  await removeSession(its.backend, id);
}

/** The segments an outcome names. */
export function outcomeSegments(outcome: OutcomeRecord): ObjectDigest[] {
  return outcome.segments.map((name) => toHex(name) as ObjectDigest);
}
