import { removeStaleTemporaries } from '../backends/index.js';
import { isAlive, type SessionId } from '../core/index.js';
import { segmentsOfSession } from './index-sync.js';
import { memoryFor } from './load-repository.js';
import type { Repository } from './repository.js';
import {
  fenceSession,
  listSessions,
  registerSession,
  type SessionContext,
  type WriterSession,
} from './session.js';

/** A heartbeat so often; observers wait for several before they hold a session for dead. */
export const HEARTBEAT_MS = 10_000;

/** Where no heartbeat can be removed there are fewer, and still several in the time that observers wait. */
const LEFT_HEARTBEAT_MS = 120_000;

/** Staged files of dead runs are removed when they are older than this. */
const STALE_MS = 3_600_000;

export interface RunningSession extends WriterSession {
  /** Stops the heartbeats; to be called when the session has ended, or is left to others to end. */
  stop(): void;
}

/** What a session is kept with; on a store that silently overwrites it watches its own sleep. */
export function sessionContext({ backend, records, waitingMs, now }: Repository): SessionContext {
  if (waitingMs === undefined) return { backend, records };
  return { backend, records, awake: { waitingMs, now, clock: () => performance.now() } };
}

/** Ends the sessions of this host whose process is provably gone, so that what they stored counts (rule 9). */
export async function endDeadSessions(repository: Repository): Promise<SessionId[]> {
  const { backend, records, cache, identity } = repository;
  const ended: SessionId[] = [];
  const { removable } = backend.capabilities;
  for (const found of await listSessions({ backend, records }, { ended: removable ? 'read' : 'skip' })) {
    if (found.record === undefined || isAlive(found.record, identity) !== 'dead') continue;
    const segments = (id: SessionId) => segmentsOfSession({ backend, records, cache }, id);
    await fenceSession(sessionContext(repository), found.id, segments);
    ended.push(found.id);
  }
  return ended;
}

/** Registers this process as a writer and keeps its heart beating until `stop`. */
export async function beginSession(repository: Repository): Promise<RunningSession> {
  const { backend, identity, now, report } = repository;
  await endDeadSessions(repository);
  if (backend.stagingFolder !== undefined)
    await removeStaleTemporaries(backend.stagingFolder, STALE_MS, now());
  const session = await registerSession(sessionContext(repository), identity, Math.floor(now() / 1000));
  let beating = Promise.resolve();
  let isTold = false;
  let timer: NodeJS.Timeout;
  let isOver = false;
  const beat = async (): Promise<void> => {
    // A beat that fails says nothing about the snapshot: the session may be fenced, which its commit will find.
    await session.beat().catch(() => undefined);
    if (isTold || !session.leavesBeats) return;
    isTold = true;
    report(
      'This key may not remove anything: what the session leaves is cleared by the next prune.',
      'verbose',
    );
  };
  const schedule = (): void => {
    timer = setTimeout(
      () => {
        // The next one only then: while a store is away they would queue, each with its own patience.
        beating = beat().then(() => {
          if (!isOver) schedule();
        });
      },
      session.leavesBeats ? LEFT_HEARTBEAT_MS : HEARTBEAT_MS,
    );
    timer.unref();
  };
  schedule();
  const stop = (): void => {
    isOver = true;
    clearTimeout(timer);
  };
  const ending = async <T>(end: () => Promise<T>): Promise<T> => {
    stop();
    await beating;
    return end();
  };
  return {
    id: session.id,
    get leavesBeats() {
      return session.leavesBeats;
    },
    beat: () => session.beat(),
    commit: async (outcome) => {
      const stored = await ending(() => session.commit(outcome));
      if (stored !== undefined) remember(repository, session.id, stored);
      return stored;
    },
    abort: (segments) => ending(() => session.abort(segments)),
    stop,
  };
}

/** The next run need not read what this one has just written; only now, because a commit is there or is not. */
function remember(repository: Repository, id: SessionId, stored: Uint8Array): void {
  try {
    memoryFor(repository).put('snapshots', id, stored);
  } catch {
    // The snapshot is there, whatever becomes of the cache: it is read then.
  }
}
