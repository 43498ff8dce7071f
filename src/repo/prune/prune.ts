import { removeStaleTemporaries } from '../../backends/index.js';
import { CbrError, type ObjectDigest, type SessionId } from '../../core/index.js';
import type { CachedPack } from '../cache/index.js';
import { droppedPacks } from '../dropped-packs.js';
import type { Author } from '../index-segment.js';
import { createRecord } from '../record-store.js';
import { markRecord } from '../records.js';
import { loadRepository, type Repository } from '../repository.js';
import { type FoundSession, listSessions } from '../session.js';
import { choosePacks, packsOf, plannedPacks } from './choose-packs.js';
import { CondemnedPacks } from './condemned-packs.js';
import { type Copied, copyUsed } from './copy-used.js';
import { type PruneLease, takeLease } from './lease.js';
import { type MergedSegments, mergeSegments, SegmentGone } from './merge-segments.js';
import { leaveOut, type PrunePlan } from './plan-prune.js';
import type { PruneOptions, PruneSummary, Reference, WalkTrees } from './prune-options.js';
import { digestBytes, newPruneRun, type PruneRun } from './prune-run.js';
import { pendingSummary, plannedSummary, sweptSummary } from './prune-summary.js';
import { type PruneView, readPruneView } from './prune-view.js';
import { forgottenRoots, useCounts, validRoots } from './reach-snapshots.js';
import { settleSessions } from './settle-sessions.js';
import { neverCounts, sweepAway } from './sweep.js';

/**
 * Reclaims what no snapshot reaches (docs/protocol.md rules 15 to 27): no lock, snapshots may run beside it, and a crash at
 * any moment leaves a good repository. Rejects (busy) while another prune runs, (damaged) when something that is needed
 * cannot be read: then nothing was removed.
 */
export async function prune(
  repository: Repository,
  walk: WalkTrees,
  options: PruneOptions,
): Promise<PruneSummary> {
  const run = newPruneRun(repository, walk, options);
  if (options.dryRun) return planOnly(run);
  const { room } = repository.backend;
  await removeLeftovers(repository);
  const lease = await takeLease(run, () => room?.release());
  try {
    // Copies must not eat what their records need.
    room?.reserve();
    return await pruneEpoch(run, lease);
  } finally {
    await lease.stop();
    room?.reserve();
  }
}

/** Files that dead processes of this host had staged: they take room, and nobody will come back for them. */
async function removeLeftovers({ backend, now }: Repository): Promise<void> {
  if (backend.stagingFolder !== undefined) await removeStaleTemporaries(backend.stagingFolder, 0, now());
}

async function planOnly(run: PruneRun): Promise<PruneSummary> {
  const first = await readPruneView(run, undefined);
  const roots = validRoots(first.view);
  const { plan } = await choosePacks(run, first, roots, first.view.condemned);
  // What running snapshots have stored so far is nobody's yet, and no waste.
  const isQuiet = (await listSessions(run.repository)).length === 0;
  const orphans = isQuiet ? orphansOf(run, first, first, undefined) : new Map();
  return plannedSummary({ plan, snapshots: roots.size, orphans });
}

/** The epoch up to its close, and what follows from it. */
async function pruneEpoch(run: PruneRun, lease: PruneLease): Promise<PruneSummary> {
  /** Segments of this epoch that shall count when it is closed. */
  const own = new Set<ObjectDigest>();
  try {
    const first = await readPruneView(run, { epoch: lease.epoch, segments: own }); // P2
    await finishForgets(run, first);
    const { cache, backend } = run.repository;
    const condemned = new CondemnedPacks(first.view.condemned);
    const roots = validRoots(first.view);
    const chosen = await choosePacks(run, first, roots, condemned.names); // P3
    const { reached, rankOf } = chosen;
    let { plan } = chosen;
    for (const number of [...plan.unused, ...plan.rewritten]) condemned.add(cache.pack(number)!.name);
    for (const number of plan.left) condemned.leave(cache.pack(number)!.name);
    const counts = useCounts(reached.usage, packsOf(cache, condemned.names));
    const copy = async (packs: readonly CachedPack[]): Promise<Copied> => {
      const isAvoided = (pack: CachedPack): boolean => rankOf(pack) > 0;
      const copied = await copyUsed(run, lease.epoch, packs, reached.usage, isAvoided, own);
      for (const { name } of copied.uncopied) condemned.leave(name);
      return copied;
    };
    const lookAgain = async (): Promise<LookedAgain> => {
      for (let looks = 1; ; looks++) {
        const second = await readPruneView(run, { epoch: lease.epoch, segments: own });
        const late = await lateRoots(run, first, second);
        await reached.walk(late);
        const more = packsOf(cache, condemned.swept).filter(
          (pack) => (reached.usage.use(pack)?.chunks ?? 0) > (counts.get(pack.number) ?? 0),
        );
        const copiedLate = await copy(more);
        try {
          const merged = await mergeSegments(run, lease.epoch, second.view.segments, condemned.swept);
          return { second, late, copiedLate, merged };
        } catch (error) {
          if (!(error instanceof SegmentGone) || looks === MOST_LOOKS) throw error;
        }
      }
    };
    const copied = await copy(plan.rewritten.map((number) => cache.pack(number)!)); // P4
    plan = leaveOut(plan, plannedPacks(run, first, reached.usage, copied.uncopied));
    backend.room?.release();
    await writeMark(run, lease.epoch, condemned.names); // P5
    condemned.setMarked();
    const sessions = await listSessions(run.repository, { leftovers: true }); // P6: only now
    const pending = await settleSessions(run, sessions); // P7
    if (pending.length > 0) {
      await lease.close(own);
      const planned = { plan, snapshots: roots.size, orphans: new Map() };
      return pendingSummary(planned, copied, lease.epoch, pending);
    }
    const { second, late, copiedLate, merged } = await lookAgain(); // P8, P9
    tellForgone(run, plan, [copiedLate]);
    for (const name of merged.dropped) own.delete(name);
    for (const name of merged.written) own.add(name);
    await lease.close(own);
    const orphans = orphansOf(run, first, second, lease.epoch);
    await sweepAll(run, lease.epoch, { first, second, sessions, merged, condemned, orphans });
    const planned = { plan, snapshots: roots.size + late.size, orphans };
    const droppedBytes = merged.dropped.reduce((sum, name) => sum + (second.view.segments.get(name) ?? 0), 0);
    return sweptSummary(planned, [copied, copiedLate], lease.epoch, merged, droppedBytes);
  } catch (error) {
    // What is durable counts, the mark stays, and the next prune goes on; if even this fails it takes the epoch over.
    throw lease.isClosed
      ? error
      : await lease.close(own).then(
          () => error,
          (closing) => whyItFailed(error, closing),
        );
  }
}

/** P8 and P9. */
interface LookedAgain {
  readonly second: PruneView;
  /** Roots that were walked since P2. */
  readonly late: ReadonlyMap<SessionId, Reference>;
  readonly copiedLate: Copied;
  readonly merged: MergedSegments;
}

/** The sweep of the epoch before ends, and then nothing goes any more. */
const MOST_LOOKS = 5;

/** Of a prune that was taken over the other one may remove what it reads: that is no damage. */
function whyItFailed(error: unknown, closing: unknown): unknown {
  return closing instanceof CbrError && closing.code === 'busy' ? closing : error;
}

/** P2: a forget that was broken off has removed nothing yet. */
async function finishForgets({ repository }: PruneRun, { view }: PruneView): Promise<void> {
  const half = [...view.forgotten].filter((sid) => view.outcomes.has(sid));
  await repository.backend.removeMany('snapshots', half);
}

/** A prune that frees less than it was asked to says so. */
function tellForgone({ repository }: PruneRun, { forgone }: PrunePlan, copies: readonly Copied[]): void {
  const count = forgone + copies.reduce((sum, { uncopied }) => sum + uncopied.length, 0);
  if (count === 0) return;
  const what =
    count === 1 ? '1 pack stays that should have gone' : `${count} packs stay that should have gone`;
  repository.report(
    `${what}: there was no room to write anew what is needed of it. Prune again to go on.`,
    'notice',
  );
}

/** P5: from now on whoever reads the marks stores again what lies only in these packs. */
async function writeMark(
  { repository }: PruneRun,
  epoch: number,
  condemned: ReadonlySet<ObjectDigest>,
): Promise<void> {
  if (condemned.size === 0) return;
  const { backend, records } = repository;
  await createRecord(backend, 'marks', String(epoch), markRecord, { packs: digestBytes(condemned) }, records);
}

/** P8: what was committed or forgotten since P2 may rely on what is condemned. */
async function lateRoots(run: PruneRun, first: PruneView, second: PruneView) {
  const before = validRoots(first.view);
  const late = new Map([...validRoots(second.view)].filter(([sid]) => !before.has(sid)));
  const forgotten = [...second.view.forgotten].filter(
    (sid) => !first.view.forgotten.has(sid) && !before.has(sid),
  );
  for (const [sid, root] of await forgottenRoots(run, forgotten)) late.set(sid, root);
  return late;
}

/**
 * P10: packs of K1 that no counting segment names, not even one whose pack seemed to be missing. None while nobody can tell
 * what all of the segments name: another machine may know, and rely on it. `epoch`: the own one, of which some may not count.
 */
function orphansOf(
  { repository }: PruneRun,
  { packs, view, sync }: PruneView,
  second: PruneView,
  epoch: number | undefined,
): Map<ObjectDigest, number> {
  const { cache } = repository;
  const isUndecided = (author: Author): boolean =>
    author.kind === 'prune' && author.epoch !== epoch && !second.view.leases.has(author.epoch + 1);
  const isUnsure = second.sync.damaged.length > 0 || [...second.sync.uncounted.values()].some(isUndecided);
  if (isUnsure) return new Map();
  const named = new Set<string>([
    ...sync.missingPacks,
    ...second.sync.missingPacks,
    ...droppedPacks(cache),
    ...view.condemned,
  ]);
  return new Map([...packs].filter(([name]) => !named.has(name) && cache.packNamed(name) === undefined));
}

interface SweepParts {
  readonly first: PruneView;
  readonly second: PruneView;
  readonly sessions: readonly FoundSession[];
  readonly merged: MergedSegments;
  readonly condemned: CondemnedPacks;
  readonly orphans: ReadonlyMap<ObjectDigest, number>;
}

async function sweepAll(
  run: PruneRun,
  epoch: number,
  { first, second, sessions, merged, condemned, orphans }: SweepParts,
): Promise<void> {
  const { repository } = run;
  const never = [...second.sync.uncounted].filter(([name, author]) => neverCounts(name, author, second.view));
  const marks = [...first.view.marks, [String(epoch), [...condemned.names]] as const];
  // A cache that is found after a crash in here is built anew: it must not claim what is gone.
  repository.cache.beginDestructive();
  await sweepAway(run, {
    segments: [...merged.dropped, ...never.map(([name]) => name)],
    packs: [...condemned.swept, ...orphans.keys()],
    marks: marks.filter(([, packs]) => !packs.some((name) => condemned.left.has(name))).map(([name]) => name),
    sessions: sessions.map(({ id }): SessionId => id),
    forgotten: first.view.forgotten,
  });
  await loadRepository(repository);
  repository.cache.endDestructive();
}
