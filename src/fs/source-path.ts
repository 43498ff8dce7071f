import { closeSync, constants, fstatSync, lstatSync, openSync, readlinkSync, realpathSync } from 'node:fs';
import { constants as system } from 'node:os';
import { errnoOf, toLatin1 } from '../core/index.js';
import { nativeError } from './file-error.js';
import { DIRECT_BYTES, descriptorPath, hasDescriptorPaths, O_PATH, withShortPath } from './long-path.js';
import { AT_FDCWD, type Native, native } from './native.js';
import { once } from './once.js';
import { baseName, joinRaw, parentPath, type RawPath, toNodePath } from './raw-path.js';

/**
 * Which symlinks may be followed on the way to an entry of a source; one in the place of the entry itself never is.
 *
 * - `above`: those above its last name. For a path as the user gave it, who may well mean a symlink.
 * - `none`. For everything below the folder where a source begins, under the path that `pathWithoutSymlinks` gave for it:
 *   who can write there may swap a folder for a symlink at any moment, and must not lead a reader with more rights out.
 */
export type Follow = 'above' | 'none';

const NO_FOLLOW = constants.O_NOFOLLOW;
const WAYPOINT = O_PATH | constants.O_DIRECTORY | NO_FOLLOW;

/** The path to the same entry that no symlink lies on; its last name is not followed. Unchanged where that cannot be told. */
export function pathWithoutSymlinks(path: RawPath): RawPath {
  if (path === '/') return path;
  const folder = parentPath(path);
  // Beyond what the kernel takes, symlinks stay, and opening by `none` refuses them.
  const end = folder.length <= DIRECT_BYTES ? folder.length : folder.lastIndexOf('/', DIRECT_BYTES);
  try {
    const real = toLatin1(realpathSync.native(toNodePath(folder.slice(0, end) || '/'), 'buffer'));
    return joinRaw(`${real === '/' ? '' : real}${folder.slice(end)}` as RawPath, baseName(path));
  } catch {
    return path; // opening it will tell why
  }
}

/**
 * Opens an entry. `flags` as for open(2), with O_PATH or O_DIRECTORY where that is meant; the entry itself is never
 * followed. Throws what node:fs throws; a symlink that may not be followed is ELOOP.
 */
export function openEntry(path: RawPath, flags: number, follow: Follow): number {
  const wary = flags | NO_FOLLOW;
  if (follow === 'above') return withShortPath(path, (short) => openSync(toNodePath(short), wary));
  const resolving = resolvingOpen();
  if (resolving !== undefined) return resolving(path, wary);
  if (!hasDescriptorPaths()) return openThenCheck(path, wary);
  return openAndCompare(path, wary) ?? openStepByStep(path, wary);
}

/**
 * Calls `use` with a path to the entry for calls that do not follow it and take no descriptor. By `none`, that path leads
 * through the open folder above it.
 */
export function atEntry<T>(path: RawPath, follow: Follow, use: (short: RawPath) => T): T {
  if (follow === 'above') return withShortPath(path, use);
  if (!hasDescriptorPaths()) {
    const result = use(path);
    if (pathWithoutSymlinks(path) !== path) throw symlinkOnTheWay();
    return result;
  }
  const folder = openEntry(parentPath(path), WAYPOINT, 'none');
  try {
    return use(joinRaw(descriptorPath(folder), baseName(path)));
  } finally {
    closeSync(folder);
  }
}

/** What opening by `none` throws where a symlink stands in the way. */
export function symlinkOnTheWay(): Error {
  const text = 'a symlink stands in its place, or in that of a folder above it, by now (ELOOP)';
  return Object.assign(new Error(text), { code: 'ELOOP' });
}

const O_CLOEXEC = 0o2000000;
const OPEN_HOW_BYTES = 24;
const RESOLVE_NO_SYMLINKS = 0x4;

/** openat2(2), which refuses symlinks in one call; undefined where the machine or a sandbox does not have it. */
const resolvingOpen = once(() => {
  const calls = native();
  if (calls === undefined) return undefined;
  const open = new ResolvingOpen(calls);
  try {
    closeSync(open.one(AT_FDCWD, '/', WAYPOINT));
  } catch {
    return undefined;
  }
  return (path: RawPath, flags: number) => open.open(path, flags);
});

class ResolvingOpen {
  private readonly path = Buffer.alloc(DIRECT_BYTES + 1);
  private readonly how = Buffer.alloc(OPEN_HOW_BYTES);

  constructor(private readonly calls: Native) {
    this.how.writeUInt32LE(RESOLVE_NO_SYMLINKS, 16);
  }

  open(path: RawPath, flags: number): number {
    if (path.length <= DIRECT_BYTES) return this.one(AT_FDCWD, path, flags);
    let anchor = AT_FDCWD;
    let rest: string = path;
    try {
      while (rest.length > DIRECT_BYTES) {
        const cut = rest.lastIndexOf('/', DIRECT_BYTES);
        if (cut <= 0) break; // a single name too long, and the kernel shall say so
        const next = this.one(anchor, rest.slice(0, cut), WAYPOINT);
        if (anchor !== AT_FDCWD) closeSync(anchor);
        anchor = next;
        rest = rest.slice(cut + 1);
      }
      return this.one(anchor, rest, flags);
    } finally {
      if (anchor !== AT_FDCWD) closeSync(anchor);
    }
  }

  one(folder: number, path: string, flags: number): number {
    if (path.length > DIRECT_BYTES) throw nativeError('open', system.errno.ENAMETOOLONG);
    this.path[this.path.write(path, 'latin1')] = 0;
    // A symlink at the end is refused all the same, and as a symlink; with O_NOFOLLOW it would be "not a directory".
    this.how.writeUInt32LE(((flags | O_CLOEXEC) & ~NO_FOLLOW) >>> 0, 0);
    for (;;) {
      const fd = this.calls.openat2(folder, this.path, this.how, OPEN_HOW_BYTES);
      if (fd >= 0) return fd;
      const errno = this.calls.errno();
      if (errno === system.errno.ELOOP) throw symlinkOnTheWay();
      if (errno !== system.errno.EINTR) throw nativeError('open', errno);
    }
  }
}

/** Opens by path; undefined unless the kernel says that what was opened lies at that very path. */
function openAndCompare(path: RawPath, flags: number): number | undefined {
  if (path.length > DIRECT_BYTES) return undefined;
  let fd: number;
  try {
    fd = openSync(toNodePath(path), flags);
  } catch {
    return undefined; // for whatever reason: that of the walk is the right one
  }
  try {
    if (readlinkSync(descriptorPath(fd), 'latin1') === path) return fd;
  } catch {
    // The name grew beyond what the kernel tells.
  }
  closeSync(fd);
  return undefined;
}

/** Opens one folder after the other, each through the one before. */
function openStepByStep(path: RawPath, flags: number): number {
  let anchor = openSync('/', WAYPOINT);
  try {
    const names = path === '/' ? ['.'] : path.split('/').slice(1);
    for (const name of names.slice(0, -1)) {
      const next = openStep(anchor, name, WAYPOINT);
      closeSync(anchor);
      anchor = next;
    }
    return openStep(anchor, names.at(-1)!, flags);
  } finally {
    closeSync(anchor);
  }
}

function openStep(folder: number, name: string, flags: number): number {
  const place = toNodePath(joinRaw(descriptorPath(folder), name));
  try {
    return openSync(place, flags);
  } catch (error) {
    const mayBeLink = errnoOf(error) === 'ELOOP' || errnoOf(error) === 'ENOTDIR';
    if (mayBeLink && lstatSync(place, { throwIfNoEntry: false })?.isSymbolicLink()) throw symlinkOnTheWay();
    throw error;
  }
}

/** Where open folders cannot be reached by path a swap there and back again, between two calls, goes unnoticed. */
function openThenCheck(path: RawPath, flags: number): number {
  const fd = openSync(toNodePath(path), flags);
  try {
    checkPlace(fd, path);
    return fd;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

/** Throws (ELOOP) unless what is open as `fd` lies at `path` now, with no symlink on the way. */
export function checkPlace(fd: number, path: RawPath): void {
  const open = fstatSync(fd, { bigint: true });
  const there = lstatSync(toNodePath(path), { bigint: true, throwIfNoEntry: false });
  const isSame = there !== undefined && there.dev === open.dev && there.ino === open.ino;
  if (!isSame || pathWithoutSymlinks(path) !== path) throw symlinkOnTheWay();
}
