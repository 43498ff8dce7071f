import type { ObjectDigest, SessionId } from '../../core/index.js';
import { removeSessions } from '../session.js';
import { listNames } from '../view.js';
import type { PruneRun } from './prune-run.js';

/** What is removed once the epoch is closed, in this order: rules 24 to 26. */
export interface Sweep {
  readonly segments: readonly ObjectDigest[];
  readonly packs: readonly ObjectDigest[];
  /** Names of marks all of whose packs are among these packs, or gone. */
  readonly marks: readonly string[];
  /** Sessions that have an outcome. */
  readonly sessions: readonly SessionId[];
  /** Forgotten snapshots, whose notes nobody needs. */
  readonly forgotten: ReadonlySet<SessionId>;
}

/** Removes: segments before the packs they name, packs before the marks that condemn them. Done again, it goes on. */
export async function sweepAway({ repository, options }: PruneRun, sweep: Sweep): Promise<void> {
  const { backend } = repository;
  options.onProgress?.({ step: 'removing', done: 0, total: 1 });
  await backend.removeMany('index', sweep.segments);
  await backend.removeMany('packs', sweep.packs);
  await backend.removeMany('marks', sweep.marks);
  await removeSessions(backend, new Set(sweep.sessions));
  if (sweep.forgotten.size === 0) return;
  const notes = await listNames(backend, 'notes');
  await backend.removeMany(
    'notes',
    notes.filter((name) => sweep.forgotten.has(name.split('/')[0] as SessionId)),
  );
}
