import { closeSync, constants, fstatSync, lstatSync, openSync, type Stats } from 'node:fs';
import { errnoOf } from '../core/index.js';
import { removeInheritedAcl } from './default-acl.js';
import { setFlagsBeforeContent } from './inode-flags.js';
import { native } from './native.js';
import { failure, type TargetFolder } from './target-folder.js';
import { markAlive, PRIVATE, type TemporaryFile } from './temporary-file.js';

/**
 * Files of some size that an interrupted restore leaves for the next one. Their temporary name tells which version of which
 * file they are to become, so that no other one goes on with them.
 */

/** The temporary name of a file of which these 8 bytes tell version and name. */
export function unfinishedName(identity: Uint8Array): string {
  return `.cbr-${Buffer.from(identity.subarray(0, 8)).toString('hex')}.tmp`;
}

/** Whether there may be something to go on with. */
export function hasUnfinished(folder: TargetFolder, name: string): boolean {
  try {
    return lstatSync(folder.path(name), { throwIfNoEntry: false })?.isFile() === true;
  } catch {
    return false; // whoever writes there meets the reason
  }
}

/**
 * Creates a file under its unfinished name, or opens the one that is there: what that holds has to be verified. Undefined
 * where neither can be done, as when another process writes to it: then a file of another name has to do. Throws FileError
 * (target) when the target refuses files altogether.
 */
export function openUnfinished(folder: TargetFolder, name: string, flags: number): TemporaryFile | undefined {
  // Nothing tells here whether another process writes to it.
  if (native() === undefined) return undefined;
  const wary = constants.O_RDWR | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  try {
    const fd = openSync(folder.path(name), wary | constants.O_CREAT | constants.O_EXCL, PRIVATE);
    // Another restore that tidies up has just found it, and is going to remove it.
    if (!markAlive(fd)) {
      closeSync(fd);
      return undefined;
    }
    if (folder.passesAcl) removeInheritedAcl(fd);
    setFlagsBeforeContent(fd, flags);
    return { fd, temporaryName: name };
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw failure(error, 'create', folder, name);
  }
  let fd: number | undefined;
  try {
    fd = openSync(folder.path(name), wary);
    if (!isOurs(fstatSync(fd)) || !markAlive(fd)) throw new Error('not to be touched');
    // Whoever wrote to it until now may have given it its own name.
    const { ino } = lstatSync(folder.path(name), { bigint: true });
    if (ino !== fstatSync(fd, { bigint: true }).ino) throw new Error('another one');
    return { fd, temporaryName: name };
  } catch {
    if (fd !== undefined) closeSync(fd);
    return undefined;
  }
}

/** As restores leave them: nobody else can have it open, or reach it by another name. */
function isOurs(its: Stats): boolean {
  return its.isFile() && its.nlink === 1 && its.uid === process.geteuid?.() && (its.mode & 0o177) === 0;
}

/** Closes a file and leaves it for the next restore. */
export function leaveUnfinished({ fd }: TemporaryFile): void {
  closeSync(fd);
}
