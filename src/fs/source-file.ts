import { closeSync, constants, readlinkSync, readSync } from 'node:fs';
import { FileError } from './file-error.js';
import { type RawPath, toNodePath } from './raw-path.js';
import { atEntry, type Follow, openEntry } from './source-path.js';
import { statFd } from './stat.js';
import { StatTable } from './stat-table.js';

// Whatever was swapped in since the scan: a fifo must not block, a terminal not become ours.
const WARY = constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY;

/**
 * Opens a file of the source for reading and appends what fstat says to `stats` as its last row, the state before
 * reading. Throws FileError (source), also when there is something other than a regular file by now.
 */
export function openSource(
  path: RawPath,
  stats: StatTable = new StatTable(1),
  follow: Follow = 'above',
): number {
  const fd = openWary(path, 0, 'read', follow);
  try {
    const row = statFd(fd, stats, path);
    if (stats.type(row) === 'file') return fd;
    throw new FileError('source', 'read', path, `it is a ${stats.type(row) ?? 'thing unknown'} by now`);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Opens a folder of the source, never a symlink to one, to read what its fd tells. Throws FileError (source). */
export function openSourceFolder(path: RawPath, follow: Follow = 'above'): number {
  return openWary(path, constants.O_DIRECTORY, 'read the folder', follow);
}

/** Opens without following the entry itself, without waiting and without taking a terminal. Throws FileError (source). */
export function openWary(path: RawPath, flags: number, action: string, follow: Follow): number {
  try {
    return openEntry(path, WARY | flags, follow);
  } catch (error) {
    throw new FileError('source', action, path, error);
  }
}

/** The first bytes of a file of the source, `most` of them if it has as many. Throws FileError (source). */
export function readBeginning(path: RawPath, most: number, follow: Follow = 'above'): Buffer {
  const fd = openSource(path, undefined, follow);
  try {
    const bytes = Buffer.allocUnsafe(most);
    let length = 0;
    for (let read = -1; read !== 0 && length < most; length += read) {
      read = readSync(fd, bytes, length, most - length, length);
    }
    return bytes.subarray(0, length);
  } catch (error) {
    throw new FileError('source', 'read', path, error);
  } finally {
    closeSync(fd);
  }
}

/** The raw target of a symlink. Throws FileError (source). */
export function readLink(path: RawPath, follow: Follow = 'above'): string {
  try {
    return atEntry(path, follow, (short) => readlinkSync(toNodePath(short), 'latin1'));
  } catch (error) {
    throw new FileError('source', 'read the symlink', path, error);
  }
}
