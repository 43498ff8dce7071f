import { leftProbes, removeStaleTemporaries } from '../../backends/index.js';
import { CbrError, type ObjectDigest, type SessionId } from '../../core/index.js';
import { droppedPacks } from '../dropped-packs.js';
import type { Author } from '../index-segment.js';
import { readSegment } from '../index-sync.js';
import { loadRepository, undecidedAuthors } from '../load-repository.js';
import { requireRemoval } from '../may-remove.js';
import { createRecord } from '../record-store.js';
import { markRecord } from '../records.js';
import type { Repository } from '../repository.js';
import { type FoundSession, listSessions } from '../session.js';
import { neverCounts } from '../view.js';
import { choosePacks } from './choose-packs.js';
import { CondemnedPacks } from './condemned-packs.js';
import type { Copied } from './copy-used.js';
import { EpochWork } from './epoch-work.js';
import { type PruneLease, takeLease } from './lease.js';
import type { MergedSegments } from './merge-segments.js';
import type { PrunePlan } from './plan-prune.js';
import type { PruneOptions, PruneSummary, WalkTrees } from './prune-options.js';
import { digestBytes, newPruneRun, type PruneRun } from './prune-run.js';
import { pendingSummary, plannedSummary, type SomePacks, sweptSummary } from './prune-summary.js';
import { type PruneView, readPruneView } from './prune-view.js';
import { pruneWaiting } from './prune-waiting.js';
import { forgottenRoots, validRoots } from './reach-snapshots.js';
import { settleSessions } from './settle-sessions.js';
import { refuseOverwriting } from './still-create-only.js';
import { sweepAway } from './sweep.js';

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
  if (!options.dryRun) requireRemoval(repository.backend, 'pruning');
  const run = newPruneRun(repository, walk, options);
  try {
    return options.dryRun ? await planOnly(run) : await pruneLeased(run);
  } finally {
    await run.endWorkers();
  }
}

async function pruneLeased(run: PruneRun): Promise<PruneSummary> {
  const { repository } = run;
  const { room } = repository.backend;
  await removeLeftovers(repository);
  const probing = leftProbes(repository.backend);
  probing.catch(() => undefined);
  await refuseOverwriting(repository);
  // What fails must not leave a lease behind.
  const probes = await probing;
  const lease = await takeLease(run, () => room?.release());
  try {
    // Copies must not eat what their records need.
    room?.reserve();
    const summary = await pruneEpoch(run, lease);
    // Only now: a probe that was under way at the beginning has ended.
    if (probes.length > 0) await repository.backend.removeMany('parity', probes);
    return summary;
  } finally {
    await lease.stop();
    if (room?.reserve() === false) {
      const what = 'There is no room left for the reserve of 1 MiB with which a prune frees a full disk';
      repository.report(`${what}: make some, and prune again.`, 'notice');
    }
  }
}

/** Files that dead processes of this host had staged: they take room, and nobody will come back for them. */
async function removeLeftovers({ backend, now }: Repository): Promise<void> {
  if (backend.stagingFolder !== undefined) await removeStaleTemporaries(backend.stagingFolder, 0, now());
}

async function planOnly(run: PruneRun): Promise<PruneSummary> {
  const first = await readPruneView(run, undefined);
  const roots = validRoots(first.view);
  for (const sid of run.options.without ?? []) roots.delete(sid);
  const { plan } = await choosePacks(run, first, roots, first.view.condemned);
  // What running snapshots have stored so far is nobody's yet, and no waste.
  const sessions = await listSessions(run.repository, { ended: 'skip' });
  const isQuiet = sessions.every(
    ({ record }) => record !== undefined && run.options.examine(record) === 'dead',
  );
  const orphans = isQuiet
    ? orphansOf(run, first, first, undefined, await undecidedPacks(run, first))
    : new Map();
  return plannedSummary({ plan, snapshots: roots.size, orphans });
}

/** What dead sessions have named in segments counts when they are fenced: it is no orphan before the prune after that. */
async function undecidedPacks(
  { repository }: PruneRun,
  { view, sync }: PruneView,
): Promise<Set<ObjectDigest>> {
  const authors = undecidedAuthors(view, sync);
  const named = new Set<ObjectDigest>();
  for (const [name, author] of sync.uncounted) {
    if (author.kind !== 'session' || !authors.has(author.session)) continue;
    for (const pack of (await readSegment(repository, name, []))?.packs ?? []) named.add(pack.name);
  }
  return named;
}

/** The epoch up to its close, and what follows from it. */
async function pruneEpoch(run: PruneRun, lease: PruneLease): Promise<PruneSummary> {
  /** Segments of this epoch that shall count when it is closed. */
  const own = new Set<ObjectDigest>();
  const { waitingMs } = run.repository;
  try {
    if (waitingMs !== undefined) {
      const finish = (first: PruneView): Promise<void> => finishForgets(run, first);
      return await pruneWaiting(run, lease, { waitingMs, own, finishForgets: finish });
    }
    const first = await readPruneView(run, { epoch: lease.epoch, segments: own }); // P2
    await finishForgets(run, first);
    const roots = validRoots(first.view);
    const condemned = new CondemnedPacks(first.view.condemned);
    const chosen = await choosePacks(run, first, roots, condemned.names); // P3
    const epoch = new EpochWork(run, lease.epoch, own, first, chosen, condemned);
    // Beside the copies, which leave this thread time for it: what the cache says has decided nothing yet that cannot be undone.
    const verified = run.repository.cache.verify();
    verified.catch(() => undefined);
    const copied = await epoch.copyChosen(); // P4
    await verified;
    run.repository.backend.room?.release();
    await writeMark(run, lease.epoch, condemned.names); // P5
    condemned.setMarked();
    const sessions = await listSessions(run.repository, { leftovers: true, ended: 'name' }); // P6: only now
    const pending = await settleSessions(run, sessions); // P7
    if (pending.length > 0) {
      await lease.close(own);
      const planned = { plan: epoch.plan, snapshots: roots.size, orphans: new Map() };
      return pendingSummary(planned, copied, lease.epoch, pending, packsAmong(first, condemned.names));
    }
    const { second, late, copiedLate, merged } = await epoch.lookAgain(); // P8, P9
    tellForgone(run, epoch.plan, [copiedLate]);
    const staying = epoch.staying();
    refuseDamagedCache(run);
    await lease.close(own);
    const orphans = orphansOf(run, first, second, lease.epoch);
    await sweepAll(run, lease.epoch, { first, second, sessions, merged, condemned, orphans });
    const planned = { plan: epoch.plan, snapshots: roots.size + late.size, orphans };
    const droppedBytes = merged.dropped.reduce((sum, name) => sum + (second.view.segments.get(name) ?? 0), 0);
    const removed = packsAmong(first, [...condemned.swept, ...orphans.keys()]);
    return sweptSummary(planned, [copied, copiedLate], lease.epoch, merged, removed, droppedBytes, staying);
  } catch (error) {
    throw lease.isClosed ? error : await closeAfter(error, lease, own);
  }
}

/**
 * What is durable counts, the mark stays, and the next prune goes on; if not even this succeeds it takes the epoch over.
 * Returns why the prune failed: of one that was taken over the other one may have removed what it read, which is no damage.
 */
async function closeAfter(
  error: unknown,
  lease: PruneLease,
  own: ReadonlySet<ObjectDigest>,
): Promise<unknown> {
  try {
    await lease.close(own);
  } catch (closing) {
    if (closing instanceof CbrError && closing.code === 'busy') return closing;
  }
  return error;
}

/**
 * P2: a forget that was broken off has removed nothing yet. Its record must open: a file of that name alone, which anybody can
 * make who can write to the store, is no reason to sweep a snapshot that is there.
 */
async function finishForgets(run: PruneRun, { view }: PruneView): Promise<void> {
  const half = [...view.forgotten].filter((sid) => view.outcomes.has(sid));
  await forgottenRoots(run, half);
  await run.repository.backend.removeMany('snapshots', half);
}

/** A prune that frees less than it was asked to says so. */
function tellForgone({ repository }: PruneRun, plan: PrunePlan, copies: readonly Copied[]): void {
  const { forgone, leastForgone } = plan;
  const isStuck = plan.unused.length + plan.rewritten.length === 0 && leastForgone > 0;
  const count = forgone + copies.reduce((sum, { uncopied }) => sum + uncopied.length, 0);
  if (count === 0) return;
  const [packs, of] = count === 1 ? ['1 pack stays', 'it'] : [`${count} packs stay`, 'them'];
  const what = `${packs} that should have gone: there was no room to write anew what is needed of ${of}.`;
  // Copies take half of what is free at most; the other half is for what else has to be written.
  const needed = Math.ceil((2 * leastForgone) / 2 ** 20);
  const next = isStuck
    ? `Nothing else can go: make room for ${needed} MiB at least, or forget more, and prune again.`
    : 'Prune again to go on.';
  repository.report(`${what} ${next}`, 'notice');
}

/** Those of the named packs that were listed at P2. */
function packsAmong({ packs }: PruneView, names: Iterable<ObjectDigest>): SomePacks {
  const sizes = [...names].map((name) => packs.get(name)).filter((size) => size !== undefined);
  return { packs: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}

/** What is removed is what the cache knows nothing of: one that is unsound is no witness. */
function refuseDamagedCache({ repository }: PruneRun): void {
  if (!repository.cache.isDamaged) return;
  throw new CbrError('internal', 'the cache of this repository turned out damaged', {
    hint: 'Nothing was removed. Prune again: the cache is built anew from the repository.',
  });
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

/**
 * P10: packs of K1 that no counting segment names, not even one whose pack seemed to be missing. None while nobody can tell
 * what all of the segments name: another machine may know, and rely on it. `epoch`: the own one, of which some may not count.
 */
function orphansOf(
  { repository }: PruneRun,
  { packs, view, sync }: PruneView,
  second: PruneView,
  epoch: number | undefined,
  alsoNamed: ReadonlySet<ObjectDigest> = new Set(),
): Map<ObjectDigest, number> {
  const { cache } = repository;
  const isUndecided = (author: Author): boolean =>
    author.kind === 'prune' && author.epoch !== epoch && !second.view.leases.has(author.epoch + 1);
  const isUnsure = second.sync.damaged.length > 0 || [...second.sync.uncounted.values()].some(isUndecided);
  if (isUnsure) return new Map();
  const named = new Set<string>([
    ...cache.allPacks().map(({ name }) => name),
    ...alsoNamed,
    ...sync.missingPacks,
    ...second.sync.missingPacks,
    ...droppedPacks(cache),
    ...view.condemned,
  ]);
  return new Map([...packs].filter(([name]) => !named.has(name)));
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
