export * from './entry.js';
export * from './events.js';
export * from './snapshot-record.js';
export type { TakeOptions, TakeSummary } from './take/take-options.js';
export { takeSnapshot } from './take/take-snapshot.js';
export type { RestoreOptions, RestoreSummary } from './restore/restore-options.js';
export { restoreSnapshot } from './restore/restore-snapshot.js';
