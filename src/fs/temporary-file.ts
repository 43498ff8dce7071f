import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  unlinkSync,
} from 'node:fs';
import { constants as os } from 'node:os';
import { errnoOf } from '../core/index.js';
import { removeInheritedAcl } from './default-acl.js';
import { checkEntryName } from './entry-name.js';
import { nativeError } from './file-error.js';
import { setFlagsBeforeContent } from './inode-flags.js';
import { descriptorPath, hasDescriptorPaths } from './long-path.js';
import { AT_FDCWD, cString, native } from './native.js';
import { ownMarks } from './own-marks.js';
import { existingType, failure, type TargetFolder } from './target-folder.js';

/** Names of what is not whole yet, where it must have one. */
const TEMPORARY = /^\.cbr-[0-9a-f]{16}\.tmp$/;

/** A name that nothing has. */
export function temporaryName(): string {
  return `.cbr-${randomBytes(8).toString('hex')}.tmp`;
}

/** Whether a name is one of those that restores give to what is not whole yet. */
export function isTemporaryName(name: string): boolean {
  return TEMPORARY.test(name);
}

const LOCK_EX = 2;
const LOCK_NB = 4;

/** Marks an open file as one that a living process writes to; the mark goes with the process. False where it has one. */
export function markAlive(fd: number): boolean {
  const calls = native();
  return (
    calls === undefined || calls.flock(fd, LOCK_EX | LOCK_NB) === 0 || calls.errno() !== os.errno.EWOULDBLOCK
  );
}

/** For the owner only, until everything is set. */
export const PRIVATE = 0o600;

const RENAME_NOREPLACE = 1;
const O_TMPFILE = 0o20000000 | constants.O_DIRECTORY;
const AT_EMPTY_PATH = 0x1000;
const AT_SYMLINK_FOLLOW = 0x400;

/** A file being restored: open for writing and reading, not yet under its name. */
export interface TemporaryFile {
  readonly fd: number;
  /** undefined where the file system allows files without a name: those vanish by themselves if the process dies. */
  readonly temporaryName: string | undefined;
  /** What it was created with, where that is certain: need not be set again. */
  readonly marks?: { readonly uid: number; readonly gid: number; readonly mode: number };
}

/**
 * Creates an empty file. `flags` are the inode flags it will get: some of them must be there before the content. One that
 * has no name yet may be given its `mode` at once: nobody else can reach it. Throws FileError (target).
 */
export function createTemporary(folder: TargetFolder, flags = 0, mode = PRIVATE): TemporaryFile {
  const file = createNameless(folder, mode & 0o777) ?? createNamed(folder);
  if (folder.passesAcl) removeInheritedAcl(file.fd);
  setFlagsBeforeContent(file.fd, flags);
  return file;
}

/** undefined: this file system has no files without a name, or this machine no way to give them one. */
function createNameless(folder: TargetFolder, mode: number): TemporaryFile | undefined {
  if (native() === undefined || !hasDescriptorPaths()) return undefined;
  try {
    const fd = openSync(folder.ownPath(), O_TMPFILE | constants.O_RDWR, mode);
    const own = ownMarks();
    // A folder made here has neither a setgid bit nor a default ACL yet, which would change what new files get.
    if (own === undefined || !folder.created || folder.passesAcl) return { fd, temporaryName: undefined };
    return { fd, temporaryName: undefined, marks: { uid: own.uid, gid: own.gid, mode: mode & ~own.umask } };
  } catch {
    return undefined; // any other reason will meet the next attempt as well, and be told
  }
}

function createNamed(folder: TargetFolder): TemporaryFile {
  const own = temporaryName();
  const flags = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  try {
    const fd = openSync(folder.path(own), flags, PRIVATE);
    markAlive(fd);
    return { fd, temporaryName: own };
  } catch (error) {
    throw failure(error, 'create', folder, own);
  }
}

/**
 * Gives a file its name if nothing has that name; else false, and the file stays what it is. Atomic where the kernel and
 * the file system can. Throws FileError (target).
 */
export function commit(folder: TargetFolder, file: TemporaryFile, name: string): boolean {
  checkEntryName(name);
  if (file.temporaryName === undefined) return linkNameless(folder, file.fd, name);
  return nameNew(folder, file.temporaryName, name);
}

/** Renames an entry of a folder if nothing has the new name; else false. Atomic as `commit`. Throws FileError (target). */
export function nameNew(folder: TargetFolder, from: string, to: string): boolean {
  const path = folder.path(to);
  return renameNew(folder, from, to) ?? linkNew(folder, from, path, to);
}

/** Gives a file that has no name a temporary one, by which it can be renamed. Throws FileError (target). */
export function nameTemporarily(folder: TargetFolder, fd: number): string {
  const own = temporaryName();
  markAlive(fd);
  if (!linkNameless(folder, fd, own)) throw failure('the name is taken', 'name', folder, own);
  return own;
}

function linkNameless(folder: TargetFolder, fd: number, name: string): boolean {
  const calls = native();
  if (calls === undefined) throw failure('not possible on this machine', 'name', folder, name);
  const newName = cString(name);
  if (calls.linkat(fd, cString(''), folder.fd, newName, AT_EMPTY_PATH) === 0) return true;
  if (calls.errno() === os.errno.EEXIST) return false;
  // Without the right to link by descriptor alone (ENOENT) its path does the same.
  const path = cString(descriptorPath(fd));
  if (calls.linkat(AT_FDCWD, path, folder.fd, newName, AT_SYMLINK_FOLLOW) === 0) return true;
  const errno = calls.errno();
  if (errno === os.errno.EEXIST) return false;
  throw failure(nativeError('linkat', errno), 'name', folder, name);
}

/** undefined: the kernel or the file system has no such call. */
function renameNew(folder: TargetFolder, from: string, to: string): boolean | undefined {
  const calls = native();
  if (calls?.renameat2 === undefined) return undefined;
  if (calls.renameat2(folder.fd, cString(from), folder.fd, cString(to), RENAME_NOREPLACE) === 0) return true;
  const errno = calls.errno();
  if (errno === os.errno.EEXIST) return false;
  if (errno === os.errno.EINVAL || errno === os.errno.ENOSYS) return undefined;
  throw failure(nativeError('renameat2', errno), 'name', folder, to);
}

function linkNew(folder: TargetFolder, temporaryName: string, to: string | Buffer, name: string): boolean {
  const from = folder.path(temporaryName);
  try {
    try {
      linkSync(from, to);
    } catch (error) {
      if (!NO_HARD_LINKS.includes(errnoOf(error) ?? '')) throw error;
      // Look first (FAT over an old kernel): it leaves a moment in which somebody else may take the name.
      if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) return false;
      renameSync(from, to);
      return true;
    }
    unlinkSync(from);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw failure(error, 'name', folder, name);
  }
}

const NO_HARD_LINKS: readonly string[] = ['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK', 'ENOSYS'];

/** Closes a file that will not become whole, and removes what there is of it. Throws FileError (target). */
export function discard(folder: TargetFolder, file: TemporaryFile): void {
  closeSync(file.fd);
  if (file.temporaryName === undefined) return;
  try {
    unlinkSync(folder.path(file.temporaryName));
  } catch (error) {
    throw failure(error, 'remove', folder, file.temporaryName);
  }
}

/**
 * Removes what interrupted restores left in a folder, but for files that a living one still writes to; returns how many.
 * Throws FileError (target).
 */
export function removeLeftovers(folder: TargetFolder): number {
  let removed = 0;
  let name = '';
  try {
    for (name of readdirSync(folder.ownPath(), 'latin1')) {
      if (!TEMPORARY.test(name)) continue;
      const type = existingType(folder, name);
      if (type === undefined || type === 'directory' || (type === 'file' && isAlive(folder, name))) continue;
      unlinkSync(folder.path(name));
      removed++;
    }
    return removed;
  } catch (error) {
    throw failure(error, 'remove what an interrupted restore left in', folder, name);
  }
}

/** Bytes that what interrupted restores left in a folder takes on the disk: the next one goes on with it or removes it. */
export function leftoverBytes(folder: TargetFolder): number {
  let bytes = 0;
  try {
    for (const name of readdirSync(folder.ownPath(), 'latin1')) {
      if (!TEMPORARY.test(name)) continue;
      const its = lstatSync(folder.path(name), { throwIfNoEntry: false });
      if (its?.isFile() === true && its.nlink === 1) bytes += its.blocks * 512;
    }
  } catch {
    // What cannot be listed is not counted on.
  }
  return bytes;
}

/** Whether a process that lives has marked a file. One that cannot be opened is not ours. */
function isAlive(folder: TargetFolder, name: string): boolean {
  if (native() === undefined) return false;
  let fd: number | undefined;
  try {
    fd = openSync(folder.path(name), constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    return !markAlive(fd);
  } catch {
    return false;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
