import { forEachParallel } from '../../backends/index.js';
import { CbrError, type SessionId } from '../../core/index.js';
import {
  doubtfulNotes,
  type NotesContext,
  noteNumbers,
  type OutcomeRecord,
  type Repository,
  readNotes,
  readOutcome,
  recordMemory,
} from '../../repo/index.js';
import { isPinnedBy } from '../notes.js';
import { type ForgetOptions, forgetSnapshots } from './forget-snapshots.js';
import { anchorsOf, storeAnchors } from './group-anchors.js';
import type { ForgetPlan } from './plan-forget.js';

/** Pins are looked for again before so many are forgotten: that costs a listing. */
const AT_ONCE = 32;

export interface AppliedForgetPlan {
  readonly forgotten: readonly SessionId[];
  /** Pinned since the plan was made, and so kept. */
  readonly pinned: readonly SessionId[];
}

/**
 * Carries a plan out, but for what was pinned since. First the round-robin anchors are stored, while the snapshots are there
 * from which they follow. Rejects as `forgetSnapshots` and `readStoredPolicies` do, before anything is
 * forgotten when a record cannot be opened; and with `busy` when a snapshot was pinned
 * while it was being forgotten: it is forgotten then, and no prune should follow before it was brought back.
 */
export async function applyForgetPlan(
  repository: Repository,
  { request, plan, forget }: ForgetPlan,
  options: ForgetOptions,
): Promise<AppliedForgetPlan> {
  const known = await refuseUnreadable(repository, forget, options.signal);
  const { roundRobin } = request.policy;
  if (roundRobin !== undefined) {
    await storeAnchors(repository, anchorsOf(plan), roundRobin, options.by, options.nowSeconds);
  }
  const forgotten: SessionId[] = [];
  const pinned: SessionId[] = [];
  for (let from = 0; from < forget.length; from += AT_ONCE) {
    const next = forget.slice(from, from + AT_ONCE);
    const spared = await pinnedOf(repository, next, options.nowSeconds);
    pinned.push(...spared);
    const rest = next.filter((id) => !spared.has(id));
    forgotten.push(...(await forgetSnapshots(repository, rest, options, known)));
  }
  // Whoever pins a snapshot looks afterwards whether it is forgotten; so one of the two sees the other.
  const late = await pinnedOf(repository, forgotten, options.nowSeconds);
  if (late.size > 0) throw pinnedWhileForgotten([...late]);
  return { forgotten, pinned };
}

/**
 * What this machine remembers of a snapshot made the plan, and its record may have been damaged since: then nothing is forgotten
 * rather than some of it. Returns what was read, if it is not much.
 */
async function refuseUnreadable(
  { backend, records }: Repository,
  ids: readonly SessionId[],
  signal: AbortSignal,
): Promise<ReadonlyMap<SessionId, OutcomeRecord>> {
  const known = new Map<SessionId, OutcomeRecord>();
  await forEachParallel(ids, backend.concurrency, async (id) => {
    signal.throwIfAborted();
    const outcome = await readOutcome({ backend, records }, id);
    if (outcome !== undefined && ids.length <= AT_ONCE) known.set(id, outcome);
  });
  return known;
}

/** Those that are pinned now, or may be: see `planForget`. */
async function pinnedOf(
  { backend, records, cache }: Repository,
  ids: readonly SessionId[],
  nowSeconds: number,
): Promise<ReadonlySet<SessionId>> {
  const its: NotesContext = { backend, records, memory: recordMemory(cache) };
  const wanted = new Set(ids);
  const numbers = await noteNumbers(backend);
  const notes = await readNotes(its, wanted, numbers);
  const pinned = [...notes].filter(([, note]) => isPinnedBy(note, nowSeconds)).map(([id]) => id);
  return new Set([...pinned, ...(await doubtfulNotes(its, wanted, numbers))]);
}

function pinnedWhileForgotten(ids: readonly SessionId[]): CbrError {
  const names = ids.map((id) => id.slice(0, 8)).join(' ');
  return new CbrError('busy', `pinned at the moment when it was forgotten: ${names}`, {
    hint: `Bring it back before anything is pruned: cbr unforget ${names}`,
  });
}
