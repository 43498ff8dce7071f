import { createHash } from 'node:crypto';
import { fromLatin1, sameBytes } from '../../core/index.js';
import { joinRaw, type RawPath } from '../../fs/index.js';
import type { Blake3 } from '../../repo/index.js';
import type { ReadTreeChunk, StoreTreeChunk } from '../content-list.js';
import type { ChunkReference, Entry } from '../entry.js';
import { inFolder, joinShown } from '../find-path.js';
import { decodeEntry, type EncodedEntry, encodeEntry, storeTree, treePages } from '../tree.js';
import { addCounts, countsOf, type EntryCounts, NOTHING } from './entry-counts.js';
import { type Place, topPlace } from './source-places.js';

/** Who wins where several trees have a path: the first of the trees, or what was modified last, the first of equals. */
export type Preference = 'first' | 'modified';

/** A path that several trees have, as different things. */
export interface Difference {
  /** To be shown. */
  readonly path: string;
  /** Some have a folder there, others do not: what loses is not in the union, with all below it. */
  readonly isConflict: boolean;
  /** The number of the tree whose entry is taken. */
  readonly taken: number;
}

export interface UniteParts {
  readonly prefer: Preference;
  readonly read: ReadTreeChunk;
  readonly put: StoreTreeChunk;
  /** The source paths of the union. */
  readonly paths: ReadonlySet<string>;
  readonly different: (difference: Difference) => void;
  readonly links: LinkGroups;
}

export interface Union {
  readonly tree: ChunkReference;
  /** What is in it, of the sources. */
  readonly counts: EntryCounts;
}

/**
 * The union of root trees: folders are united, of all else one is taken. What only one tree has is not stored again. Rejects as
 * `read` does, and with DamagedError naming the folder when a tree is damaged.
 */
export function uniteTrees(trees: readonly ChunkReference[], its: UniteParts): Promise<Union> {
  const sides = trees.map((tree, number) => ({ tree, number }));
  return uniteFolders(sides, '/' as RawPath, topPlace(its.paths), its);
}

/** What one of the trees has. */
interface Side {
  readonly tree: ChunkReference;
  readonly number: number;
}

interface Candidate {
  readonly entry: Entry;
  readonly encoded: EncodedEntry;
  readonly number: number;
}

async function uniteFolders(
  sides: readonly Side[],
  path: RawPath,
  { source }: Place,
  its: UniteParts,
): Promise<Union> {
  const distinct = sides.filter(({ tree }, i) => sides.findIndex((each) => each.tree.id === tree.id) === i);
  const named = new Map<string, Candidate[]>();
  for (const side of distinct) await addCandidates(side, path, named, its.read);
  const entries: EncodedEntry[] = [];
  let counts = NOTHING;
  let isSame = distinct.length === 1;
  for (const name of [...named.keys()].sort()) {
    const candidates = named.get(name)!;
    const entryPath = joinRaw(path, name);
    const place = { source: source ?? (its.paths.has(entryPath) ? entryPath : undefined), isChosen: true };
    const taken = takenOf(candidates, path, its);
    if (place.source !== undefined) counts = addCounts(counts, countsOf(taken.entry));
    const { encoded, below } = await unitedEntry(taken, candidates, entryPath, place, its);
    counts = addCounts(counts, below);
    if (encoded !== taken.encoded) isSame = false;
    entries.push(encoded);
  }
  return { tree: isSame ? distinct[0]!.tree : storeTree(entries, its.put), counts };
}

async function addCandidates(
  { tree, number }: Side,
  path: RawPath,
  named: Map<string, Candidate[]>,
  read: ReadTreeChunk,
): Promise<void> {
  const pages = treePages(tree, read);
  for (;;) {
    const page = await inFolder(path, () => pages.next());
    if (page.done === true) return;
    for (const encoded of page.value) {
      const entry = await inFolder(path, () => decodeEntry(encoded));
      const candidate = { entry, encoded, number };
      const others = named.get(entry.name);
      if (others === undefined) named.set(entry.name, [candidate]);
      else others.push(candidate);
    }
  }
}

/** The one that wins; tells of others that are not the same. */
function takenOf(candidates: readonly Candidate[], folder: RawPath, its: UniteParts): Candidate {
  const [first, ...others] = candidates as [Candidate, ...Candidate[]];
  const taken = its.prefer === 'first' ? first : others.reduce(laterOf, first);
  const isFolder = taken.entry.tree !== undefined;
  const losing = candidates.filter(
    ({ entry, encoded }) =>
      !(isFolder && entry.tree !== undefined) && !sameBytes(encoded.bytes, taken.encoded.bytes),
  );
  if (losing.length > 0) {
    const isConflict = losing.some(({ entry }) => (entry.tree !== undefined) !== isFolder);
    its.different({ path: joinShown(folder, taken.entry.name), isConflict, taken: taken.number });
  }
  return taken;
}

function laterOf(a: Candidate, b: Candidate): Candidate {
  const [x, y] = [a.entry.mtime, b.entry.mtime];
  const isLater = y.seconds > x.seconds || (y.seconds === x.seconds && y.nanoseconds > x.nanoseconds);
  return isLater ? b : a;
}

async function unitedEntry(
  { entry, encoded }: Candidate,
  candidates: readonly Candidate[],
  path: RawPath,
  place: Place,
  its: UniteParts,
): Promise<{ readonly encoded: EncodedEntry; readonly below: EntryCounts }> {
  if (entry.tree === undefined) {
    const linked = its.links.entryOf(entry);
    return { encoded: linked === entry ? encoded : encodeEntry(linked), below: NOTHING };
  }
  const sides = candidates.flatMap(({ entry: { tree }, number }) =>
    tree === undefined ? [] : [{ tree, number }],
  );
  const { tree, counts } = await uniteFolders(sides, path, place, its);
  return { encoded: tree.id === entry.tree.id ? encoded : encodeEntry({ ...entry, tree }), below: counts };
}

/**
 * Hard-link groups of several snapshots: an inode number may have been given to another file since, or by another machine, and
 * files that have nothing in common must not become one. Met twice: the first walk finds the groups that stand for several
 * files, and in the second each of those files gets a group of its own.
 */
export class LinkGroups {
  private readonly seen = new Map<string, string>();
  private readonly split = new Set<string>();

  constructor(
    private readonly groups: Blake3,
    private readonly before?: LinkGroups,
  ) {}

  /** For the second walk, and more of them. */
  settled(): LinkGroups {
    return new LinkGroups(this.groups, this);
  }

  /** Whether a second walk is needed. */
  get isSplit(): boolean {
    return this.split.size > 0;
  }

  entryOf(entry: Entry): Entry {
    const { linkGroup } = entry;
    if (linkGroup === undefined) return entry;
    const file = fileOf(entry);
    const seen = this.seen.get(linkGroup);
    if (seen === undefined) this.seen.set(linkGroup, file);
    else if (seen !== file) this.split.add(linkGroup);
    if (this.before?.split.has(linkGroup) !== true) return entry;
    const group = this.groups.digest(fromLatin1(linkGroup + file)).toString('latin1', 0, 8);
    return { ...entry, linkGroup: group };
  }
}

/** The same for all names of a file. */
function fileOf(entry: Entry): string {
  const { bytes } = encodeEntry({ ...entry, name: '', linkGroup: undefined });
  return createHash('sha256').update(bytes).digest().toString('latin1', 0, 16);
}
