import {
  chmodSync,
  chownSync,
  fchmodSync,
  fchownSync,
  fstatSync,
  futimesSync,
  lchownSync,
  lstatSync,
  lutimesSync,
} from 'node:fs';
import type { FileTime } from './entry-metadata.js';
import { nativeError } from './file-error.js';
import { descriptorPath } from './long-path.js';
import { AT_FDCWD, cString, native } from './native.js';
import { once } from './once.js';
import { type RawPath, toNodePath } from './raw-path.js';
import { statCalls } from './stat.js';
import type { StatTable } from './stat-table.js';
import type { Xattr } from './xattrs.js';

/** One entry whose metadata is being set. All calls throw what the kernel answers, and none follows a symlink. */
export interface MetadataPlace {
  /** -1 leaves a number as it is. */
  chown(uid: number, gid: number): void;
  chmod(mode: number): void;
  setXattr(xattr: Xattr): void;
  removeXattr(name: string): void;
  /** Sets the modification time; the access time stays. */
  setModified(time: FileTime): void;
  /** Appends the entry's row. */
  stat(into: StatTable): void;
}

const UTIME_OMIT = 0x3ffffffe;

/** A file or folder that is open, not by O_PATH. */
export function openPlace(fd: number): MetadataPlace {
  return {
    chown: (uid, gid) => fchownSync(fd, uid, gid),
    chmod: (mode) => fchmodSync(fd, mode),
    setXattr: ({ name, value }) => {
      const calls = native();
      if (calls === undefined) throw impossible();
      demand('fsetxattr', calls.fsetxattr(fd, cString(name), value, value.length, 0));
    },
    removeXattr: (name) => {
      const calls = native();
      if (calls === undefined) throw impossible();
      demand('fremovexattr', calls.fremovexattr(fd, cString(name)));
    },
    setModified: (time) => {
      const calls = native();
      if (calls !== undefined) demand('futimens', calls.futimens(fd, timesOf(time)));
      else futimesSync(fd, fstatSync(fd).atimeMs / 1000, inSeconds(time));
    },
    stat: (into) => statOf(statCalls().descriptor(fd, into)),
  };
}

/**
 * An entry of any type, opened by O_PATH. Its path below /proc leads to this very entry, also if it is a symlink, and
 * also if its name belongs to another one by now.
 */
export function pathDescriptorPlace(fd: number): MetadataPlace {
  const path = descriptorPath(fd);
  return {
    chown: (uid, gid) => chownSync(path, uid, gid),
    chmod: (mode) => chmodSync(path, mode),
    setXattr: ({ name, value }) => {
      const calls = native();
      if (calls === undefined) throw impossible();
      demand('setxattr', calls.setxattr(cString(path), cString(name), value, value.length, 0));
    },
    removeXattr: (name) => {
      const calls = native();
      if (calls === undefined) throw impossible();
      demand('removexattr', calls.removexattr(cString(path), cString(name)));
    },
    setModified: (time) => {
      const calls = native();
      if (calls === undefined) throw impossible();
      demand('utimensat', calls.utimensat(AT_FDCWD, cString(path), timesOf(time), 0));
    },
    stat: (into) => statOf(statCalls().descriptor(fd, into)),
  };
}

/** An entry by its path, for machines that have nothing better. */
export function pathPlace(path: RawPath): MetadataPlace {
  const place = toNodePath(path);
  return {
    chown: (uid, gid) => lchownSync(place, uid, gid),
    chmod: (mode) => {
      if (!lstatSync(place).isSymbolicLink()) chmodSync(place, mode);
    },
    setXattr: () => {
      throw impossible();
    },
    removeXattr: () => {
      throw impossible();
    },
    setModified: (time) => lutimesSync(place, lstatSync(place).atimeMs / 1000, inSeconds(time)),
    stat: (into) => statOf(statCalls().at(path, into)),
  };
}

function impossible(): Error {
  return new Error('not possible on this machine');
}

function demand(call: string, result: number): void {
  if (result < 0) throw nativeError(call, native()?.errno() ?? 0);
}

function statOf(errno: number): void {
  if (errno !== 0) throw nativeError('statx', errno);
}

/** Used again for every call: the kernel reads it before the call returns. */
const timesBuffer = once(() => Buffer.alloc(32));

/** Two struct timespec: the access time, left as it is, and the modification time. Valid until the next call. */
function timesOf({ seconds, nanoseconds }: FileTime): Buffer {
  const times = timesBuffer();
  times.writeUInt32LE(UTIME_OMIT, 8);
  times.writeUInt32LE(seconds >>> 0, 16);
  times.writeInt32LE(Math.floor(seconds / 2 ** 32), 20);
  times.writeUInt32LE(nanoseconds, 24);
  return times;
}

function inSeconds({ seconds, nanoseconds }: FileTime): number {
  return seconds + nanoseconds / 1e9;
}
