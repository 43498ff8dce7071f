import { CbrError, type ObjectDigest, ObjectExistsError } from '../../core/index.js';
import { loadRepository, memoryFor } from '../load-repository.js';
import { encodeRecord } from '../record-store.js';
import { markRecord } from '../records.js';
import { type FoundSession, listSessions } from '../session.js';
import { readView } from '../view.js';
import { closingExtensions, MOST_DROPPED } from '../waiting-records.js';
import { choosePacks } from './choose-packs.js';
import { CondemnedPacks } from './condemned-packs.js';
import { EpochWork } from './epoch-work.js';
import type { PruneLease } from './lease.js';
import { mergeSegments } from './merge-segments.js';
import type { PruneSummary } from './prune-options.js';
import { digestBytes, type PruneRun } from './prune-run.js';
import { type SomePacks, waitingSummary } from './prune-summary.js';
import { type PruneView, readPruneView } from './prune-view.js';
import { validRoots } from './reach-snapshots.js';
import { sweepAway } from './sweep.js';
import {
  chooseRemovals,
  orphanPacks,
  packsToMark,
  settledSegments,
  voidSegments,
  type WaitingWork,
  waitingWork,
} from './waiting-choice.js';
import { digestOf, fenceSilent, readWaitingEpochs, ripeEpochs, withoutOutcome } from './waiting-epochs.js';
import type { WaitingRemovals } from './waiting-plan.js';

/** What an epoch needs of the prune that it belongs to. */
export interface WaitingEpochOptions {
  readonly waitingMs: number;
  /** Segments of this epoch that shall count when it is closed. */
  readonly own: Set<ObjectDigest>;
  finishForgets(first: PruneView): Promise<void>;
}

/**
 * An epoch on a store that silently overwrites (docs/protocol.md, "Without create-only"): what is to go is marked and waits;
 * what waited for long enough goes, if all that snapshots reach is found elsewhere.
 */
export async function pruneWaiting(
  run: PruneRun,
  lease: PruneLease,
  { waitingMs, own, finishForgets }: WaitingEpochOptions,
): Promise<PruneSummary> {
  const { cache, backend } = run.repository;
  const now = await storeClock(run);
  const awake = new Stopwatch(run);
  const { pending, work } = await lookAround(run, lease, own, { now: now(), waitingMs });
  const { first, ripe, epochs } = work;
  await finishForgets(first);
  const roots = validRoots(first.view);
  const condemned = new CondemnedPacks(first.view.condemned);
  const chosen = await choosePacks(run, first, roots, condemned.names);
  const copying = new EpochWork(run, lease.epoch, own, first, chosen, condemned);
  const verified = cache.verify();
  verified.catch(() => undefined);
  const copied = await copying.copyChosen();
  await verified;
  const { usage } = chosen.reached;
  const removals = chooseRemovals(work, (name) => {
    const pack = cache.packNamed(name);
    return pack !== undefined && usage.use(pack) !== undefined;
  });
  const orphans = await orphanPacks(work, own);
  const marked = packsToMark(work, condemned, removals, orphans);
  const merged = await mergeSegments(run, lease.epoch, first.view.segments, marked, {
    leftOut: condemned.names,
    untouched: settledSegments(work, removals, own),
  });
  for (const name of merged.written) own.add(name);
  backend.room?.release();
  const mark = await writeMark(run, lease.epoch, marked); // V4
  const listed = await listSessions(run.repository, { leftovers: true, ended: 'name' }); // V4: only now
  const open = await withoutOutcome(run, listed);
  if (cache.isDamaged) throw damagedCache();
  const closedAt = Math.ceil(now() / 1000);
  const extensions = closingExtensions({
    at: closedAt,
    ...(mark === undefined ? {} : { mark }),
    sessions: open.map(({ id }) => Buffer.from(id, 'hex')),
    segments: digestBytes([...merged.dropped, ...voidSegments(work)].slice(0, MOST_DROPPED)),
  });
  await lease.close(own, extensions);
  // V6: what was seen at the beginning still holds.
  const { elapsedMs } = awake;
  const isInTime = 2 * elapsedMs < waitingMs;
  const ended = listed.filter((session) => !open.includes(session));
  if (isInTime) await removeNow(work, removals, ended);
  const removed = isInTime ? removals.packs : new Set<ObjectDigest>();
  const waiting = epochs.filter((epoch) => epoch.packs.length > 0 && !(isInTime && ripe.includes(epoch)));
  const begins = [...waiting.map(({ at }) => at), ...(marked.size > 0 ? [1000 * closedAt] : [])];
  const stay = new Set([...first.view.condemned, ...marked].filter((name) => !removed.has(name)));
  return waitingSummary({
    planned: { plan: copying.plan, snapshots: roots.size, orphans },
    copied,
    epoch: lease.epoch,
    pending,
    merged,
    removed: someOf(first, removed),
    condemned: someOf(first, stay),
    staying: copying.staying(),
    tookTooLongMs: !isInTime && removals.packs.size > 0 ? elapsedMs : undefined,
    removableAt: begins.length === 0 ? undefined : Math.min(...begins) + waitingMs,
  });
}

/** Milliseconds since 1970 by the clock of the store, which all machines share; by that of this machine if it tells no time. */
async function storeClock({ repository }: PruneRun): Promise<() => number> {
  const { clockSkewSeconds = 0 } = (await repository.backend.examine?.()) ?? {};
  return () => repository.now() + 1000 * (clockSkewSeconds ?? 0);
}

/** Time since it was made: the longer one by both clocks, of which one may stand still in sleep and the other may be set. */
class Stopwatch {
  private readonly now: number;
  private readonly clock: number;

  constructor(private readonly run: PruneRun) {
    this.now = run.repository.now();
    this.clock = run.options.timing.clock();
  }

  get elapsedMs(): number {
    const { repository, options } = this.run;
    return Math.max(Math.abs(repository.now() - this.now), options.timing.clock() - this.clock);
  }
}

/** V1, V5: first what has ended, and only then the snapshots that are walked. */
async function lookAround(
  run: PruneRun,
  { epoch }: PruneLease,
  own: ReadonlySet<ObjectDigest>,
  time: { readonly now: number; readonly waitingMs: number },
): Promise<{ readonly pending: PruneSummary['pending']; readonly work: WaitingWork }> {
  const { backend, records } = run.repository;
  const sessions = await listSessions(run.repository, { leftovers: true, ended: 'name' });
  const silent = await fenceSilent(run, await withoutOutcome(run, sessions), time);
  const before = await readView(backend, records, memoryFor(run.repository));
  const epochs = await readWaitingEpochs(run.repository, before);
  const listed = new Map(sessions.map((session) => [session.id, session]));
  const { ripe, pending } = ripeEpochs(epochs, before, time, listed, silent);
  const seen = await readPruneView(run, { epoch, segments: own });
  return { pending, work: waitingWork(run, seen, epochs, ripe) };
}

/** Returns the digest of the stored mark; undefined where there is nothing to mark. */
async function writeMark(
  { repository }: PruneRun,
  epoch: number,
  packs: ReadonlySet<ObjectDigest>,
): Promise<Buffer | undefined> {
  if (packs.size === 0) return undefined;
  const { backend, records } = repository;
  const stored = encodeRecord('marks', String(epoch), markRecord, { packs: digestBytes(packs) }, records);
  try {
    await backend.write('marks', String(epoch), stored);
  } catch (error) {
    if (!(error instanceof ObjectExistsError)) throw error;
    throw new CbrError('busy', 'another prune is at work under the same number', {
      cause: error,
      hint: 'Nothing was removed. Try again later.',
    });
  }
  return digestOf(stored);
}

async function removeNow(
  { run, first }: WaitingWork,
  removals: WaitingRemovals,
  ended: readonly FoundSession[],
): Promise<void> {
  const { cache } = run.repository;
  const isGone = (name: ObjectDigest): boolean => removals.packs.has(name) || !first.packs.has(name);
  const segments = [...cache.segments()].filter(([, { number }]) => removals.segments.has(number));
  cache.beginDestructive();
  await sweepAway(run, {
    segments: segments.map(([name]) => name),
    packs: [...removals.packs],
    marks: [...first.view.marks].filter(([, packs]) => packs.every(isGone)).map(([name]) => name),
    sessions: ended.map(({ id }) => id),
    forgotten: first.view.forgotten,
  });
  await loadRepository(run.repository);
  cache.endDestructive();
}

function damagedCache(): CbrError {
  return new CbrError('internal', 'the cache of this repository turned out damaged', {
    hint: 'Nothing was removed. Prune again: the cache is built anew from the repository.',
  });
}

/** Those that were listed. */
function someOf({ packs }: PruneView, names: Iterable<ObjectDigest>): SomePacks {
  const sizes = [...names].map((name) => packs.get(name)).filter((size) => size !== undefined);
  return { packs: sizes.length, bytes: sizes.reduce((sum, size) => sum + size, 0) };
}
