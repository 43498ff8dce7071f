import type { Snapshot } from '../snapshot-record.js';

export interface RestoreOptions {
  readonly snapshot: Snapshot;
  /** Restore this path of the snapshot only: a folder's contents, or one file. */
  readonly path?: string;
  /** Folder to restore to, as the user wrote it. */
  readonly target: string;
  /** Patterns in gitignore syntax, relative to what is restored. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  readonly dryRun: boolean;
  /** Read every file of the target afterwards and compare it with the chunk ids. */
  readonly verify: boolean;
  readonly threads: number;
  /** Content items that are planned at once, of one file or of many; fewer need less memory. There is a default. */
  readonly windowItems?: number;
  /** Send an event for every file. */
  readonly items: boolean;
  readonly signal: AbortSignal;
}

export interface RestoreSummary {
  readonly files: number;
  readonly folders: number;
  readonly others: number;
  readonly bytes: number;
  /** Entries that were there already and were left alone. */
  readonly skippedExisting: number;
  /** Files and folders whose content could not be restored. */
  readonly lost: number;
  /** Attributes that could not be set, and special files that could not be made: they have no content. */
  readonly metadataProblems: number;
  /** Files found right by the verification, if there was one. */
  readonly verified?: number;
}
