import type { ObjectDigest } from '../../core/index.js';
import { droppedPacks } from '../dropped-packs.js';
import { readSegment } from '../index-sync.js';
import { listSessions } from '../session.js';
import { listNames, neverCounts, segmentCounts } from '../view.js';
import type { CondemnedPacks } from './condemned-packs.js';
import type { PruneRun } from './prune-run.js';
import type { PruneView } from './prune-view.js';
import { type WaitingEpoch, withoutOutcome } from './waiting-epochs.js';
import { planRemovals, type WaitingRemovals } from './waiting-plan.js';

/** What a prune under a waiting period has before it: what it saw, and the epochs before it. */
export interface WaitingWork {
  readonly run: PruneRun;
  /** With what is only read from among the condemned packs. */
  readonly first: PruneView;
  readonly epochs: readonly WaitingEpoch[];
  readonly ripe: readonly WaitingEpoch[];
  /** Numbers of the segments that count, those of this epoch among them. */
  readonly counting: ReadonlySet<number>;
}

/** Packs that only such segments name which never count are condemned by that: they are read from, and not relied on. */
export function waitingWork(
  run: PruneRun,
  seen: PruneView,
  epochs: readonly WaitingEpoch[],
  ripe: readonly WaitingEpoch[],
): WaitingWork {
  const counting = countingNumbers(run, seen);
  const condemned = new Set(seen.view.condemned);
  for (const { name, segments } of run.repository.cache.allPacks()) {
    if (!segments.some((number) => counting.has(number))) condemned.add(name);
  }
  return { run, first: { ...seen, view: { ...seen.view, condemned } }, epochs, ripe, counting };
}

function countingNumbers({ repository }: PruneRun, { view }: PruneView): Set<number> {
  const counting = new Set<number>();
  for (const [name, { author, number }] of repository.cache.segments()) {
    if (segmentCounts(name, author, view)) counting.add(number);
  }
  return counting;
}

/** V5: what can go now, and packs whose time is over (`due`), whether they can go or not. */
export function chooseRemovals(
  { run, first, epochs, ripe, counting }: WaitingWork,
  isInUse: (name: ObjectDigest) => boolean,
): WaitingRemovals & { readonly due: ReadonlySet<ObjectDigest> } {
  const { cache } = run.repository;
  const due = new Set(ripe.flatMap(({ packs }) => packs).filter((name) => first.packs.has(name)));
  // A mark that nobody closed holds nothing up: its packs were marked again.
  for (const epoch of epochs) if (!ripe.includes(epoch)) for (const pack of epoch.packs) due.delete(pack);
  const removable = new Set([...due].filter((name) => !isInUse(name)));
  const known = cache.segments();
  const dropped = new Set<number>();
  for (const name of ripe.flatMap(({ segments }) => segments)) {
    const segment = known.get(name);
    if (segment !== undefined) dropped.add(segment.number);
  }
  // Not all that an epoch before has to drop may be relied on: it is to go.
  const relied = new Set(counting);
  for (const name of epochs.flatMap(({ segments }) => segments)) relied.delete(known.get(name)?.number ?? -1);
  const packs = cache.allPacks().map(({ name, segments }) => ({
    name,
    segments,
    isCondemned: first.view.condemned.has(name),
  }));
  return { ...planRemovals(packs, relied, removable, dropped), due };
}

/**
 * What the mark of this epoch names: what is condemned now, and what waits anew because it is in use, or something else would go
 * with it, or because its mark has no closing record of its own.
 */
export function packsToMark(
  { run, first, epochs }: WaitingWork,
  condemned: CondemnedPacks,
  removals: WaitingRemovals & { readonly due: ReadonlySet<ObjectDigest> },
  orphans: ReadonlyMap<ObjectDigest, number>,
): Set<ObjectDigest> {
  const waiting = new Set(epochs.flatMap(({ packs }) => packs));
  const marked = new Set<ObjectDigest>();
  for (const name of [...condemned.swept, ...orphans.keys()]) {
    const isThere = first.packs.has(name) || run.repository.cache.packNamed(name) !== undefined;
    if (!isThere || removals.packs.has(name)) continue;
    if (removals.due.has(name) || !waiting.has(name)) marked.add(name);
  }
  return marked;
}

/** Names of segments that are not to be merged: those that go, that are to go, that do not count, and those of this epoch. */
export function settledSegments(
  { run, epochs, counting }: WaitingWork,
  removals: WaitingRemovals,
  own: ReadonlySet<ObjectDigest>,
): Set<ObjectDigest> {
  const settled = new Set([...own, ...epochs.flatMap(({ segments }) => segments)]);
  for (const [name, { number }] of run.repository.cache.segments()) {
    if (removals.segments.has(number) || !counting.has(number)) settled.add(name);
  }
  return settled;
}

/** Segments that never count, and of which no prune has said yet that they are to go. */
export function voidSegments({ run, first, epochs }: WaitingWork): ObjectDigest[] {
  const known = new Set(epochs.flatMap(({ segments }) => segments));
  return [...run.repository.cache.segments()]
    .filter(([name, { author }]) => neverCounts(name, author, first.view) && !known.has(name))
    .map(([name]) => name);
}

/** Packs listed before that nothing names, if nobody can be about to name them. */
export async function orphanPacks(
  { run, first }: WaitingWork,
  own: ReadonlySet<ObjectDigest>,
): Promise<Map<ObjectDigest, number>> {
  const { repository } = run;
  const { cache, backend } = repository;
  const none = new Map<ObjectDigest, number>();
  if (first.sync.damaged.length > 0) return none;
  if ((await withoutOutcome(run, await listSessions(repository, { ended: 'skip' }))).length > 0) return none;
  const later = (await listNames(backend, 'index')) as ObjectDigest[];
  if (later.some((name) => !first.view.segments.has(name) && !own.has(name))) return none;
  const named = new Set<string>([
    ...cache.allPacks().map(({ name }) => name),
    ...first.sync.missingPacks,
    ...droppedPacks(cache),
    ...first.view.condemned,
  ]);
  for (const name of first.sync.uncounted.keys()) {
    for (const pack of (await readSegment(repository, name, []))?.packs ?? []) named.add(pack.name);
  }
  return new Map([...first.packs].filter(([name]) => !named.has(name)));
}
