import type { ChunkId } from '../../core/index.js';
import {
  loadRepository,
  type Repository,
  type RepositoryView,
  readable,
  syncIndex,
} from '../../repo/index.js';
import type { CheckedIndex } from './checked-index.js';
import { Pace } from './pace.js';
import type { ReadIndex } from './read-index.js';

/**
 * Compares the chunk index in LMDB with what the index segments say, and builds it anew where they differ: an entry too
 * many makes the next snapshot skip what must be stored, one too few hides content from a restore. Only a check that found
 * the index whole may judge. `view`: what it read. Returns what was done, if something was.
 */
export async function compareCache(
  repository: Repository,
  view: RepositoryView,
  { index, counting, listed }: ReadIndex,
  signal: AbortSignal,
): Promise<string | undefined> {
  const { cache } = repository;
  // An empty cache claims nothing; it is filled when somebody needs it.
  if (cache.fresh) return undefined;
  // Of the same moment: what was written since is for the next run.
  await syncIndex(repository, view, readable(view, repository.waitingMs !== undefined), { packs: listed });
  const known = cache.segments();
  // Something has gone since: the two tell of different moments.
  if (known.size !== counting.size || [...counting].some((name) => !known.has(name))) return undefined;
  if (await agrees(repository, index, new Pace(signal))) return undefined;
  await cache.removeSegments([...cache.segments().keys()]);
  cache.clearDirectoryStates();
  await loadRepository(repository);
  return 'the cache of this machine did not agree with the index segments: it was built anew, and the next snapshot reads all files again';
}

async function agrees({ cache }: Repository, index: CheckedIndex, pace: Pace): Promise<boolean> {
  const { table, packs } = index;
  const numbers = packs.map(({ name }) => cache.packNamed(name)?.number);
  const isThere = (row: number): boolean => {
    const { counts, present } = packs[table.pack(row)]!;
    return counts && present;
  };
  let distinct = 0;
  for (let row = 0; row < table.size; row++) {
    if (pace.isDue) await pace.rest();
    if (!isThere(row)) continue;
    const id = table.id(row);
    if (table.find(id, isThere) === row) distinct++;
    if (!hasPlace(cache, id, numbers[table.pack(row)], table.block(row), table.ordinal(row))) return false;
  }
  // All that is there is known; so as many as there are means that nothing else is.
  return distinct === cache.counts().chunks;
}

function hasPlace(
  cache: Repository['cache'],
  id: ChunkId,
  pack: number | undefined,
  block: number,
  ordinal: number,
): boolean {
  const isIt = (place: {
    readonly pack: number;
    readonly block: number;
    readonly ordinal: number;
  }): boolean => place.pack === pack && place.block === block && place.ordinal === ordinal;
  const place = cache.lookup(id);
  if (place === undefined) return false;
  return isIt(place) || cache.places(id).some(isIt);
}
