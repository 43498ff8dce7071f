import { displayPath, parentPath, type RawPath, rawPath, StatTable, statPath } from '../../fs/index.js';
import { folderKey } from './linked-files.js';
import { Ways } from './ways.js';

/** The folders of cbr itself, which no snapshot takes in: by `folderKey`, with the reason. */
export type OwnFolders = ReadonlyMap<string, string>;

/** `repository`: its folder, where it has one. */
export function findOwnFolders(caches: readonly string[], repository: string | undefined): OwnFolders {
  const found = new Map<string, string>();
  const add = (path: string, reason: string): void => {
    try {
      // Given by a symlink, it is the folder that counts.
      found.set(folderKey(new Ways().folder(rawPath(path)).stats, 0), reason);
    } catch {
      // Not there: nothing to leave out.
    }
  };
  for (const folder of caches) add(folder, 'it is the cache of cbr');
  if (repository !== undefined) add(repository, 'it is this repository');
  return found;
}

/**
 * Tells what must not be taken in because it is, or lies in, a folder of cbr itself: a repository that stores itself would
 * be twice as large with every snapshot. Each folder is looked at once.
 */
export class OwnPlaces {
  private readonly reasons = new Map<RawPath, string | undefined>();
  private readonly stats = new StatTable(1);

  constructor(private readonly own: OwnFolders) {}

  /** Why a path, with no symlink above its last name, is not taken in; undefined if it may be. Throws FileError (source). */
  refusal(real: RawPath): string | undefined {
    const itself = this.reasonOf(real);
    if (itself !== undefined) return itself;
    return real === '/' ? undefined : this.above(parentPath(real));
  }

  private above(folder: RawPath): string | undefined {
    if (!this.reasons.has(folder)) {
      const itself = this.reasonOf(folder);
      const told = itself === undefined ? undefined : `it lies in ${displayPath(folder)}, and ${itself}`;
      this.reasons.set(folder, told ?? (folder === '/' ? undefined : this.above(parentPath(folder))));
    }
    return this.reasons.get(folder);
  }

  private reasonOf(path: RawPath): string | undefined {
    this.stats.clear();
    return this.own.get(folderKey(this.stats, statPath(path, this.stats)));
  }
}
