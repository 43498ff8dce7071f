import { realpathSync } from 'node:fs';
import { toLatin1 } from '../../core/index.js';
import {
  baseName,
  FileError,
  joinRaw,
  parentPath,
  type RawPath,
  StatTable,
  statPath,
  toNodePath,
} from '../../fs/index.js';

/** A folder as it was when it was looked at, under the path that leads to it without symlinks. */
export interface SeenFolder {
  readonly real: RawPath;
  /** Its row alone. */
  readonly stats: StatTable;
}

/** The folders on the ways to the sources, each looked at once, however many sources lie in it. */
export class Ways {
  private readonly seen = new Map<RawPath, SeenFolder | FileError>();

  /** The folder at a path; a symlink counts as the folder it leads to. Throws FileError (source). */
  folder(path: RawPath): SeenFolder {
    let found = this.seen.get(path);
    if (found === undefined) {
      found = this.look(path);
      this.seen.set(path, found);
    }
    if (found instanceof FileError) throw found;
    return found;
  }

  private look(path: RawPath): SeenFolder | FileError {
    try {
      const place = path === '/' ? path : joinRaw(this.folder(parentPath(path)).real, baseName(path));
      const stats = new StatTable(1);
      if (stats.type(statPath(place, stats)) !== 'symlink') return { real: place, stats };
      const real = realPath(place);
      stats.clear();
      statPath(real, stats);
      return { real, stats };
    } catch (error) {
      if (error instanceof FileError) return error;
      throw error;
    }
  }

  /** The path to the same entry that no symlink lies on; its last name is not followed. Throws FileError (source). */
  real(path: RawPath): RawPath {
    return path === '/' ? path : joinRaw(this.folder(parentPath(path)).real, baseName(path));
  }

  /** The folders above a path, from the outermost on, without the root. Throws FileError (source). */
  above(path: RawPath): SeenFolder[] {
    const found: SeenFolder[] = [];
    for (let folder = parentPath(path); folder !== '/'; folder = parentPath(folder)) {
      found.push(this.folder(folder));
    }
    return found.reverse();
  }
}

function realPath(path: RawPath): RawPath {
  try {
    return toLatin1(realpathSync.native(toNodePath(path), 'buffer')) as RawPath;
  } catch (error) {
    throw new FileError('source', 'follow the symlink', path, error);
  }
}
