import {
  baseName,
  type EntryType,
  FileError,
  type FolderListing,
  lookAtNames,
  parentPath,
  type RawPath,
  StatTable,
  statPath,
} from '../../fs/index.js';

/** What stands at a path that was named. */
export interface FoundPath {
  /** Undefined for a type that cbr does not know. */
  readonly type: EntryType | undefined;
  readonly device: number;
  /** Of files. */
  readonly size: number;
  /** Of a symlink that is followed, where it leads, and how many links that took. */
  readonly followed?: { readonly real: RawPath; readonly links: number };
}

export type FoundPaths = ReadonlyMap<RawPath, FoundPath | FileError>;

/**
 * Looks at each path, at all of one folder through that folder: a list may name very many. `follow` tells what a symlink
 * stands for, undefined for itself.
 */
export function findPaths(
  paths: readonly RawPath[],
  follow: (link: RawPath) => FoundPath | undefined,
): FoundPaths {
  const found = new Map<RawPath, FoundPath | FileError>();
  const stats = new StatTable(64);
  const add = (path: RawPath, row: number): void => {
    const type = stats.type(row);
    const own = { type, device: stats.device(row), size: stats.size(row) };
    found.set(path, (type === 'symlink' ? follow(path) : undefined) ?? own);
  };
  for (const [folder, inside] of byFolder(paths)) {
    const listing = listingOf(folder, inside, stats);
    const rows = new Map(listing?.names.map((name, row) => [name, row]));
    for (const path of inside) {
      const row = rows.get(baseName(path));
      if (row !== undefined) add(path, row);
      else found.set(path, findAlone(path, follow));
    }
  }
  return found;
}

/** Undefined when the folder cannot be opened: looking at each path tells why. */
function listingOf(folder: RawPath, inside: readonly RawPath[], stats: StatTable): FolderListing | undefined {
  try {
    return lookAtNames(folder, inside.map(baseName), stats);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return undefined;
  }
}

function findAlone(path: RawPath, follow: (link: RawPath) => FoundPath | undefined): FoundPath | FileError {
  const stats = new StatTable(1);
  try {
    const row = statPath(path, stats);
    const type = stats.type(row);
    const own = { type, device: stats.device(row), size: stats.size(row) };
    return (type === 'symlink' ? follow(path) : undefined) ?? own;
  } catch (error) {
    if (error instanceof FileError) return error;
    throw error;
  }
}

function byFolder(paths: readonly RawPath[]): Map<RawPath, RawPath[]> {
  const folders = new Map<RawPath, RawPath[]>();
  for (const path of paths) {
    const folder = parentPath(path);
    const inside = folders.get(folder);
    if (inside === undefined) folders.set(folder, [path]);
    else inside.push(path);
  }
  return folders;
}
