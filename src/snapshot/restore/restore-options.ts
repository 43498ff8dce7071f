import type { FilterRules, MetadataChoice } from '../../fs/index.js';
import type { Snapshot } from '../snapshot-record.js';
import type { Deletion } from './deletion-plan.js';
import type { OverwriteRule } from './overwrite-rule.js';

export interface RestoreOptions {
  readonly snapshot: Snapshot;
  /** Restore this path of the snapshot only: a folder's contents, or one file. */
  readonly path?: string;
  /** Folder to restore to, as the user wrote it. */
  readonly target: string;
  /** What of it; patterns are relative to what is restored. */
  readonly rules: FilterRules;
  /** What may be done to what exists. */
  readonly rule: OverwriteRule;
  readonly metadata: MetadataChoice;
  /** How the paths below what is restored become those below the target. */
  readonly layout: TargetLayout;
  /**
   * Deletes from the target what the snapshot does not have there, after all was restored: only what this resolves for, which
   * is asked before anything is written, and only when there is something to delete. Rejects to stop the restore.
   */
  readonly confirmDeletions?: (deletions: readonly Deletion[]) => Promise<void>;
  /** Folders that are never deleted from the target, nor anything in them: those of cbr itself. */
  readonly ownFolders: readonly string[];
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

export interface TargetLayout {
  /** So many folders are taken from the beginning of each path. */
  readonly stripComponents: number;
  /** All that is no folder lies in the target itself. */
  readonly flatten: boolean;
}

export const SAME_LAYOUT: TargetLayout = Object.freeze({ stripComponents: 0, flatten: false });

export interface RestoreSummary {
  readonly files: number;
  readonly folders: number;
  readonly others: number;
  readonly bytes: number;
  /** Those of the files and others that took the place of something. */
  readonly replaced: number;
  /** Entries that were there already as they are in the snapshot, but for metadata that was set. */
  readonly unchanged: number;
  /** Entries that were deleted from the target. */
  readonly deleted: number;
  /** Entries that were to be deleted and could not be. */
  readonly undeleted: number;
  /** Paths that `stripComponents` leaves nothing of. */
  readonly stripped: number;
  /** Of a preview: bytes that are to be written and have no room in the target. */
  readonly missingRoom: number;
  /** Entries that were there already and were left alone. */
  readonly skippedExisting: number;
  /** Files and folders whose content could not be restored. */
  readonly lost: number;
  /** Attributes that could not be set, and special files that could not be made: they have no content. */
  readonly metadataProblems: number;
  /** Files found right by the verification, if there was one. */
  readonly verified?: number;
}
