import { closeSync, constants } from 'node:fs';
import { constants as system } from 'node:os';
import { FileError, nativeError } from './file-error.js';
import { folderNames } from './folder-names.js';
import { hasDescriptorPaths, O_PATH } from './long-path.js';
import { joinRaw, type RawPath } from './raw-path.js';
import { checkPlace, type Follow, openEntry } from './source-path.js';
import { statCalls } from './stat.js';
import { StatTable } from './stat-table.js';

const OPEN_FOLDER = constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NONBLOCK;

/** The entries of one folder. `names[i]` belongs to row `i` of `stats`. */
export interface FolderListing {
  /** Raw names, sorted by their bytes. */
  readonly names: readonly string[];
  readonly stats: StatTable;
  /** Names that were gone before they could be looked at. */
  readonly vanished: readonly string[];
  /** Names that are there but cannot be looked at. */
  readonly failed: readonly { readonly name: string; readonly error: FileError }[];
}

const NO_NAMES: readonly never[] = Object.freeze([]);

/**
 * Lists a folder, never a symlink to one, and stats its entries without following them; all through the open folder, so
 * that whatever takes its place meanwhile does not matter. `into`, if given, is cleared and becomes `stats`, so that one
 * table serves many folders. Throws FileError (source) when the folder itself cannot be read.
 */
export function listFolder(
  path: RawPath,
  into: StatTable = new StatTable(64),
  follow: Follow = 'above',
): FolderListing {
  return look(path, into, follow, OPEN_FOLDER, (fd) => folderNames(fd, path));
}

/**
 * As `listFolder` for some names of a folder alone, sorted by their bytes: those that are not there are `vanished`. The
 * folder itself need not be readable.
 */
export function lookAtNames(
  path: RawPath,
  names: readonly string[],
  into: StatTable = new StatTable(64),
  follow: Follow = 'above',
): FolderListing {
  const flags = hasDescriptorPaths() ? O_PATH | constants.O_DIRECTORY : OPEN_FOLDER;
  return look(path, into, follow, flags, () => [...names]);
}

function look(
  path: RawPath,
  into: StatTable,
  follow: Follow,
  flags: number,
  namesOf: (fd: number) => string[],
): FolderListing {
  into.clear();
  let fd: number | undefined;
  try {
    fd = openEntry(path, flags, follow);
    const listing = listOpen(path, fd, into, namesOf(fd));
    // Then the entries may have been reached by path.
    if (follow === 'none' && !hasDescriptorPaths()) checkPlace(fd, path);
    return listing;
  } catch (error) {
    throw new FileError('source', 'read the folder', path, error);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

function listOpen(path: RawPath, fd: number, stats: StatTable, listed: string[]): FolderListing {
  const calls = statCalls();
  calls.enter(fd, path);
  let names = listed;
  let vanished: string[] | undefined;
  let failed: { name: string; error: FileError }[] | undefined;
  for (let i = 0; i < listed.length; i++) {
    const name = listed[i]!;
    const errno = calls.entry(name, stats);
    if (errno === 0) {
      if (names !== listed) names.push(name);
      continue;
    }
    // From the first name without a row on, the names that have one go into a list of their own.
    if (names === listed) names = listed.slice(0, i);
    if (errno === system.errno.ENOENT) {
      vanished ??= [];
      vanished.push(name);
    } else {
      failed ??= [];
      const cause = nativeError('statx', errno);
      failed.push({ name, error: new FileError('source', 'read', joinRaw(path, name), cause) });
    }
  }
  return { names, stats, vanished: vanished ?? NO_NAMES, failed: failed ?? NO_NAMES };
}
