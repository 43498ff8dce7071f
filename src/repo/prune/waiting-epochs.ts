import { createHash } from 'node:crypto';
import {
  CbrError,
  type ObjectDigest,
  ObjectNotFoundError,
  type SessionId,
  sameBytes,
  toHex,
} from '../../core/index.js';
import { segmentsOfSession } from '../index-sync.js';
import type { Repository } from '../repository.js';
import { createFence, type FoundSession, hasOutcome } from '../session.js';
import type { RepositoryView } from '../view.js';
import { closingWaitsOf, fenceEndedAt } from '../waiting-records.js';
import type { PendingSession } from './prune-options.js';
import type { PruneRun } from './prune-run.js';
import { described } from './settle-sessions.js';

/** What earlier prunes have condemned on a store that silently overwrites, and whose time is over: V5. */

/** An epoch that was closed under the waiting period. */
export interface WaitingEpoch {
  readonly epoch: number;
  /** Milliseconds since 1970: its waiting period began then. */
  readonly at: number;
  readonly packs: readonly ObjectDigest[];
  readonly segments: readonly ObjectDigest[];
  /** Sessions that may rely on these packs. */
  readonly sessions: readonly SessionId[];
}

/** Epochs whose closing record belongs to their mark, or that have none; the oldest first. */
export async function readWaitingEpochs(
  { backend }: Pick<Repository, 'backend'>,
  view: RepositoryView,
): Promise<WaitingEpoch[]> {
  const found: WaitingEpoch[] = [];
  for (const [number, lease] of view.leases) {
    const waits = closingWaitsOf(lease);
    if (waits === undefined) continue;
    const epoch = number - 1;
    const segments = waits.segments.map((name) => toHex(name) as ObjectDigest);
    const packs = view.marks.get(String(epoch)) ?? [];
    const isPaired = packs.length > 0 && (await isOfMark(backend, epoch, waits.mark));
    if (!isPaired && !segments.some((name) => view.segments.has(name))) continue;
    found.push({
      epoch,
      at: 1000 * waits.at,
      packs: isPaired ? packs : [],
      segments,
      sessions: waits.sessions.map((sid) => toHex(sid) as SessionId),
    });
  }
  return found.sort((a, b) => a.epoch - b.epoch);
}

async function isOfMark(
  backend: Repository['backend'],
  epoch: number,
  digest: Uint8Array | undefined,
): Promise<boolean> {
  if (digest === undefined) return false;
  try {
    return sameBytes(digestOf(await backend.read('marks', String(epoch))), digest);
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return false;
    throw error;
  }
}

export function digestOf(stored: Uint8Array): Buffer {
  return createHash('sha256').update(stored).digest();
}

export interface RipeEpochs {
  readonly ripe: readonly WaitingEpoch[];
  /** Sessions because of which epochs are not ripe whose time is over. */
  readonly pending: readonly PendingSession[];
}

/** What is to be known of time: `now` in milliseconds since 1970, by the clock of the store. */
export interface WaitingTime {
  readonly now: number;
  readonly waitingMs: number;
}

/**
 * Those whose waiting period is over and whose sessions have ended for good: by a commit, or by a fence that is old enough that
 * no commit can replace it any more. `silent`: sessions that were fenced because they were silent for so long.
 */
export function ripeEpochs(
  epochs: readonly WaitingEpoch[],
  view: RepositoryView,
  { now, waitingMs }: WaitingTime,
  sessions: ReadonlyMap<SessionId, FoundSession>,
  silent: ReadonlySet<SessionId>,
): RipeEpochs {
  const pending = new Map<SessionId, PendingSession>();
  const ripe = epochs.filter((epoch) => {
    if (now - epoch.at < waitingMs) return false;
    const open = epoch.sessions.filter((sid) => {
      if (silent.has(sid)) return false;
      const endedAt = endOf(sid, view, epoch.at + waitingMs);
      return endedAt === undefined || now - endedAt < waitingMs;
    });
    for (const sid of open) pending.set(sid, pendingOf(sid, sessions.get(sid)));
    return open.length === 0;
  });
  return { ripe, pending: [...pending.values()] };
}

function pendingOf(session: SessionId, found: FoundSession | undefined): PendingSession {
  if (found !== undefined) return described(found);
  return { session, host: undefined, pid: undefined, started: undefined };
}

/** Since when a session cannot commit any more, in milliseconds since 1970; undefined while it has no outcome. */
function endOf(sid: SessionId, { forgotten, outcomes }: RepositoryView, unknown: number): number | undefined {
  if (forgotten.has(sid)) return Number.NEGATIVE_INFINITY;
  const outcome = outcomes.get(sid);
  if (outcome === undefined || outcome instanceof CbrError) return undefined;
  if (outcome.outcome === 'commit') return Number.NEGATIVE_INFINITY;
  const endedAt = fenceEndedAt(outcome);
  // Somebody fenced it who kept no waiting period.
  return endedAt === undefined ? unknown : 1000 * endedAt;
}

/** Those of the sessions that have no outcome. */
export async function withoutOutcome(
  { repository }: PruneRun,
  sessions: Iterable<FoundSession>,
): Promise<FoundSession[]> {
  const open: FoundSession[] = [];
  for (const session of sessions) {
    if (!(await hasOutcome(repository.backend, session.id))) open.push(session);
  }
  return open;
}

/** V1: gives sessions a fence that have been silent for the waiting period, and returns them. */
export async function fenceSilent(
  run: PruneRun,
  open: Iterable<FoundSession>,
  { now, waitingMs }: WaitingTime,
): Promise<Set<SessionId>> {
  const { repository, silence } = run;
  const fenced = new Set<SessionId>();
  for (const { id, beat } of open) {
    if (!silence.isSilent(id, String(beat))) continue;
    await createFence(repository, id, (each) => segmentsOfSession(repository, each), now - waitingMs);
    fenced.add(id);
  }
  silence.save();
  return fenced;
}
