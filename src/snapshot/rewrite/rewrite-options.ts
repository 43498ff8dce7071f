import type { FilterRules } from '../../fs/index.js';
import type { Snapshot } from '../snapshot-record.js';
import type { EntryCounts } from './entry-counts.js';
import type { Move } from './move-sources.js';

/** What a rewritten snapshot says of itself instead of what the old one said; what is left out stays. */
export interface NewWords {
  readonly host?: string;
  readonly user?: string;
  readonly job?: string;
  /** `zoneOffset`: minutes east of UTC. */
  readonly time?: { readonly seconds: number; readonly nanoseconds: number; readonly zoneOffset: number };
}

/** What a rewrite changes. */
export interface RewriteChange {
  /** What to leave out, by the paths as they were. */
  readonly rules: FilterRules;
  readonly words: NewWords;
  /** One after the other. */
  readonly moves: readonly Move[];
}

export interface RewriteOptions {
  /** Forget what was rewritten, once what it became is there. */
  readonly forget: boolean;
  /** Look what would change, and write nothing. */
  readonly dryRun: boolean;
  /** Who does it, at most 1024 bytes; for pins and forgotten records. */
  readonly by: string;
  readonly nowSeconds: number;
  readonly signal: AbortSignal;
}

/** What became of one snapshot that was rewritten, or of several that were merged. */
export interface Rewritten {
  /** From what; for a merge in the order in which they were named. */
  readonly from: readonly Snapshot[];
  /**
   * new: it was made, or would be by a dry run; there: an earlier run had made it; unchanged: there is nothing to change, and
   * nothing was made.
   */
  readonly state: 'new' | 'there' | 'unchanged';
  /** What it became; without an id of its own in a dry run. */
  readonly snapshot: Snapshot | undefined;
  /** Those of `from` that were forgotten. */
  readonly forgotten: readonly Snapshot['id'][];
  /** What is in it, of its sources, and what was left out of that. */
  readonly left: EntryCounts;
  readonly leftOut: EntryCounts;
  /** Bytes that were about to be removed and were stored again. */
  readonly storedAgain: number;
}
