import { closeSync, constants, openSync, readdirSync, rmdirSync, unlinkSync } from 'node:fs';
import type { FileTime } from './entry-metadata.js';
import { FileError } from './file-error.js';
import { folderNames } from './folder-names.js';
import { openPlace } from './metadata-place.js';
import { failure, type TargetFolder } from './target-folder.js';
import { lockedReason } from './target-replace.js';

/** Whether a folder has anything in it. Throws FileError (target) when that cannot be told. */
export function isFilled(folder: TargetFolder, name: string): boolean {
  let fd: number | undefined;
  try {
    fd = openSync(folder.path(name), constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    return folderNames(fd, folder.locate(name)).length > 0;
  } catch (error) {
    throw failure(error, 'look into', folder, name);
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/** Removes an entry that is no folder, itself and not what it leads to. Throws FileError (target). */
export function removeEntry(folder: TargetFolder, name: string): void {
  try {
    unlinkSync(folder.path(name));
  } catch (error) {
    throw failure(lockedReason(folder, name, error) ?? error, 'delete', folder, name);
  }
}

/** Removes a folder, which has to be empty. Throws FileError (target). */
export function removeEmptyFolder(folder: TargetFolder, name: string): void {
  try {
    rmdirSync(folder.path(name));
  } catch (error) {
    throw failure(lockedReason(folder, name, error) ?? error, 'delete', folder, name);
  }
}

/** The raw names in a folder, sorted by their bytes. Throws FileError (target). */
export function namesIn(folder: TargetFolder): readonly string[] {
  try {
    return readdirSync(folder.ownPath(), 'latin1').sort();
  } catch (error) {
    throw new FileError('target', 'read the folder', folder.location, error);
  }
}

/** Gives an open folder a time of modification back, if it can. */
export function restoreTime(folder: TargetFolder, time: FileTime): void {
  try {
    openPlace(folder.fd).setModified(time);
  } catch {
    // Whoever may delete in a folder that he does not own cannot set its time.
  }
}
