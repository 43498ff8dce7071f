import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  linkSync,
  lstatSync,
  openSync,
  readdirSync,
  renameSync,
  symlinkSync,
  unlinkSync,
} from 'node:fs';
import { constants as os } from 'node:os';
import { errnoOf } from '../core/index.js';
import { removeInheritedAcl, removeInheritedAclAt } from './default-acl.js';
import type { DeviceNumber } from './entry-metadata.js';
import { TYPE_MODES } from './entry-type.js';
import { nativeError } from './file-error.js';
import { setFlagsBeforeContent } from './inode-flags.js';
import { cString, native } from './native.js';
import { toNodePath } from './raw-path.js';
import { existingType, failure, type TargetFolder } from './target-folder.js';

/** Names of files that are not whole yet. */
const TEMPORARY = /^\.cbr-[0-9a-f]{16}\.tmp$/;

const RENAME_NOREPLACE = 1;

/** A file being restored: open for writing and reading, under a name that says it is not whole. */
export interface TemporaryFile {
  readonly fd: number;
  readonly temporaryName: string;
}

/**
 * Creates an empty file for its owner only. `flags` are the inode flags it will get: some of them must be there before
 * the content. Throws FileError (target).
 */
export function createTemporary(folder: TargetFolder, flags = 0): TemporaryFile {
  const temporaryName = `.cbr-${randomBytes(8).toString('hex')}.tmp`;
  const mode = constants.O_RDWR | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
  try {
    const fd = openSync(folder.path(temporaryName), mode, 0o600);
    if (folder.passesAcl) removeInheritedAcl(fd);
    setFlagsBeforeContent(fd, flags);
    return { fd, temporaryName };
  } catch (error) {
    throw failure(error, 'create', folder, temporaryName);
  }
}

/**
 * Gives a temporary file its name if nothing has that name; else false, and the temporary file stays. Atomic where the
 * kernel and the file system can (renameat2, else a hard link). Throws FileError (target).
 */
export function commit(folder: TargetFolder, temporaryName: string, name: string): boolean {
  const from = folder.path(temporaryName);
  const to = folder.path(name);
  const renamed = renameNew(folder, temporaryName, name);
  if (renamed !== undefined) return renamed;
  try {
    linkSync(from, to);
    unlinkSync(from);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    if (!['EPERM', 'EOPNOTSUPP', 'ENOTSUP', 'EMLINK', 'ENOSYS'].includes(errnoOf(error) ?? '')) {
      throw failure(error, 'name', folder, name);
    }
  }
  // Neither is there (FAT over an old kernel): look first, which leaves a moment for somebody else.
  try {
    if (lstatSync(to, { throwIfNoEntry: false }) !== undefined) return false;
    renameSync(from, to);
    return true;
  } catch (error) {
    throw failure(error, 'name', folder, name);
  }
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

/** Closes and removes a file that will not become whole. Throws FileError (target). */
export function discard(folder: TargetFolder, file: TemporaryFile): void {
  const path = folder.path(file.temporaryName);
  closeSync(file.fd);
  try {
    unlinkSync(path);
  } catch (error) {
    throw failure(error, 'remove', folder, file.temporaryName);
  }
}

/** Removes the files that an interrupted restore left in a folder; returns how many. Throws FileError (target). */
export function removeLeftovers(folder: TargetFolder): number {
  let removed = 0;
  let name = '';
  try {
    for (name of readdirSync(folder.ownPath(), 'latin1')) {
      if (!TEMPORARY.test(name) || existingType(folder, name) !== 'file') continue;
      unlinkSync(folder.path(name));
      removed++;
    }
    return removed;
  } catch (error) {
    throw failure(error, 'remove what an interrupted restore left in', folder, name);
  }
}

/** Creates a symlink with a raw target; false if something has that name. Throws FileError (target). */
export function makeSymlink(folder: TargetFolder, name: string, target: string): boolean {
  return make(folder, name, 'create the symlink', (path) => symlinkSync(toNodePath(target), path));
}

/** Gives an existing entry a second name; false if something has that name. Throws FileError (target). */
export function hardLink(folder: TargetFolder, name: string, to: TargetFolder, newName: string): boolean {
  const existing = folder.path(name);
  return make(to, newName, 'create the hard link', (path) => linkSync(existing, path));
}

/**
 * Creates a fifo, socket or device file for its owner only; false if something has that name. Throws FileError (target):
 * device files are for root, and none of these can be made on machines without native calls.
 */
export function makeSpecial(
  folder: TargetFolder,
  name: string,
  type: 'fifo' | 'socket' | 'character device' | 'block device',
  device: DeviceNumber = { major: 0, minor: 0 },
): boolean {
  const calls = native();
  const action = `create the ${type}`;
  if (calls === undefined) throw failure('not possible on this machine', action, folder, name);
  const path = folder.rawPath(name);
  const made = make(folder, name, action, () => {
    const mode = TYPE_MODES[type] | 0o600;
    if (calls.mknodat(folder.fd, cString(name), mode, deviceOf(device)) === 0) return;
    throw nativeError('mknodat', calls.errno());
  });
  if (made && folder.passesAcl) removeInheritedAclAt(path);
  return made;
}

function make(
  folder: TargetFolder,
  name: string,
  action: string,
  create: (path: string | Buffer) => void,
): boolean {
  const path = folder.path(name);
  try {
    create(path);
    return true;
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return false;
    throw failure(error, action, folder, name);
  }
}

/** dev_t as the C library packs it: 12 bits of major above 8 of minor, the higher bits of both further up. */
function deviceOf({ major, minor }: DeviceNumber): bigint {
  const [high, low] = [BigInt(major), BigInt(minor)];
  return (
    ((high & 0xfffff000n) << 32n) | ((high & 0xfffn) << 8n) | ((low & 0xffffff00n) << 12n) | (low & 0xffn)
  );
}
