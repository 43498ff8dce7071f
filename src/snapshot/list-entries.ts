import { CbrError, DamagedError, FormatError } from '../core/index.js';
import { displayPath, type RawPath, rawPath } from '../fs/index.js';
import { chunkReader, loadRepository, type Repository } from '../repo/index.js';
import type { ReadTreeChunk } from './content-list.js';
import type { ChunkReference, Entry } from './entry.js';
import type { Snapshot } from './snapshot-record.js';
import { decodeEntry, type EncodedEntry, findEntry, treePages } from './tree.js';

/** What is in a snapshot, by path. */

export interface ListedEntry {
  /** Raw, absolute within the snapshot. For people and programs to read: `joinShown` says what a forged name becomes. */
  readonly path: string;
  readonly entry: Entry;
}

/**
 * The path of an entry of a folder, to be shown. Names come from trees, which may be forged: a '/' in a name becomes
 * `\x2f`, so that the entry does not seem to lie in another folder. Everything else stays what it is.
 */
export function joinShown(folder: string, name: string): string {
  const single = name.includes('/') ? name.replaceAll('/', '\\x2f') : name;
  return folder === '/' ? `/${single}` : `${folder}/${single}`;
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
  const reader = chunkReader(repository, await loadRepository(repository));
  const read: ReadTreeChunk = (reference) => reader.read('tree', reference.id, reference.length);
  const found = await findPath(snapshot, path, read);
  if (found.tree === undefined) yield { path: found.path, entry: found.entry };
  else yield* walkTree(found.tree, found.path, read, recursive);
}

type Found =
  | { readonly path: string; readonly tree: ChunkReference }
  | { readonly path: string; readonly tree?: undefined; readonly entry: Entry };

/** What `path` names in a snapshot; a path without '/' in front begins at the root. */
async function findPath(snapshot: Snapshot, path: string | undefined, read: ReadTreeChunk): Promise<Found> {
  const wanted = path === undefined ? ('/' as RawPath) : rawPath(path.startsWith('/') ? path : `/${path}`);
  const names = wanted.split('/').filter((name) => name !== '');
  let tree = snapshot.root;
  for (const [depth, name] of names.entries()) {
    const folder = `/${names.slice(0, depth).join('/')}`;
    const entry = await inFolder(folder, () => findEntry(tree, name, read));
    const isLast = depth === names.length - 1;
    if (entry?.tree !== undefined) tree = entry.tree;
    else if (entry !== undefined && isLast) return { path: wanted, entry };
    else throw notFound(snapshot, wanted, folder, entry);
  }
  return { path: wanted, tree };
}

function notFound(snapshot: Snapshot, wanted: string, folder: string, entry: Entry | undefined): CbrError {
  const id = snapshot.id.slice(0, 8);
  const why =
    entry === undefined
      ? `the deepest folder that exists is ${displayPath(folder)}`
      : `${displayPath(joinShown(folder, entry.name))} is a ${entry.type}`;
  return new CbrError('not-found', `snapshot ${id} has no ${displayPath(wanted)}: ${why}`, {
    hint: `See: cbr ls ${id}:${displayPath(folder)}`,
  });
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

/** Says which folder it was that could not be read. */
async function inFolder<T>(folder: string, read: () => T | Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const isDamage = error instanceof DamagedError || error instanceof FormatError;
    if (!isDamage) throw error;
    const object = error instanceof DamagedError ? error.object : 'tree';
    const reason = error.message.startsWith(`${object}: `)
      ? error.message.slice(object.length + 2)
      : error.message;
    throw new DamagedError(object, `${reason}; it holds the folder ${displayPath(folder)}`, {
      cause: error,
      hint: 'Run: cbr check',
    });
  }
}
