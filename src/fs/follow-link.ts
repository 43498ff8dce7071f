import { realpathSync } from 'node:fs';
import { constants } from 'node:os';
import { toLatin1 } from '../core/index.js';
import { FileError, nativeError } from './file-error.js';
import { baseName, joinRaw, parentPath, type RawPath, toNodePath } from './raw-path.js';
import { readLink } from './source-file.js';
import { statPath } from './stat.js';
import type { StatTable } from './stat-table.js';

/** So many links in a chain are a loop, as they are for the kernel. */
const MOST_LINKS = 40;

/** What a symlink leads to. */
export interface Followed {
  /** Its path with no symlink on it. */
  readonly real: RawPath;
  /** Links in the chain, the first one included. */
  readonly links: number;
}

/**
 * Follows a symlink to what is none, link by link; the row of that becomes the only one of `into`. `link` is a path with no symlink
 * above its last name. Undefined when more than `most` links would have to be followed. Throws FileError (source): with
 * the errno ENOENT when it leads nowhere, ELOOP when it leads to itself.
 */
export function followLink(link: RawPath, most: number, into: StatTable): Followed | undefined {
  let real = link;
  for (let links = 1; links <= most; links++) {
    if (links > MOST_LINKS) {
      throw new FileError(
        'source',
        'follow the symlink',
        link,
        nativeError('readlink', constants.errno.ELOOP),
      );
    }
    real = placeOf(real, readLink(real, 'none'));
    into.clear();
    if (into.type(statPath(real, into)) !== 'symlink') return { real, links };
  }
  return undefined;
}

/** Where a link with this target leads, its last name not followed. */
function placeOf(link: RawPath, target: string): RawPath {
  const path = target.startsWith('/') ? target : joinRaw(parentPath(link), target);
  const last = baseName(path as RawPath);
  try {
    // Then it ends at a folder, whichever links lead there.
    if (last === '' || last === '.' || last === '..') return realPath(path);
    return joinRaw(realPath(path.slice(0, path.length - last.length)), last);
  } catch (error) {
    throw new FileError('source', 'follow the symlink', link, error);
  }
}

function realPath(path: string): RawPath {
  return toLatin1(realpathSync.native(toNodePath(path), 'buffer')) as RawPath;
}
