export { type CacheListing, clearCache, listCaches } from './cache-list.js';
export type { DirectoryPut, DirectoryState } from './directory-states.js';
export type { NamedSegment, Segments } from './index-changes.js';
export type { CachedPack, CachedSegment, ChunkPlace } from './layout.js';
export { type CacheOptions, openCache } from './open-cache.js';
export type { CacheCounts, RepositoryCache } from './repository-cache.js';
export { openRowStore, type Row, type RowStore, type RowStoreKind } from './row-store.js';
