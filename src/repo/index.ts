export { type Algorithms, loadAlgorithms } from './algorithms/algorithms.js';
export type { Blake3 } from './algorithms/blake3.js';
export { judgePack } from './bad-packs.js';
export { type BlockHeader, openBlock, type PackSeal } from './block.js';
export {
  type CachedPack,
  type CacheListing,
  clearCache,
  type DirectoryPut,
  type DirectoryState,
  listCaches,
  type RepositoryCache,
  type Row,
  type RowStore,
  type RowStoreKind,
} from './cache/index.js';
export type {
  CatalogBuild,
  CatalogDisc,
  CatalogEvent,
  CatalogPack,
  DiscCatalog,
  DiscContent,
  PlannedCatalogBuild,
  PlannedCatalogDisc,
} from './catalog-replay.js';
export * from './chunk-reader.js';
export * from './config.js';
export {
  BlockCopier,
  type BlockCopierOptions,
  type BlockToStore,
  type OpenedBlock,
} from './copy/block-copier.js';
export { isDamage } from './damage.js';
export * from './disc-catalog.js';
export { type FoundChunk, findChunk } from './find-chunk.js';
export * from './forget.js';
export { areStatesSound, isStateCurrent, setStateGeneration } from './index-generation.js';
export * from './index-segment.js';
export * from './index-sync.js';
export * from './key-slots.js';
export { type KeyMaterial, type Keys, keysFrom } from './keys.js';
export * from './left-over.js';
export * from './load-repository.js';
export { requireRemoval } from './may-remove.js';
export { type MirrorOptions, type MirrorReport, mirror } from './mirror/mirror.js';
export * from './notes.js';
export { FORMAT_VERSION } from './object-header.js';
export { type OpenedRecord, openRecord, RECORD_KINDS, type RecordKindName } from './open-record.js';
export { openOrMakeStore, openStore, type Report, type StoreAccess } from './open-store.js';
export { isOutOfRoom } from './out-of-room.js';
export * from './pack-reader.js';
export * from './pack-store.js';
export type { PackTable } from './pack-table.js';
export * from './pack-writer.js';
export { type FoundParameters, readParameters } from './parameters.js';
export { isProven } from './proven-object.js';
export {
  type BlockSealer,
  type BlocksToSeal,
  type BlockWriterOptions,
  BlockWriters,
  blockWriterSettings,
  discardPacks,
} from './prune/block-sealer.js';
export { ChunkUsage, type PackRank } from './prune/chunk-usage.js';
export { lostOutcomes } from './prune/lost-outcomes.js';
export { prune } from './prune/prune.js';
export * from './prune/prune-options.js';
export { type PruneStatus, pruneStatus } from './prune/prune-status.js';
export type { PruneWorkers } from './prune/prune-workers.js';
export { seenByForgotten } from './prune/seen-by-forgotten.js';
export { usedBlocks } from './prune/used-blocks.js';
export { headerOfDamaged } from './read-pack-header.js';
export * from './recent-view.js';
export * from './record-store.js';
export * from './records.js';
export * from './repository.js';
export * from './running-session.js';
export * from './scrub/scrub.js';
export { buildSegments, type IndexedPack } from './segment-builder.js';
export * from './segment-codec.js';
export * from './session.js';
export * from './stored-block.js';
export * from './stored-policies.js';
export * from './stored-probe.js';
export * from './try-store.js';
export * from './view.js';
