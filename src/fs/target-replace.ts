import {
  closeSync,
  constants,
  fdatasyncSync,
  linkSync,
  openSync,
  renameSync,
  rmdirSync,
  unlinkSync,
} from 'node:fs';
import { errnoOf } from '../core/index.js';
import { FileError } from './file-error.js';
import { inodeFlags } from './inode-flags.js';
import { isStill, lookAt, type SeenEntry } from './seen-entry.js';
import { failure, type TargetFolder } from './target-folder.js';
import { nameNew, nameTemporarily, type TemporaryFile, temporaryName } from './temporary-file.js';

/** What is to give way to an entry that is restored; survives structured cloning. */
export interface Replaced {
  /** As it was when this was decided. */
  readonly seen: SeenEntry;
  /** The name under which a folder that is not empty is kept; without one it stays, and what was to replace it is refused. */
  readonly aside?: string | undefined;
}

/** FS_IMMUTABLE_FL and FS_APPEND_FL. */
const LOCKED = 0x10 | 0x20;

/**
 * Puts a whole file in the place of what has its name, in one step where that is no folder: at every moment the old or the
 * new one is there. Other names of the old file keep the old content. The new content is on the disk first: after a power
 * failure the old one could not come back. Throws FileError (target), and the old one stays, when it is not what was seen any
 * more, when it is locked by inode flags, and when it is a folder that is neither empty nor to be kept aside.
 */
export function replaceByFile(
  folder: TargetFolder,
  file: TemporaryFile,
  name: string,
  replaced: Replaced,
): void {
  try {
    fdatasyncSync(file.fd);
  } catch (error) {
    throw failure(error, 'write', folder, name);
  }
  if (file.temporaryName !== undefined) {
    takePlace(folder, file.temporaryName, name, replaced);
    return;
  }
  const own = nameTemporarily(folder, file.fd);
  removedUnless(folder, own, () => takePlace(folder, own, name, replaced));
}

/**
 * As `replaceByFile` for what has no content: `make` creates it, whole, under the name that it is given, and says whether it
 * could.
 */
export function replaceByOther<T>(
  folder: TargetFolder,
  name: string,
  replaced: Replaced,
  make: (temporary: string) => T | true,
): T | true {
  const own = temporaryName();
  const made = make(own);
  if (made === true) removedUnless(folder, own, () => takePlace(folder, own, name, replaced));
  return made;
}

/** As `replaceByFile`, by a second name of something that exists. */
export function replaceByLink(
  from: TargetFolder,
  existing: string,
  folder: TargetFolder,
  name: string,
  replaced: Replaced,
): void {
  const own = temporaryName();
  try {
    linkSync(from.path(existing), folder.path(own));
  } catch (error) {
    throw failure(error, 'create the hard link', folder, name);
  }
  removedUnless(folder, own, () => takePlace(folder, own, name, replaced));
}

/** Removes the temporary name when `action` throws. */
function removedUnless(folder: TargetFolder, own: string, action: () => void): void {
  try {
    action();
  } catch (error) {
    try {
      unlinkSync(folder.path(own));
    } catch {
      // The first error tells more; the next restore removes what is left.
    }
    throw error;
  }
}

function takePlace(folder: TargetFolder, own: string, name: string, { seen, aside }: Replaced): void {
  const now = lookAt(folder, name);
  if (now !== undefined && !isStill(now, seen)) {
    throw failure('it was changed by somebody else meanwhile', 'replace', folder, name);
  }
  if (now !== undefined && now.type !== 'directory') {
    try {
      renameSync(folder.path(own), folder.path(name));
    } catch (error) {
      throw failure(lockedReason(folder, name, error) ?? error, 'replace', folder, name);
    }
    return;
  }
  const back = now === undefined ? undefined : clearFolder(folder, name, aside);
  let named = false;
  try {
    named = nameNew(folder, own, name);
  } finally {
    if (!named) back?.();
  }
  if (!named) throw failure('somebody else has taken the name meanwhile', 'replace', folder, name);
}

/** Removes an empty folder, or renames it; returns what takes the renaming back. */
function clearFolder(
  folder: TargetFolder,
  name: string,
  aside: string | undefined,
): (() => void) | undefined {
  const path = folder.path(name);
  try {
    rmdirSync(path);
    return undefined;
  } catch (error) {
    const isFilled = errnoOf(error) === 'ENOTEMPTY' || errnoOf(error) === 'EEXIST';
    if (!isFilled) throw failure(lockedReason(folder, name, error) ?? error, 'replace', folder, name);
  }
  if (aside === undefined) throw failure(FILLED_FOLDER, 'replace', folder, name);
  moveAside(folder, name, aside);
  return () => void nameNew(folder, aside, name);
}

/** Why a folder stays where it is. */
export const FILLED_FOLDER = 'it is a folder that is not empty, and only --delete empties it';

/** Renames an entry of the target, of any type, to a name that is free. Throws FileError (target). */
export function moveAside(folder: TargetFolder, name: string, aside: string): void {
  let moved = false;
  try {
    moved = nameNew(folder, name, aside);
  } catch (error) {
    throw failure(lockedReason(folder, name, error) ?? error, 'replace', folder, name);
  }
  if (!moved) throw failure(`${aside} is taken`, 'replace', folder, name);
}

/** A refusal that inode flags explain, in words that help. */
export function lockedReason(folder: TargetFolder, name: string, error: unknown): string | undefined {
  const errno = error instanceof FileError ? error.errno : errnoOf(error);
  if (errno !== 'EPERM') return undefined;
  const wary = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  let fd: number | undefined;
  try {
    fd = openSync(folder.path(name), wary);
    const isLocked = (inodeFlags(fd, folder.locate(name), []) & LOCKED) !== 0;
    if (isLocked) return 'it is locked by its inode flags; chattr -ia frees it';
    const isHere = (inodeFlags(folder.fd, folder.location, []) & LOCKED) !== 0;
    return isHere ? 'its folder is locked by inode flags; chattr -ia frees it' : undefined;
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}
