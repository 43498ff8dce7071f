export type { CheckOptions, CheckReport } from './check/check-options.js';
export { checkRepository } from './check/check-repository.js';
export type { Finding } from './check/findings.js';
export { liesOnDiscs } from './check/of-discs.js';

export { compareTrees, type EntryPair } from './compare-trees.js';
export type { CopiedSnapshot, CopyOptions, CopySummary } from './copy/copy-options.js';
export { copySnapshots, cutsDiffer } from './copy/copy-snapshots.js';
export type { Aspect, Change, ChangeKind } from './diff/change.js';
export { diffLive, type LiveOptions, liveRoots } from './diff/diff-live.js';
export {
  type DiffOptions,
  type DiffSide,
  diffSnapshots,
  shownPath,
} from './diff/diff-snapshots.js';
export type { ChangeBatch } from './diff/gather-changes.js';
export type { ArchiveWriter } from './dump/archive-writer.js';
export type { ByteSink, EndingSink } from './dump/byte-sink.js';
export { type ArchiveSummary, dumpArchive } from './dump/dump-archive.js';
export { dumpFile } from './dump/dump-file.js';
export { type DumpSource, openDump } from './dump/dump-source.js';
export { TarWriter } from './dump/tar-writer.js';
export { ZipWriter } from './dump/zip-writer.js';
export { ZstdSink } from './dump/zstd-sink.js';

export * from './entry.js';
export * from './events.js';
export { pathInSnapshot } from './find-path.js';
export { type AppliedForgetPlan, applyForgetPlan } from './forget/apply-forget-plan.js';
export { type ForgetOptions, forgetSnapshots } from './forget/forget-snapshots.js';
export {
  type DamagedForgotten,
  type ForgottenSnapshot,
  selectForgotten,
} from './forget/forgotten-snapshots.js';
export { type ListedForgotten, listForgotten } from './forget/list-forgotten.js';
export { type ForgetPlan, type ForgetRequest, planForget } from './forget/plan-forget.js';
export { type PlannedSnapshot, plannedSnapshot } from './forget/planned-snapshot.js';
export {
  type UnforgetOptions,
  type Unforgotten,
  unforgetSnapshot,
} from './forget/unforget-snapshot.js';
export { rootsLacking } from './forget/whole-roots.js';
export { type MayLack, mayLackOf, partsOf } from './held-paths.js';
export {
  type Inspected,
  inspectChunk,
  inspectPack,
  inspectPath,
  inspectRecord,
  inspectSegment,
  inspectTree,
} from './inspect/inspect.js';
export { RawText, type Readable } from './inspect/readable.js';
export { type ListedEntry, listEntries } from './list-entries.js';
export { type ListedSnapshots, listSnapshots } from './list-snapshots.js';
export {
  type Annotated,
  annotateSnapshot,
  isPinned,
  type SnapshotChange,
  type TagChange,
} from './notes.js';
export { findPaths, HistoryReader, type PathHistory, type StateFilter } from './paths/find-paths.js';
export { type IndexOptions, type IndexReport, openPathIndex } from './paths/index-snapshots.js';
export type { PathIndex } from './paths/path-index.js';
export { PATH_INDEX_FOLDER } from './paths/path-index-store.js';
export type { PathState } from './paths/path-state.js';
export type { PathChange, PathVersion } from './paths/path-versions.js';
export { newestOfGroups, type SnapshotGroup, snapshotGroups } from './paths/snapshot-groups.js';
export { pruneRepository } from './prune/prune-repository.js';
export { treeWalk, walkReachable } from './prune/reach.js';
export type { Deletion } from './restore/deletion-plan.js';
export {
  OVERWRITE_NOTHING,
  OVERWRITES,
  type Overwrite,
  type OverwriteRule,
} from './restore/overwrite-rule.js';
export {
  type RestoreOptions,
  type RestoreSummary,
  SAME_LAYOUT,
  type TargetLayout,
} from './restore/restore-options.js';
export { restoreSnapshot } from './restore/restore-snapshot.js';
export { type RestoreWorkers, startRestoreWorkers } from './restore/restore-workers.js';
export { countOfEntries, type EntryCounts } from './rewrite/entry-counts.js';
export { type Merged, type MergeRequest, mergeSnapshots } from './rewrite/merge-snapshots.js';
export type { Move } from './rewrite/move-sources.js';
export type { NewWords, RewriteChange, RewriteOptions, Rewritten } from './rewrite/rewrite-options.js';
export { type Rewriter, rewriter } from './rewrite/rewrite-snapshot.js';
export type { SnapshotChoice } from './select-latest.js';
export { parseSnapshotPath, selectSnapshot } from './select-snapshot.js';
export * from './session-status.js';
export { copyOf, isPartial, rewrittenFrom, type SnapshotOrigin } from './snapshot-extensions.js';
export { filterSnapshots, filterText, type SnapshotFilter } from './snapshot-filter.js';
export * from './snapshot-record.js';
export type { Footprint } from './stats/chunk-owners.js';
export {
  type ContentShare,
  type ContentShares,
  sharesByFolder,
  sharesByType,
} from './stats/content-shares.js';
export { type MeasureOptions, measureSnapshots } from './stats/measure-snapshots.js';
export * from './stats/repository-stats.js';
export { type IntakePool, intakePool } from './take/intake-engine.js';
export { type NewContent, NewDataLimitError } from './take/new-data-limit.js';
export type { StreamInput } from './take/stream-source.js';
export type { StoredUnder, TakeOptions, TakeSummary } from './take/take-options.js';
export { takeSnapshot } from './take/take-snapshot.js';
