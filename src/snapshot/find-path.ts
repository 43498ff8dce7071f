import { CbrError, DamagedError, FormatError } from '../core/index.js';
import { displayPath, type RawPath, storedRaw } from '../fs/index.js';
import type { ReadTreeChunk } from './content-list.js';
import type { ChunkReference, Entry } from './entry.js';
import type { Snapshot } from './snapshot-record.js';
import { findEntry } from './tree.js';

/**
 * The path of an entry of a folder, to be shown. Names come from trees, which may be forged: a '/' in a name becomes
 * `\x2f`, so that the entry does not seem to lie in another folder. Everything else stays what it is.
 */
export function joinShown(folder: string, name: string): string {
  const single = name.includes('/') ? name.replaceAll('/', '\\x2f') : name;
  return folder === '/' ? `/${single}` : `${folder}/${single}`;
}

/** The raw path that a user means within a snapshot: one without '/' in front begins at the root, as one left out does. */
export function pathInSnapshot(path: string | undefined): RawPath {
  return path === undefined ? ('/' as RawPath) : storedRaw(path);
}

/** What a path names. */
export type FoundPath =
  /** A folder; without an entry of its own only the root of a snapshot. */
  | { readonly path: string; readonly tree: ChunkReference; readonly entry: Entry | undefined }
  | { readonly path: string; readonly tree?: undefined; readonly entry: Entry };

/**
 * Finds a path in a snapshot; one without '/' in front begins at the root. Rejects with `not-found`, naming the deepest
 * folder there is, and with DamagedError when a tree cannot be read.
 */
export function findPath(
  snapshot: Snapshot,
  path: string | undefined,
  read: ReadTreeChunk,
): Promise<FoundPath> {
  return findRawPath(snapshot, pathInSnapshot(path), read);
}

/** As `findPath` for a raw path. */
export async function findRawPath(
  snapshot: Snapshot,
  wanted: RawPath,
  read: ReadTreeChunk,
): Promise<FoundPath> {
  const names = wanted.split('/').filter((name) => name !== '');
  let tree = snapshot.root;
  let at: Entry | undefined;
  for (const [depth, name] of names.entries()) {
    const folder = `/${names.slice(0, depth).join('/')}`;
    const entry = await inFolder(folder, () => findEntry(tree, name, read));
    const isLast = depth === names.length - 1;
    if (entry?.tree !== undefined) {
      tree = entry.tree;
      at = entry;
    } else if (entry !== undefined && isLast) return { path: wanted, entry };
    else throw notFound(snapshot, wanted, folder, entry);
  }
  return { path: wanted, tree, entry: at };
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

/** Says which folder it was that could not be read. */
export async function inFolder<T>(folder: string, read: () => T | Promise<T>): Promise<T> {
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
