import type { ProcessIdentity } from '../../core/index.js';
import { memoryFor } from '../load-repository.js';
import type { Repository } from '../repository.js';
import { hasOutcome, listSessions } from '../session.js';
import { readView } from '../view.js';
import { type LeaseHolder, readLeaseState } from './lease.js';
import type { PendingSession } from './prune-options.js';
import { described } from './settle-sessions.js';
import { readWaitingEpochs } from './waiting-epochs.js';

/** What this machine can prove of a process. */
type ProcessState = 'alive' | 'dead' | 'unknown';

/** What is under way or left to do of pruning; nothing is changed by asking. */
export interface PruneStatus {
  /** The prune that holds the lease, if one does. */
  readonly running:
    | {
        readonly epoch: number;
        readonly process: PendingSession | undefined;
        readonly state: ProcessState;
      }
    | undefined;
  /** Packs that are condemned and still there, each once: by the first epoch that condemned them. Bytes are stored ones. */
  readonly marks: readonly CondemnedBy[];
  /** On a store that silently overwrites, where something waits: when a prune can remove the first of it, in milliseconds since 1970. */
  readonly removableAt?: number;
  /** Sessions without an outcome, oldest first: a prune waits for them, and ends those that are dead. */
  readonly sessions: readonly (PendingSession & { readonly state: ProcessState })[];
}

interface CondemnedBy {
  readonly epoch: number;
  readonly packs: number;
  readonly bytes: number;
}

export async function pruneStatus(
  repository: Repository,
  examine: (process: ProcessIdentity) => ProcessState,
): Promise<PruneStatus> {
  const { backend, records, waitingMs } = repository;
  const packs = new Map<string, number>();
  const view = await readView(backend, records, memoryFor(repository), async () => {
    for await (const { name, size } of backend.list('packs')) packs.set(name, size);
  });
  const { held } = await readLeaseState(repository);
  const sessions: PruneStatus['sessions'][number][] = [];
  for (const session of await listSessions(repository, { ended: 'skip' })) {
    if (await hasOutcome(backend, session.id)) continue;
    const { record } = session;
    sessions.push({ ...described(session), state: record === undefined ? 'unknown' : examine(record) });
  }
  const waits = waitingMs === undefined ? [] : await readWaitingEpochs(repository, view);
  const begins = waits.filter((epoch) => epoch.packs.length > 0).map(({ at }) => at);
  return {
    ...(waitingMs === undefined || begins.length === 0
      ? {}
      : { removableAt: Math.min(...begins) + waitingMs }),
    running: held === undefined ? undefined : holderOf(held, examine),
    marks: condemnedBy(view.marks, packs),
    sessions: sessions.sort(
      (a, b) => (a.started ?? 0) - (b.started ?? 0) || (a.session < b.session ? -1 : 1),
    ),
  };
}

function holderOf(
  { epoch, holder }: LeaseHolder,
  examine: (process: ProcessIdentity) => ProcessState,
): NonNullable<PruneStatus['running']> {
  if (holder === undefined) return { epoch, process: undefined, state: 'unknown' };
  const { host, pid, started } = holder;
  return { epoch, process: { session: `prune ${epoch}`, host, pid, started }, state: examine(holder) };
}

/** Each mark names again what those before it condemned, as long as it is there. */
function condemnedBy(
  marks: ReadonlyMap<string, readonly string[]>,
  packs: ReadonlyMap<string, number>,
): CondemnedBy[] {
  const left = new Map(packs);
  return [...marks]
    .map(([epoch, names]) => ({ epoch: Number(epoch), names }))
    .sort((a, b) => a.epoch - b.epoch)
    .map(({ epoch, names }) => {
      const found = [...new Set(names)].filter((name) => left.has(name));
      const bytes = found.reduce((sum, name) => sum + left.get(name)!, 0);
      for (const name of found) left.delete(name);
      return { epoch, packs: found.length, bytes };
    })
    .filter(({ packs: count }) => count > 0);
}
