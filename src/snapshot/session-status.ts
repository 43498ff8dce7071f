import { isAlive, type SessionId } from '../core/index.js';
import { listSessions, type Repository } from '../repo/index.js';

/** One writer that registered and has not been cleared away. */
export interface SessionStatus {
  readonly id: SessionId;
  /** Undefined where its record cannot be read. */
  readonly host?: string;
  readonly pid?: number;
  /** Unix seconds, by the clock of its host. */
  readonly started?: number;
  /** What this machine can prove; `other host` also for other containers and for what cannot be examined. */
  readonly state: 'own host, running' | 'own host, dead' | 'other host';
  /** The number of its last heartbeat: it grows while it lives. */
  readonly beat: number;
}

const STATE = Object.freeze({
  alive: 'own host, running',
  dead: 'own host, dead',
  unknown: 'other host',
} as const);

/** All sessions, oldest first. */
export async function sessionStatus({ backend, records, identity }: Repository): Promise<SessionStatus[]> {
  const found = await listSessions({ backend, records }, { ended: 'skip' });
  return found
    .map(({ id, record, beat }): SessionStatus => {
      if (record === undefined) return { id, state: 'other host', beat };
      const { host, pid, started } = record;
      return { id, host, pid, started, state: STATE[isAlive(record, identity)], beat };
    })
    .sort((a, b) => (a.started ?? 0) - (b.started ?? 0) || (a.id < b.id ? -1 : 1));
}
