import type { ObjectDigest, SessionId } from '../../core/index.js';
import { badPacks } from '../bad-packs.js';
import type { CachedPack, RepositoryCache } from '../cache/index.js';
import { type ChunkUsage, type PackRank, wasteOf } from './chunk-usage.js';
import { type SizedSegment, withoutRoom } from './fit-segments.js';
import { leaveOut, type PlannedPack, type PrunePlan, planPrune } from './plan-prune.js';
import { provePlaces } from './prove-places.js';
import type { Reference } from './prune-options.js';
import type { PruneRun } from './prune-run.js';
import type { PruneView } from './prune-view.js';
import { ReachedChunks } from './reach-snapshots.js';

/** What snapshots reach, and how little the packs are worth that hold it. */
export interface InUse {
  readonly reached: ReachedChunks;
  readonly rankOf: PackRank;
}

/** P3: what is in use, and which packs are condemned for it. */
export interface ChosenPacks extends InUse {
  readonly plan: PrunePlan;
}

/** Walks snapshots. `condemned`: what is added to it later counts for the rank of packs, too. */
export async function countInUse(
  run: PruneRun,
  roots: ReadonlyMap<SessionId, Reference>,
  condemned: ReadonlySet<ObjectDigest>,
): Promise<InUse> {
  const rankOf = rankIn(run.repository.cache, condemned);
  const reached = new ReachedChunks(run, rankOf);
  await reached.walk(roots);
  return { reached, rankOf };
}

/**
 * Walks the snapshots and chooses, again and again until no place that is relied on turns out damaged. `condemned`: packs that
 * earlier prunes condemned, as in `countInUse`.
 */
export async function choosePacks(
  run: PruneRun,
  first: PruneView,
  roots: ReadonlyMap<SessionId, Reference>,
  condemned: ReadonlySet<ObjectDigest>,
): Promise<ChosenPacks> {
  const { cache } = run.repository;
  for (;;) {
    const { reached, rankOf } = await countInUse(run, roots, condemned);
    const plan = choose(run, first, reached.usage);
    const going = [...plan.unused, ...plan.rewritten].map((number) => cache.pack(number)!);
    if ((await provePlaces(run, going, reached.usage)) === 0) return { reached, plan, rankOf };
  }
}

/** What only a condemned pack holds is to be copied; what a damaged one holds is relied on only where there is no other. */
function rankIn(cache: RepositoryCache, condemned: ReadonlySet<ObjectDigest>): PackRank {
  const bad = badPacks(cache);
  return ({ name }) => (bad.has(name) ? 2 : 0) + (condemned.has(name) ? 1 : 0);
}

/** Room on the medium is a limit: copies and merged segments come before anything is removed. */
function choose(run: PruneRun, first: PruneView, usage: ChunkUsage): PrunePlan {
  const { cache, config, backend } = run.repository;
  const { maxUnused, maxRepackBytes = Number.POSITIVE_INFINITY } = run.options;
  const free = backend.room?.free() ?? Number.POSITIVE_INFINITY;
  const packs = plannedPacks(run, first, usage, cache.allPacks());
  const packBytes = config.packBytes;
  const plan = planPrune(packs, { maxUnused, maxRepackBytes, roomBytes: free / 2, packBytes });
  const forSegments = free / 2 + (backend.room?.reservedBytes ?? 0) / 2;
  const condemned = new Set([...plan.unused, ...plan.rewritten]);
  const stay = withoutRoom(condemned, sizedSegments(cache, first), forSegments);
  return leaveOut(
    plan,
    packs.filter(({ number }) => stay.has(number)),
  );
}

export function plannedPacks(
  { repository }: PruneRun,
  { view }: PruneView,
  usage: ChunkUsage,
  packs: readonly CachedPack[],
): PlannedPack[] {
  const bad = badPacks(repository.cache);
  return packs.map((pack) => {
    const use = usage.use(pack);
    const { number, kind, size } = pack;
    return {
      number,
      kind,
      size,
      waste: wasteOf(pack, use),
      isUsed: use !== undefined,
      isMarked: view.condemned.has(pack.name),
      isBad: bad.has(pack.name),
    };
  });
}

/** Those that the chunk index knows. */
export function packsOf(cache: RepositoryCache, names: Iterable<ObjectDigest>): CachedPack[] {
  return [...names].map((name) => cache.packNamed(name)).filter((pack) => pack !== undefined);
}

function sizedSegments(cache: RepositoryCache, { view }: PruneView): SizedSegment[] {
  const packs = new Map<number, number[]>();
  for (const pack of cache.allPacks()) {
    for (const segment of pack.segments) {
      const named = packs.get(segment);
      if (named === undefined) packs.set(segment, [pack.number]);
      else named.push(pack.number);
    }
  }
  return [...cache.segments()].map(([name, { number }]) => ({
    name,
    size: view.segments.get(name) ?? 0,
    packs: packs.get(number) ?? [],
  }));
}
