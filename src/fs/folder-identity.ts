import { closeSync, constants, openSync, realpathSync } from 'node:fs';
import { toLatin1 } from '../core/index.js';
import { O_PATH, withShortPath } from './long-path.js';
import { baseName, joinRaw, parentPath, type RawPath, toNodePath } from './raw-path.js';
import { lookAtOpen, type SeenEntry } from './seen-entry.js';

/** A text that no other entry of the machine has. */
export function identityOf({ inode, fileSystem }: Pick<SeenEntry, 'inode' | 'fileSystem'>): string {
  return `${fileSystem} ${inode}`;
}

/** The identity of the folder that a path leads to, also through symlinks; undefined where there is none. */
export function identityOfFolder(path: RawPath): string | undefined {
  let fd: number | undefined;
  try {
    fd = withShortPath(path, (short) => openSync(toNodePath(short), O_PATH | constants.O_DIRECTORY));
    return identityOf(lookAtOpen(fd));
  } catch {
    return undefined;
  } finally {
    if (fd !== undefined) closeSync(fd);
  }
}

/**
 * The identities of the folder that a path leads to and of all above it, from the deepest on that exists; symlinks on the way
 * are followed first.
 */
export function identitiesUpFrom(path: RawPath): readonly string[] {
  const found: string[] = [];
  let at = realPath(path);
  for (;;) {
    const identity = identityOfFolder(at);
    if (identity !== undefined) found.push(identity);
    if (at === '/') return found;
    at = parentPath(at);
  }
}

/** A path without symlinks, as far as it exists; what does not exist yet stays as it is. */
export function realPath(path: RawPath): RawPath {
  try {
    return toLatin1(realpathSync.native(toNodePath(path), 'buffer')) as RawPath;
  } catch {
    return path === '/' ? path : joinRaw(realPath(parentPath(path)), baseName(path));
  }
}
