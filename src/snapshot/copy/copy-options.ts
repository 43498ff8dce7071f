import type { CbrError } from '../../core/index.js';
import type { Snapshot } from '../snapshot-record.js';

export interface CopyOptions {
  /** The snapshots were named one by one: then also those that were forgotten in the target are copied. */
  readonly isNamed: boolean;
  /** Look what would be copied, and write nothing. */
  readonly dryRun: boolean;
  readonly threads: number;
  /** Who does it, at most 1024 bytes; for pins. */
  readonly by: string;
  readonly nowSeconds: number;
  readonly signal: AbortSignal;
}

/** What became of one snapshot of the source. */
export interface CopiedSnapshot {
  readonly from: Snapshot;
  /**
   * new: it was copied, or would be by a dry run; there: the target has it; forgotten: the target had it, and it was forgotten
   * there; failed: not all of it can be read, and nothing of it was committed.
   */
  readonly state: 'new' | 'there' | 'forgotten' | 'failed';
  /** In the target; without one of those that are not there, and in a dry run. */
  readonly snapshot: Snapshot | undefined;
  /** Plain bytes of content that were read for it, or would be; those of them that the target did not have; what it stored. */
  readonly bytes: { readonly read: number; readonly new: number; readonly stored: number };
  /** Of one that failed. */
  readonly error?: CbrError;
}

export interface CopySummary {
  readonly copied: readonly CopiedSnapshot[];
  /** Another cut of content: what snapshots that are taken in the target store is not found among what was copied. */
  readonly cutsDiffer: boolean;
}
