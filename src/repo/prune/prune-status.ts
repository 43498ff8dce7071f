import type { ProcessIdentity } from '../../core/index.js';
import { type Repository, recordMemory } from '../repository.js';
import { hasOutcome, listSessions } from '../session.js';
import { readView } from '../view.js';
import { readLeaseState } from './lease.js';
import type { PendingSession } from './prune-options.js';
import { described } from './settle-sessions.js';

/** What is under way or left to do of pruning; nothing is changed by asking. */
export interface PruneStatus {
  /** The prune that holds the lease, if one does. */
  readonly running:
    | {
        readonly epoch: number;
        readonly process: PendingSession | undefined;
        readonly state: 'alive' | 'dead' | 'unknown';
      }
    | undefined;
  /** Packs that are condemned and still there, by the epoch that condemned them. Bytes are stored ones. */
  readonly marks: readonly { readonly epoch: number; readonly packs: number; readonly bytes: number }[];
  /** Sessions without an outcome: a prune waits for them. */
  readonly sessions: readonly PendingSession[];
}

export async function pruneStatus(
  repository: Repository,
  examine: (process: ProcessIdentity) => 'alive' | 'dead' | 'unknown',
): Promise<PruneStatus> {
  const { backend, records, cache } = repository;
  const packs = new Map<string, number>();
  const view = await readView(backend, records, recordMemory(cache), async () => {
    for await (const { name, size } of backend.list('packs')) packs.set(name, size);
  });
  const { held } = await readLeaseState(repository);
  const sessions: PendingSession[] = [];
  for (const session of await listSessions(repository)) {
    if (!(await hasOutcome(backend, session.id))) sessions.push(described(session));
  }
  return {
    running:
      held === undefined
        ? undefined
        : {
            epoch: held.epoch,
            process:
              held.holder === undefined
                ? undefined
                : {
                    session: `prune ${held.epoch}`,
                    host: held.holder.host,
                    pid: held.holder.pid,
                    started: held.holder.started,
                  },
            state: held.holder === undefined ? 'unknown' : examine(held.holder),
          },
    marks: [...view.marks].map(([epoch, names]) => {
      const there = names.filter((name) => packs.has(name));
      return {
        epoch: Number(epoch),
        packs: there.length,
        bytes: there.reduce((sum, name) => sum + packs.get(name)!, 0),
      };
    }),
    sessions,
  };
}
