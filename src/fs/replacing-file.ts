import { randomBytes } from 'node:crypto';
import {
  closeSync,
  constants,
  fchmodSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  type Stats,
  statSync,
} from 'node:fs';
import { errnoOf, toLatin1 } from '../core/index.js';
import { MODE_BITS } from './entry-type.js';
import { FileError } from './file-error.js';
import { ownMarks } from './own-marks.js';
import { baseName, parentPath, type RawPath, toNodePath } from './raw-path.js';
import { failure, TargetFolder } from './target-folder.js';
import { commit, createTemporary, discard, type TemporaryFile } from './temporary-file.js';

/** What a new file gets, less the umask. */
const USUAL_MODE = 0o666;
/** Where the umask cannot be told. */
const CAREFUL_MODE = 0o600;

/** A file that takes its place, also that of an older one, only when it is whole. To be ended by one of the two. */
export interface ReplacingFile {
  readonly fd: number;
  /** Whether there is a file that `keep` replaces. */
  readonly replaces: boolean;
  /** Puts it in its place, durable. Throws FileError (target); then nothing has changed. */
  keep(): void;
  /** Leaves what was there before. */
  drop(): void;
}

/**
 * Opens a file to be written in place of what has that path, in a folder that exists. A symlink is followed; a device or a
 * fifo is written to as it is. Throws FileError (target).
 */
export function openReplacing(path: RawPath): ReplacingFile {
  const found = existing(path);
  if (found !== undefined && !found.stat.isFile()) return openInPlace(found.path, found.stat.isDirectory());
  const place = found?.path ?? path;
  const folder = openParent(place);
  let file: TemporaryFile;
  try {
    file = createTemporary(folder);
  } catch (error) {
    folder.close();
    throw error;
  }
  const drop = (): void => {
    try {
      discard(folder, file);
    } finally {
      folder.close();
    }
  };
  const keep = (): void => {
    const name = baseName(place);
    try {
      fchmodSync(file.fd, found === undefined ? newMode() : found.stat.mode & MODE_BITS);
      fsyncSync(file.fd);
      replace(folder, file, name);
      fsyncSync(folder.fd);
    } catch (error) {
      drop();
      throw error instanceof FileError ? error : failure(error, 'write', folder, name);
    }
    closeSync(file.fd);
    folder.close();
  };
  return { fd: file.fd, replaces: found !== undefined, keep, drop };
}

interface Existing {
  /** Without symlinks. */
  readonly path: RawPath;
  readonly stat: Stats;
}

function existing(path: RawPath): Existing | undefined {
  try {
    const real = realpathSync(toNodePath(path), 'buffer');
    return { path: toLatin1(real) as RawPath, stat: statSync(real) };
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return undefined;
    throw new FileError('target', 'write', path, error);
  }
}

function openInPlace(path: RawPath, isFolder: boolean): ReplacingFile {
  if (isFolder) throw new FileError('target', 'write', path, 'it is a folder');
  try {
    const fd = openSync(toNodePath(path), constants.O_WRONLY);
    const close = (): void => closeSync(fd);
    return { fd, replaces: false, keep: close, drop: close };
  } catch (error) {
    throw new FileError('target', 'write', path, error);
  }
}

function openParent(path: RawPath): TargetFolder {
  const parent = parentPath(path);
  try {
    const fd = openSync(toNodePath(parent), constants.O_RDONLY | constants.O_DIRECTORY);
    return TargetFolder.adopt(fd, parent, false);
  } catch (error) {
    throw new FileError('target', 'write into the folder', parent, error);
  }
}

function newMode(): number {
  const marks = ownMarks();
  return marks === undefined ? CAREFUL_MODE : USUAL_MODE & ~marks.umask;
}

function replace(folder: TargetFolder, file: TemporaryFile, name: string): void {
  let own = file.temporaryName;
  if (own === undefined) {
    if (commit(folder, file, name)) return;
    // Something has that name: only what has one of its own can take its place.
    own = `.cbr-${randomBytes(8).toString('hex')}.tmp`;
    commit(folder, file, own);
  }
  renameSync(folder.path(own), folder.path(name));
}
