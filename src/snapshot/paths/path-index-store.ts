import type { RowStore, RowStoreKind } from '../../repo/index.js';

/** The tables of the path index. Numbers in keys are big endian, so that they sort. */
export type PathTables = 'chains' | 'snapshots' | 'paths' | 'events';

export type PathIndexStore = RowStore<PathTables>;

/** Its folder in that of the cache. */
export const PATH_INDEX_FOLDER = 'paths';

export const PATH_INDEX: RowStoreKind<PathTables> = Object.freeze({
  folder: PATH_INDEX_FOLDER,
  what: 'path index',
  schema: 1,
  tables: ['chains', 'snapshots', 'paths', 'events'] as const,
  // Long enough for a search that runs elsewhere, or a small update; who builds the whole index is not waited for.
  patienceMs: 20_000,
});
