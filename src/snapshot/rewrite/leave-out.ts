import { createHash } from 'node:crypto';
import { type FilterRule, joinRaw, type RawPath } from '../../fs/index.js';
import type { ReadTreeChunk, StoreTreeChunk } from '../content-list.js';
import type { ChunkReference, Entry } from '../entry.js';
import { inFolder, joinShown } from '../find-path.js';
import { NOT_INCLUDED } from '../take/source-filter.js';
import { decodeEntry, type EncodedEntry, encodeEntry, storeTree, treePages } from '../tree.js';
import { addCounts, countAll, countsOf, type EntryCounts, NOTHING } from './entry-counts.js';
import { isLeftOut, type Place, type PlaceRules } from './source-places.js';

export interface LeaveOutParts {
  readonly rules: PlaceRules;
  /** The sources of the snapshot, in order. */
  readonly paths: readonly string[];
  readonly read: ReadTreeChunk;
  readonly put: StoreTreeChunk;
  /** For folders above the sources, which are read again when sources move. */
  readonly putAbove: StoreTreeChunk;
  /**
   * Called for each entry that is left out, with what it and all below it hold; nothing below it is told by itself. The path is
   * to be shown; `sources` is that of a source, or of a folder above some, with which they go.
   */
  readonly leftOut: (
    path: string,
    counts: EntryCounts,
    rule: FilterRule,
    sources: RawPath | undefined,
  ) => void;
  /** What was found to stay as it is, of this and of other snapshots with the same rules. */
  readonly unchanged: Map<string, EntryCounts>;
}

/** What a folder becomes. */
export interface Remainder {
  /** Undefined when nothing is left of a folder that is only the way to something: to sources, or to what was chosen. */
  readonly tree: ChunkReference | undefined;
  /** What is left in it, of the sources. */
  readonly counts: EntryCounts;
}

/**
 * The tree without what the rules leave out. Folders in which nothing changes keep their trees and are not stored; of the
 * others only the entries on the way to a change are encoded anew. Rejects as `read` does, and with DamagedError naming the
 * folder when a tree is damaged.
 */
export async function leaveOut(
  tree: ChunkReference,
  path: RawPath,
  place: Place,
  its: LeaveOutParts,
): Promise<Remainder> {
  const key = keyOf(tree, path, place, its.paths);
  const known = its.unchanged.get(key);
  if (known !== undefined) return { tree, counts: known };
  const kept: EncodedEntry[] = [];
  let counts = NOTHING;
  let isChanged = false;
  const pages = treePages(tree, its.read);
  for (;;) {
    const page = await inFolder(path, () => pages.next());
    if (page.done === true) break;
    for (const encoded of page.value) {
      const entry = await inFolder(path, () => decodeEntry(encoded));
      const result = await leaveOutOf(entry, encoded, path, place, its);
      if (result.encoded !== undefined) kept.push(result.encoded);
      if (result.encoded !== encoded) isChanged = true;
      counts = addCounts(counts, result.counts);
    }
  }
  const isAbove = place.source === undefined;
  if (kept.length === 0 && (!place.isChosen || (isAbove && isChanged))) return { tree: undefined, counts };
  if (!isChanged) {
    its.unchanged.set(key, counts);
    return { tree, counts };
  }
  return { tree: storeTree(kept, isAbove ? its.putAbove : its.put), counts };
}

/**
 * What decides is where a tree lies, and above the sources which these are: the same tree may hold one that another snapshot
 * does not have. Paths may be long, and keys are kept.
 */
function keyOf(
  { id }: ChunkReference,
  path: RawPath,
  { source, isChosen }: Place,
  paths: readonly string[],
): string {
  const text = `${id}${isChosen}\0${path}\0${source ?? `\0${paths.join('\0')}`}`;
  return createHash('sha256').update(text, 'latin1').digest('base64');
}

/** The entry as it is to be, undefined when it goes. */
async function leaveOutOf(
  entry: Entry,
  encoded: EncodedEntry,
  folder: RawPath,
  above: Place,
  its: LeaveOutParts,
): Promise<{ readonly encoded: EncodedEntry | undefined; readonly counts: EntryCounts }> {
  const path = joinRaw(folder, entry.name);
  const place = its.rules.of(above, path, entry);
  const leftOut = (counts: EntryCounts, rule: FilterRule) => {
    const sources = above.source === undefined ? path : undefined;
    its.leftOut(joinShown(folder, entry.name), counts, rule, sources);
    return { encoded: undefined, counts: NOTHING };
  };
  if (isLeftOut(place)) return leftOut(await countAll(entry, its.read), place.rule);
  const own = place.source === undefined ? NOTHING : countsOf(entry);
  if (entry.tree === undefined) return { encoded, counts: own };
  const below = await leaveOut(entry.tree, path, place, its);
  if (below.tree === undefined) {
    const isTold = place.source === undefined;
    return isTold ? { encoded: undefined, counts: NOTHING } : leftOut(own, NOT_INCLUDED);
  }
  const counts = addCounts(own, below.counts);
  if (below.tree.id === entry.tree.id) return { encoded, counts };
  return { encoded: encodeEntry({ ...entry, tree: below.tree }), counts };
}
