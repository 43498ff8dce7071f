import { type Database, openDatabase } from './database.js';
import { CACHE_SCHEMA } from './layout.js';
import { type CacheOptions, type Kept, openHoused } from './open-housed.js';
import { RepositoryCache } from './repository-cache.js';

export type { CacheOptions } from './open-housed.js';

/**
 * Opens the cache of a repository, whatever state it is in: see `openHoused`. A second process does not wait for it. Rejects
 * only when there is no room for a private one either.
 */
export async function openCache(options: CacheOptions): Promise<RepositoryCache> {
  const { report } = options;
  const kept: Kept<Database, RepositoryCache> = {
    what: 'cache',
    schema: CACHE_SCHEMA,
    walkArguments: [],
    patienceMs: 0,
    openDatabase: (path) => openDatabase(path, 'write'),
    prepare: async (database, housing, wasInterrupted) => {
      const cache = new RepositoryCache(database, housing);
      await cache.prepare(wasInterrupted);
      if (wasInterrupted)
        report('A run that removed packs was interrupted: the chunk index is built anew.', 'notice');
      return cache;
    },
  };
  return openHoused(options, kept);
}
