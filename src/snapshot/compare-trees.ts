import type { ReadTreeChunk } from './content-list.js';
import type { ChunkReference, Entry } from './entry.js';
import { inFolder, joinShown } from './find-path.js';
import { FolderMerge, type NamePair } from './folder-merge.js';
import { PageSupply } from './page-supply.js';
import { decodeEntry } from './tree.js';

/** What one path is in two trees: at least one of them has it, and what they have differs. */
export interface EntryPair {
  /** Raw, relative to the roots, without a '/' in front; a '/' in a forged name is shown as `joinShown` does. */
  readonly path: string;
  readonly before?: Entry | undefined;
  readonly after?: Entry | undefined;
}

/** Entries of a folder whose trees are read before they are needed. */
const TREES_AHEAD = 32;
/** Pairs that are handed out together. */
const BATCH = 512;

/** A folder that is being compared. */
interface OpenFolder {
  /** Absolute, as it is shown. */
  readonly path: string;
  readonly merge: FolderMerge;
  /** What is known to differ in it, and of that the next to be given out. */
  pairs: readonly EntryPair[];
  next: number;
}

/**
 * All entries that differ in anything between two root trees, depth first, the names of a folder by their bytes and each folder
 * before what is in it. A folder differs when anything below it does, for its entry names its tree. What only one side has
 * is given with everything below it; without a root, that is the whole other tree. Trees and pages of the same id are
 * skipped unread, others are read ahead. Rejects as `read` does and with DamagedError naming the folder when a tree is damaged.
 */
export async function* compareTrees(
  before: ChunkReference | undefined,
  after: ChunkReference | undefined,
  read: ReadTreeChunk,
): AsyncGenerator<readonly EntryPair[]> {
  if (before?.id === after?.id) return;
  const supply = new PageSupply(read);
  const open = [openFolder('/', before, after, supply)];
  let batch: EntryPair[] = [];
  // A stack of its own: a tree may be nested deeper than calls may be.
  for (let folder = open.at(-1); folder !== undefined; folder = open.at(-1)) {
    const pair = folder.pairs[folder.next++];
    if (pair === undefined) {
      if (!(await readMore(folder))) open.pop();
      expectTrees(folder.pairs, 0, TREES_AHEAD, supply);
      continue;
    }
    batch.push(pair);
    if (batch.length === BATCH) {
      yield batch;
      batch = [];
    }
    expectTrees(folder.pairs, folder.next + TREES_AHEAD - 1, 1, supply);
    const [from, to] = [pair.before?.tree, pair.after?.tree];
    if (from?.id !== to?.id) open.push(openFolder(`/${pair.path}`, from, to, supply));
  }
  if (batch.length > 0) yield batch;
}

function openFolder(
  path: string,
  before: ChunkReference | undefined,
  after: ChunkReference | undefined,
  supply: PageSupply,
): OpenFolder {
  return { path, merge: new FolderMerge(before, after, supply), pairs: [], next: 0 };
}

/** Says whether there was more. */
async function readMore(folder: OpenFolder): Promise<boolean> {
  const { path, merge } = folder;
  const pairs = await inFolder(path, async () => (await merge.next())?.map((pair) => decodePair(path, pair)));
  folder.pairs = pairs ?? [];
  folder.next = 0;
  return pairs !== undefined;
}

function decodePair(folder: string, { name, before, after }: NamePair): EntryPair {
  return {
    path: joinShown(folder, name).slice(1),
    before: before && decodeEntry(before),
    after: after && decodeEntry(after),
  };
}

/** Begins to read the first pages of folders that are compared soon. */
function expectTrees(pairs: readonly EntryPair[], start: number, count: number, supply: PageSupply): void {
  for (const { before, after } of pairs.slice(start, start + count)) {
    if (before?.tree?.id === after?.tree?.id) continue;
    if (before?.tree !== undefined) supply.expect(before.tree);
    if (after?.tree !== undefined) supply.expect(after.tree);
  }
}
