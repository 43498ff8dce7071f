import { closeSync, readFileSync } from 'node:fs';
import { FileError } from './file-error.js';
import { native } from './native.js';
import type { RawPath } from './raw-path.js';
import { openWary } from './source-file.js';
import { statFd } from './stat.js';
import { StatTable } from './stat-table.js';

const SEEK_END = 2;
/** What the kernel counts block devices in, whatever their own sectors. */
const SECTOR_BYTES = 512;

/**
 * Opens a block device for reading its content and appends a row to `stats`: that of a regular file with its owner, mode
 * and times, as large as the device. No symlink is followed. Throws FileError (source), also when there is something else.
 */
export function openBlockDevice(path: RawPath, stats: StatTable): number {
  const fd = openWary(path, 0, 'read', 'none');
  try {
    if (statBlockDevice(fd, stats, path)) return fd;
    throw new FileError('source', 'read', path, 'it is no block device by now');
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Appends that row for an open block device; says whether it is one. Throws FileError (source). */
export function statBlockDevice(fd: number, stats: StatTable, path: RawPath): boolean {
  const own = new StatTable(1);
  const row = statFd(fd, own, path);
  if (own.type(row) !== 'block device') return false;
  try {
    stats.addAsFile(own.rowBytes(row), sizeOf(fd, own.rdevMajor(row), own.rdevMinor(row)));
  } catch (error) {
    throw new FileError('source', 'tell the size of', path, error);
  }
  return true;
}

function sizeOf(fd: number, major: number, minor: number): number {
  const end = native()?.lseek(fd, 0, SEEK_END) ?? -1;
  if (end >= 0) return end;
  return Number(readFileSync(`/sys/dev/block/${major}:${minor}/size`, 'latin1')) * SECTOR_BYTES;
}
