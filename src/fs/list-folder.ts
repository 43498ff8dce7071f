import { readdirSync } from 'node:fs';
import { constants } from 'node:os';
import { FileError, nativeError } from './file-error.js';
import { withShortPath } from './long-path.js';
import { joinRaw, type RawPath, toNodePath } from './raw-path.js';
import { statCalls } from './stat.js';
import { StatTable } from './stat-table.js';

/** The longest entry name of any file system, with its '/'. */
const NAME_ROOM = 256;

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
 * Lists a folder and stats its entries without following them. `into`, if given, is cleared and becomes `stats`, so that
 * one table serves many folders. Throws FileError (source) when the folder itself cannot be read.
 */
export function listFolder(path: RawPath, into: StatTable = new StatTable(64)): FolderListing {
  into.clear();
  try {
    return withShortPath(path, (short) => listShort(path, short, into), NAME_ROOM);
  } catch (error) {
    if (error instanceof FileError) throw error;
    throw new FileError('source', 'read the folder', path, error);
  }
}

function listShort(path: RawPath, short: RawPath, stats: StatTable): FolderListing {
  const listed = readdirSync(toNodePath(short), 'latin1').sort();
  const calls = statCalls();
  calls.enter(short);
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
    if (errno === constants.errno.ENOENT) {
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
