/**
 * The library's front door: what a program needs to take, list, restore and check snapshots by itself. Everything else is
 * an implementation detail and may change with any release.
 */
export { CbrError, DamagedError, type ErrorCode, FormatError, VERSION } from './core/index.js';
export { displayPath } from './fs/index.js';
export {
  type ConfigRecord,
  createKeySlot,
  type InitParameters,
  initRepository,
  type KeySlot,
  listKeySlots,
  type OpenOptions,
  openRepository,
  type Repository,
  removeKeySlot,
} from './repo/index.js';
export {
  type AboutSnapshot,
  type CheckOptions,
  type CheckReport,
  checkRepository,
  type Entry,
  type Finding,
  filterSnapshots,
  type ItemEvent,
  type Level,
  type ListedEntry,
  type ListedSnapshots,
  type Listener,
  listEntries,
  listSnapshots,
  type OperationEvent,
  type ProblemEvent,
  type ProgressEvent,
  parseSnapshotPath,
  type RepositoryStats,
  type RestoreOptions,
  type RestoreSummary,
  repositoryStats,
  restoreSnapshot,
  type SessionStatus,
  type Snapshot,
  type SnapshotFilter,
  selectSnapshot,
  sessionStatus,
  type TakeOptions,
  type TakeSummary,
  takeSnapshot,
} from './snapshot/index.js';
