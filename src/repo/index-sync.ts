import type { ObjectReader } from '../backends/index.js';
import {
  BackendError,
  CbrError,
  type ChunkId,
  type ObjectDigest,
  ObjectNotFoundError,
  readAhead,
  type SessionId,
} from '../core/index.js';
import { badPacks, judgePacks } from './bad-packs.js';
import type { RepositoryCache } from './cache/index.js';
import { droppedPacks, setDroppedPacks } from './dropped-packs.js';
import { indexGeneration, raiseIndexGeneration } from './index-generation.js';
import type { Author, IndexSegment } from './index-segment.js';
import type { KnownChunks } from './pack-store.js';
import type { RecordContext } from './record-store.js';
import { decodeSegment } from './segment-codec.js';
import { neverCounts, type RepositoryView, segmentCounts, segmentMayCount } from './view.js';

/** Brings the chunk index in LMDB in line with the counting index segments of a view. */

export interface SyncReport {
  /** Segments that could not be opened: their chunks are stored again, and check names them. */
  readonly damaged: readonly CbrError[];
  /** Packs that counting segments name and that are not there. */
  readonly missingPacks: readonly ObjectDigest[];
  /** Whether all that the index names may be relied on: no segment is damaged and no pack unreliable. */
  readonly isSound: boolean;
  /** How often something had gone by then: see index-generation.ts. */
  readonly generation: number;
  /** Packs that are there for readers and that a writer must not rely on. */
  readonly unreliable: ReadonlySet<ObjectDigest>;
  /** How many segments were listed and gone when they were to be read. */
  readonly gone: number;
  /** Segments that are there and were left out, because they do not count. */
  readonly uncounted: ReadonlyMap<ObjectDigest, Author>;
  /** Whether the packs were listed: if not, some that the index names may be gone. */
  readonly arePacksListed: boolean;
}

/** Which segments the chunk index takes in. */
export type Counting = (name: ObjectDigest, author: Author) => boolean;

/**
 * What readers use, who verify every chunk. `isWaiting`, on a store that silently overwrites: also what never counts, for it may
 * have counted for somebody (docs/protocol.md, V3).
 */
export function readable(view: RepositoryView, isWaiting: boolean): Counting {
  return (name, author) =>
    segmentMayCount(name, author, view) || (isWaiting && neverCounts(name, author, view));
}

export interface SyncContext {
  readonly backend: ObjectReader;
  readonly records: RecordContext;
  readonly cache: RepositoryCache;
}

/** A segment takes up to 30 MB of memory while it waits. */
const SEGMENTS_AHEAD = 3;

/** What turns up while segments are read. */
interface FoundSegments {
  readonly damaged: CbrError[];
  readonly uncounted: Map<ObjectDigest, Author>;
  gone: number;
}

/** Those of the named segments that count, a few at a time: all of them together may not fit in memory. */
async function* counting(
  its: SyncContext,
  names: readonly ObjectDigest[],
  counts: Counting,
  found: FoundSegments,
): AsyncGenerator<readonly [ObjectDigest, IndexSegment]> {
  const reading = readAhead(names, SEGMENTS_AHEAD, async (name) => {
    const damaged: CbrError[] = [];
    return { name, segment: await readSegment(its, name, damaged), damaged };
  });
  for await (const { name, segment, damaged } of reading) {
    found.damaged.push(...damaged);
    if (segment === undefined) found.gone += damaged.length === 0 ? 1 : 0;
    else if (counts(name, segment.author)) yield [name, segment];
    else found.uncounted.set(name, segment.author);
  }
}

/** Undefined when it is gone (a prune dropped it after writing a merged one) or damaged. */
export async function readSegment(
  its: Pick<SyncContext, 'backend' | 'records'>,
  name: ObjectDigest,
  damaged: CbrError[],
): Promise<IndexSegment | undefined> {
  try {
    return decodeSegment(await its.backend.read('index', name), name, its.records.keys, its.records.zstd);
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return undefined;
    if (!(error instanceof CbrError) || error instanceof BackendError || error.code === 'newer-format')
      throw error;
    damaged.push(error);
    return undefined;
  }
}

export interface SyncOptions {
  /**
   * An entry that claims too much would only make a read fail, which has the packs listed then: so they are listed for a reader
   * only where something has changed that may have to do with them.
   */
  readonly isReader?: boolean;
  /**
   * The packs as they were listed a moment ago, with their stored lengths: they are not listed again unless a segment names one
   * that came later.
   */
  readonly packs?: ReadonlyMap<string, number>;
}

/**
 * Merges counting segments, drops what no longer counts or is gone, and drops entries of packs that are not listed: an entry
 * that claims too much would make the next snapshot skip an upload. Rejects when the backend fails.
 */
export async function syncIndex(
  its: SyncContext,
  view: RepositoryView,
  counts: Counting = readable(view, false),
  { isReader = false, packs }: SyncOptions = {},
): Promise<SyncReport> {
  const found: FoundSegments = { damaged: [], uncounted: new Map(), gone: 0 };
  const dropped = droppedPacks(its.cache);
  const stale = staleSegments(its, view, counts, found.uncounted);
  if (isReader && stale.length === 0 && dropped.length === 0) {
    await addFresh(its, view, counts, found);
    return reportOf(its, view, found, undefined);
  }
  let listed: ReadonlyMap<string, number> = packs ?? (await listPacks(its.backend));
  const isBack = dropped.some((name) => listed.has(name));
  if (isBack || stale.length > 0) raiseIndexGeneration(its.cache);
  if (isBack || (stale.length > 0 && mostRowsAreGone(its.cache, listed))) {
    await its.cache.replaceSegments(counting(its, [...view.segments.keys()], counts, found));
  } else {
    await addFresh(its, view, counts, found);
    // Only now: what a prune merged takes over the packs of what it dropped.
    if (stale.length > 0) await its.cache.removeSegments(stale);
  }
  if (packs !== undefined && its.cache.packNames().some((name) => !packs.has(name)))
    listed = await listPacks(its.backend);
  const missingPacks = its.cache.packNames().filter((name) => !listed.has(name));
  // Before they are dropped: killed in between, they are still known to be missed.
  setDroppedPacks(its.cache, [...new Set([...(isBack ? [] : dropped), ...missingPacks])]);
  if (missingPacks.length > 0) {
    raiseIndexGeneration(its.cache);
    await its.cache.dropPacks(missingPacks);
  }
  judgeBySize(its.cache, listed);
  return reportOf(its, view, found, missingPacks);
}

/** Of the segments in the cache, those that are gone or no longer count; the latter are put into `uncounted`. */
function staleSegments(
  { cache }: SyncContext,
  view: RepositoryView,
  counts: Counting,
  uncounted: Map<ObjectDigest, Author>,
): ObjectDigest[] {
  const stale: ObjectDigest[] = [];
  for (const [name, { author }] of cache.segments()) {
    const isListed = view.segments.has(name);
    if (isListed && !counts(name, author)) uncounted.set(name, author);
    if (!isListed || uncounted.has(name)) stale.push(name);
  }
  return stale;
}

async function addFresh(
  its: SyncContext,
  view: RepositoryView,
  counts: Counting,
  found: FoundSegments,
): Promise<void> {
  const known = its.cache.segments();
  const fresh = [...view.segments.keys()].filter((name) => !known.has(name));
  if (fresh.length > 0) await its.cache.addSegments(counting(its, fresh, counts, found));
}

/** `missingPacks`: undefined where the packs were not listed. */
function reportOf(
  { cache }: SyncContext,
  view: RepositoryView,
  { damaged, uncounted, gone }: FoundSegments,
  missingPacks: readonly ObjectDigest[] | undefined,
): SyncReport {
  const unreliable = unreliablePacks(cache, view);
  return {
    damaged,
    missingPacks: missingPacks ?? [],
    isSound: damaged.length === 0 && unreliable.size === 0,
    generation: indexGeneration(cache),
    unreliable,
    uncounted,
    gone,
    arePacksListed: missingPacks !== undefined,
  };
}

/** The packs that are there, with their stored lengths. */
export async function listPacks(backend: ObjectReader): Promise<Map<ObjectDigest, number>> {
  const listed = new Map<ObjectDigest, number>();
  for await (const { name, size } of backend.list('packs')) listed.set(name as ObjectDigest, size);
  return listed;
}

/** Half of the index, or more: then it is quicker to read all segments again than to remove rows one by one. */
function mostRowsAreGone(cache: RepositoryCache, listed: ReadonlyMap<string, number>): boolean {
  let [all, gone] = [0, 0];
  for (const { name, tally } of cache.allPacks()) {
    all += tally.rows;
    if (!listed.has(name)) gone += tally.rows;
  }
  return 2 * gone >= all;
}

/**
 * A pack of another length than its segments say is damaged: what it holds is stored again. Ones that are known as damaged,
 * and that are gone for good, need not be remembered.
 */
function judgeBySize(cache: RepositoryCache, listed: ReadonlyMap<string, number>): void {
  const packs = [...cache.packSizes()];
  const misshapen = packs.filter(({ name, size }) => (listed.get(name) ?? size) !== size);
  judgePacks(
    cache,
    misshapen.map(({ name }) => name),
    false,
  );
  const bad = [...badPacks(cache)];
  if (bad.length === 0) return;
  const remembered = new Set<string>([
    ...packs.map(({ name }) => name),
    ...listed.keys(),
    ...droppedPacks(cache),
  ]);
  judgePacks(
    cache,
    bad.filter((name) => !remembered.has(name)),
    true,
  );
}

/** What marks condemn (rule 10), what a check found damaged, and what only segments name that may not count. */
function unreliablePacks(cache: RepositoryCache, view: RepositoryView): Set<ObjectDigest> {
  // What an unreadable mark condemns is unknown: it may be any pack.
  if (view.unreadableMarks.length > 0) return new Set(cache.packNames());
  const unreliable = new Set([...view.condemned, ...badPacks(cache)]);
  const doubtful = new Set<number>();
  for (const [name, { author, number }] of cache.segments()) {
    if (!segmentCounts(name, author, view)) doubtful.add(number);
  }
  if (doubtful.size === 0) return unreliable;
  for (const name of cache.packNames()) {
    if (cache.packNamed(name)?.segments.every((segment) => doubtful.has(segment)) === true)
      unreliable.add(name);
  }
  return unreliable;
}

/** The chunk index as a writer may rely on it. */
export function knownChunks(cache: RepositoryCache, unreliable: ReadonlySet<ObjectDigest>): KnownChunks {
  const addSegment: KnownChunks['addSegment'] = (name, segment) => cache.addSegment(name, segment);
  if (unreliable.size === 0) return { has: (id) => cache.has(id), addSegment };
  return {
    has: (id: ChunkId) =>
      cache.places(id).some(({ pack }) => {
        const found = cache.pack(pack);
        return found !== undefined && !unreliable.has(found.name);
      }),
    addSegment,
  };
}

/** The segments a session wrote, for the fence that ends it: those already merged and those that do not count yet. */
export async function segmentsOfSession(its: SyncContext, session: SessionId): Promise<ObjectDigest[]> {
  const known = its.cache.segments();
  const found: ObjectDigest[] = [];
  for await (const { name } of its.backend.list('index')) {
    const author =
      known.get(name as ObjectDigest)?.author ?? (await readSegment(its, name as ObjectDigest, []))?.author;
    if (author?.kind === 'session' && author.session === session) found.push(name as ObjectDigest);
  }
  return found;
}
