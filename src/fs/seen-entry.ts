import { readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import type { DeviceNumber, FileTime } from './entry-metadata.js';
import type { EntryType } from './entry-type.js';
import { nativeError } from './file-error.js';
import { once } from './once.js';
import { statCalls } from './stat.js';
import { StatTable } from './stat-table.js';
import { failure, type TargetFolder } from './target-folder.js';

/** An entry of the target as it was when it was looked at; survives structured cloning. */
export interface SeenEntry {
  /** undefined for a type that cbr does not know. */
  readonly type: EntryType | undefined;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Bytes. */
  readonly size: number;
  /** Allocated space in bytes. */
  readonly allocated: number;
  readonly mtime: FileTime;
  /** One number for the file system it lies on. */
  readonly fileSystem: number;
  readonly inode: bigint;
  /** How many names it has. */
  readonly names: number;
  /** Of symlinks, raw. */
  readonly linkTarget: string | undefined;
  /** Of device files. */
  readonly device: DeviceNumber;
}

const scratch = once(() => new StatTable(1));

/** What has this name now, not followed; undefined if nothing has. Throws FileError (target). */
export function lookAt(folder: TargetFolder, name: string): SeenEntry | undefined {
  const path = folder.rawPath(name);
  const stats = scratch();
  stats.clear();
  const errno = statCalls().at(path, stats);
  if (errno === constants.errno.ENOENT) return undefined;
  if (errno !== 0) throw failure(nativeError('statx', errno), 'look at', folder, name);
  return seenIn(stats, stats.type(0) === 'symlink' ? linkTargetOf(folder, name) : undefined);
}

/** As `lookAt` for what is open as `fd`. Throws what node:fs throws. */
export function lookAtOpen(fd: number): SeenEntry {
  const stats = scratch();
  stats.clear();
  const errno = statCalls().descriptor(fd, stats);
  if (errno !== 0) throw nativeError('statx', errno);
  return seenIn(stats, undefined);
}

function seenIn(stats: StatTable, linkTarget: string | undefined): SeenEntry {
  return {
    type: stats.type(0),
    mode: stats.mode(0),
    uid: stats.uid(0),
    gid: stats.gid(0),
    size: stats.size(0),
    allocated: stats.blocks(0) * 512,
    mtime: { seconds: stats.mtimeSeconds(0), nanoseconds: stats.mtimeNanoseconds(0) },
    fileSystem: stats.device(0),
    inode: stats.ino(0),
    names: stats.nlink(0),
    linkTarget,
    device: { major: stats.rdevMajor(0), minor: stats.rdevMinor(0) },
  };
}

function linkTargetOf(folder: TargetFolder, name: string): string {
  try {
    return readlinkSync(folder.path(name), 'latin1');
  } catch (error) {
    throw failure(error, 'look at', folder, name);
  }
}

/** Whether it is still the very thing that was seen, with the content that it had. Metadata beside the time may differ. */
export function isStill(now: SeenEntry, seen: SeenEntry): boolean {
  return (
    isSameInode(now, seen) &&
    now.type === seen.type &&
    (now.type === 'directory' ||
      (now.size === seen.size &&
        now.mtime.seconds === seen.mtime.seconds &&
        now.mtime.nanoseconds === seen.mtime.nanoseconds))
  );
}

/** Whether two names are of one inode. */
export function isSameInode(a: SeenEntry, b: SeenEntry): boolean {
  return a.inode === b.inode && a.fileSystem === b.fileSystem;
}
