import type { SessionId } from '../../core/index.js';
import { segmentsOfSession } from '../index-sync.js';
import {
  createFence,
  type FoundSession,
  hasOutcome,
  listOutcomes,
  listSessions,
  parseSessionName,
} from '../session.js';
import { listNames } from '../view.js';
import type { PendingSession } from './prune-options.js';
import { type PruneRun, stopIfAborted } from './prune-run.js';

/**
 * P7: sees to it that each listed session has an outcome: waits for those that live, fences those that do not. Returns those
 * that have none yet, if this prune shall not wait.
 */
export async function settleSessions(
  run: PruneRun,
  listed: readonly FoundSession[],
): Promise<PendingSession[]> {
  const { repository, options } = run;
  const outcomes = listed.length > 0 ? await listOutcomes(repository.backend) : new Set<string>();
  let open = listed.filter(({ id }) => !outcomes.has(id));
  const first = open;
  for (;;) {
    const beats = open.length === 0 ? new Map<SessionId, number>() : await readBeats(run);
    const pending: FoundSession[] = [];
    for (const session of open) {
      stopIfAborted(run);
      if (await hasOutcome(repository.backend, session.id)) continue;
      if (!isDead(run, session, beats.get(session.id))) pending.push(session);
      else await createFence(repository, session.id, (id) => segmentsOfSession(repository, id));
    }
    if (pending.length === 0 || !options.wait) {
      run.silence.save();
      return pending.map(described);
    }
    if (pending.length < open.length || open === first) tellWaiting(run, pending);
    open = pending;
    options.onProgress?.({ step: 'waiting', done: first.length - pending.length, total: first.length });
    await options.timing.sleep(options.timing.pollMs, options.signal);
  }
}

function tellWaiting({ repository }: PruneRun, pending: readonly FoundSession[]): void {
  const names = pending.map(({ id, record }) => {
    const who = record === undefined ? '' : ` (process ${record.pid} on ${record.host})`;
    return `${id.slice(0, 8)}${who}`;
  });
  const what = names.length === 1 ? 'session' : 'sessions';
  repository.report(`Waiting for ${what} ${names.join(', ')} to end.`, 'notice');
}

function isDead({ options, silence }: PruneRun, session: FoundSession, beat: number | undefined): boolean {
  if (session.record !== undefined && options.examine(session.record) === 'dead') return true;
  return silence.isSilent(session.id, beat === undefined ? 'cleared away' : String(beat));
}

async function readBeats({ repository }: PruneRun): Promise<Map<SessionId, number>> {
  const beats = new Map<SessionId, number>();
  for (const name of await listNames(repository.backend, 'sessions')) {
    const parsed = parseSessionName(name);
    if (parsed !== undefined)
      beats.set(parsed.session, Math.max(beats.get(parsed.session) ?? 0, parsed.number));
  }
  return beats;
}

export function described({ id, record }: FoundSession): PendingSession {
  return { session: id, host: record?.host, pid: record?.pid, started: record?.started };
}

/**
 * Those of some authors of segments that have no outcome and are not registered. A session is cleared away only after it has
 * one, so somebody removed it.
 */
export async function unregistered(
  { repository }: Pick<PruneRun, 'repository'>,
  authors: ReadonlySet<SessionId>,
): Promise<SessionId[]> {
  if (authors.size === 0) return [];
  const registered = new Set((await listSessions(repository, { ended: 'name' })).map(({ id }) => id));
  const found: SessionId[] = [];
  for (const id of authors) {
    // They may have ended since their segments were read.
    if (!registered.has(id) && !(await hasOutcome(repository.backend, id))) found.push(id);
  }
  return found;
}

/** Gives vanished snapshots a fence for an outcome: they stay away, and what they stored counts for those that need it. */
export async function fenceVanished({ repository }: PruneRun, lost: readonly SessionId[]): Promise<void> {
  for (const id of lost) await createFence(repository, id, (each) => segmentsOfSession(repository, each));
}
