import { closeSync, constants, lstatSync, mkdirSync, openSync } from 'node:fs';
import { errnoOf } from '../core/index.js';
import { inheritsAcl, removeInheritedAcl } from './default-acl.js';
import { checkEntryName } from './entry-name.js';
import { type EntryType, entryTypeOf } from './entry-type.js';
import { FileError } from './file-error.js';
import { descriptorPath, hasDescriptorPaths, withShortPath } from './long-path.js';
import { joinRaw, type NodePath, parentPath, type RawPath, toNodePath } from './raw-path.js';

/** What another thread needs to write into a folder opened here; survives structured cloning. */
export interface TargetFolderHandle {
  readonly fd: number;
  readonly location: RawPath;
  readonly passesAcl: boolean;
  readonly created: boolean;
}

/**
 * A folder of the target, held open. Its entries are reached through the open folder, not by the path that led to it, so
 * that no symlink put in that path's place can lead a write elsewhere. File descriptors belong to the process: the same
 * folder serves every thread, until whoever opened it closes it. (Without /proc, entries are reached by path.)
 */
export class TargetFolder implements TargetFolderHandle {
  private readonly prefix: string;

  private constructor(
    readonly fd: number,
    /** Where it is, for messages and problems. */
    readonly location: RawPath,
    /** Whether it did not exist before. */
    readonly created: boolean,
    /** Whether new entries get an ACL from this folder. */
    readonly passesAcl: boolean,
  ) {
    this.prefix = `${hasDescriptorPaths() ? descriptorPath(fd) : location}/`;
  }

  /** The folder open as `fd`, which now belongs to the result. */
  static adopt(fd: number, location: RawPath, created: boolean): TargetFolder {
    return new TargetFolder(fd, location, created, inheritsAcl(fd));
  }

  /** The same folder, for use in another thread; not to be closed there. */
  static from(handle: TargetFolderHandle): TargetFolder {
    return new TargetFolder(handle.fd, handle.location, handle.created, handle.passesAcl);
  }

  handle(): TargetFolderHandle {
    return { fd: this.fd, location: this.location, passesAcl: this.passesAcl, created: this.created };
  }

  /** The path by which node:fs reaches an entry. Rejects (FormatError) what is not a name. */
  path(name: string): NodePath {
    return toNodePath(this.rawPath(name));
  }

  /** As `path`, for native calls. */
  rawPath(name: string): RawPath {
    checkEntryName(name);
    return (this.prefix + name) as RawPath;
  }

  /** The path of the folder itself for node:fs. */
  ownPath(): NodePath {
    return toNodePath(this.prefix.slice(0, -1) || '/');
  }

  /** Where an entry is, for messages and problems. */
  locate(name: string): RawPath {
    return joinRaw(this.location, name);
  }

  close(): void {
    closeSync(this.fd);
  }
}

/**
 * Opens the folder to restore to, and creates it with its parents if it does not exist. A symlink in this path is the
 * user's own and is followed; below, none is. Throws FileError (target).
 */
export function openTarget(path: RawPath): TargetFolder {
  const flags = constants.O_RDONLY | constants.O_DIRECTORY;
  try {
    const created = createWithParents(path);
    return TargetFolder.adopt(
      withShortPath(path, (short) => openSync(toNodePath(short), flags)),
      path,
      created,
    );
  } catch (error) {
    throw error instanceof FileError ? error : new FileError('target', 'open the target', path, error);
  }
}

function createWithParents(path: RawPath): boolean {
  try {
    withShortPath(path, (short) => mkdirSync(toNodePath(short), 0o777));
    return true;
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'EEXIST') return false;
    if (errno !== 'ENOENT' || path === '/') throw new FileError('target', 'create the folder', path, error);
  }
  createWithParents(parentPath(path));
  return createWithParents(path);
}

/**
 * The folder `name` of `parent`, created (only for its owner) if there is none. A folder that exists is taken as it is;
 * anything else of that name, a symlink to a folder too, is refused with FileError (target).
 */
export function makeFolder(parent: TargetFolder, name: string): TargetFolder {
  const path = parent.path(name);
  let created = true;
  try {
    mkdirSync(path, 0o700);
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw failure(error, 'create the folder', parent, name);
    created = false;
  }
  return open(parent, name, created);
}

/** The existing folder `name` of `parent`; throws FileError (target) if it is anything else. */
export function openFolder(parent: TargetFolder, name: string): TargetFolder {
  return open(parent, name, false);
}

function open(parent: TargetFolder, name: string, created: boolean): TargetFolder {
  const path = parent.path(name);
  try {
    const fd = openSync(path, constants.O_RDONLY | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    if (created && parent.passesAcl) removeInheritedAcl(fd);
    return TargetFolder.adopt(fd, parent.locate(name), created);
  } catch (error) {
    const found = errnoOf(error) === 'ENOTDIR' || errnoOf(error) === 'ELOOP';
    const cause = found ? refusal(existingType(parent, name)) : error;
    throw failure(cause, 'restore into', parent, name);
  }
}

function refusal(type: EntryType | undefined): string {
  return type === 'symlink'
    ? 'it is a symlink, and nothing is written through one; remove it or choose another target'
    : `it exists and is a ${type ?? 'thing unknown'}`;
}

/** The type of the entry that has this name now, not followed; undefined if there is none. Throws FileError (target). */
export function existingType(folder: TargetFolder, name: string): EntryType | undefined {
  const path = folder.path(name);
  try {
    const found = lstatSync(path, { throwIfNoEntry: false });
    return found === undefined ? undefined : entryTypeOf(found.mode);
  } catch (error) {
    throw failure(error, 'look at', folder, name);
  }
}

/** The error of something that failed for one entry of a folder. */
export function failure(cause: unknown, action: string, folder: TargetFolder, name: string): FileError {
  return new FileError('target', action, folder.locate(name), cause);
}
