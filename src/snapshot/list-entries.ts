import { chunkReader, loadForReading, type Repository } from '../repo/index.js';
import type { ReadTreeChunk } from './content-list.js';
import type { ChunkReference, Entry } from './entry.js';
import { findNamedPath } from './find-named-path.js';
import { inFolder, joinShown } from './find-path.js';
import type { Snapshot } from './snapshot-record.js';
import { decodeEntry, type EncodedEntry, treePages } from './tree.js';

/** What is in a snapshot, by path. */

export interface ListedEntry {
  /** Raw, absolute within the snapshot. For people and programs to read: `joinShown` says what a forged name becomes. */
  readonly path: string;
  readonly entry: Entry;
}

/**
 * The entries of a folder of the snapshot in directory order (raw name bytes), each folder before what is in it when
 * `recursive`; of a path that is no folder, that entry alone. Without a path: the root. Rejects with `not-found` naming
 * the deepest folder there is, and with DamagedError when a tree cannot be read.
 */
export async function* listEntries(
  repository: Repository,
  snapshot: Snapshot,
  path: string | undefined,
  recursive: boolean,
): AsyncGenerator<ListedEntry> {
  const reader = chunkReader(repository, await loadForReading(repository));
  const read: ReadTreeChunk = (reference) => reader.read('tree', reference.id, reference.length);
  const found = await findNamedPath(repository, snapshot, path, read);
  if (found.tree === undefined) yield { path: found.path, entry: found.entry };
  else yield* walkTree(found.tree, found.path, read, recursive);
}

interface OpenFolder {
  readonly path: string;
  readonly pages: AsyncGenerator<readonly EncodedEntry[]>;
  page: readonly EncodedEntry[];
  next: number;
}

function openFolder(tree: ChunkReference, path: string, read: ReadTreeChunk): OpenFolder {
  return { path, pages: treePages(tree, read), page: [], next: 0 };
}

/** A stack of its own: a tree may be nested deeper than calls may be. */
async function* walkTree(
  tree: ChunkReference,
  path: string,
  read: ReadTreeChunk,
  recursive: boolean,
): AsyncGenerator<ListedEntry> {
  const open = [openFolder(tree, path, read)];
  for (let folder = open.at(-1); folder !== undefined; folder = open.at(-1)) {
    if (folder.next === folder.page.length) {
      const { path, pages } = folder;
      const next = await inFolder(path, () => pages.next());
      if (next.done === true) open.pop();
      else {
        folder.page = next.value;
        folder.next = 0;
      }
      continue;
    }
    const encoded = folder.page[folder.next++]!;
    const entry = await inFolder(folder.path, () => decodeEntry(encoded));
    const entryPath = joinShown(folder.path, entry.name);
    yield { path: entryPath, entry };
    if (recursive && entry.tree !== undefined) open.push(openFolder(entry.tree, entryPath, read));
  }
}
