import { createHash } from 'node:crypto';
import { fromLatin1 } from '../../core/index.js';
import { FileError, fileSystemOf, listFolder, type RawPath } from '../../fs/index.js';
import type { RepositoryCache } from '../../repo/index.js';

/** On which file system a source that held something was seen last, by the path under which it is stored. */

const MOUNT_VALUE = 'source ';

function mountName(path: RawPath): string {
  return MOUNT_VALUE + createHash('sha256').update(fromLatin1(path)).digest('hex').slice(0, 32);
}

/**
 * An empty mount point looks like a folder whose files were all deleted; a snapshot of it would age out the real ones.
 * Throws FileError (source) for one.
 */
export function refuseVanishedMount(
  path: RawPath,
  fileSystem: string,
  isEmpty: boolean,
  cache: RepositoryCache,
): void {
  const before = cache.getValue(mountName(path));
  const seen = before === undefined ? undefined : Buffer.from(before).toString();
  if (isEmpty && seen !== undefined && seen !== fileSystem) {
    throw new FileError(
      'source',
      'take in',
      path,
      'it held files, and is now empty on another file system: not mounted?',
    );
  }
}

/** Remembers, after a commit, on which file system a source that holds something was seen. `real`: where it is read. */
export function rememberMount(path: RawPath, real: RawPath, cache: RepositoryCache): void {
  try {
    if (listFolder(real).names.length > 0)
      cache.setValue(mountName(path), Buffer.from(fileSystemOf(real).id));
  } catch (error) {
    // Gone since it was taken in: nothing to remember.
    if (!(error instanceof FileError)) throw error;
  }
}
