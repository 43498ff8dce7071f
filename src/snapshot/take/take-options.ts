import type { FilterRules, RawPath } from '../../fs/index.js';
import type { Level, SnapshotStatistics } from '../snapshot-record.js';
import type { IntakePool } from './intake-engine.js';
import type { StreamInput } from './stream-source.js';

/** What lies at or below `from` is stored at or below `path`. */
export interface StoredUnder {
  readonly from: RawPath;
  readonly path: RawPath;
}

export interface TakeOptions {
  /** Sources, as the user wrote them; none beside a stream. */
  readonly paths: readonly string[];
  /** The only source, instead of paths. */
  readonly stream?: StreamInput;
  /** More sources, out of lists. */
  readonly listed?: readonly RawPath[];
  /** Sources that are stored under other paths than where they are read; the longest `from` counts. */
  readonly storedUnder?: readonly StoredUnder[];
  /** So many symlinks are followed, one behind the other, on the way to an entry (default: none). */
  readonly followLinks?: number;
  /** Block devices that are named are taken in as files with their content. */
  readonly readDevices?: boolean;
  /** Take a file for unchanged although its inode number differs. */
  readonly ignoreInodes?: boolean;
  /** Take a file for unchanged although its ctime differs. */
  readonly ignoreCtimes?: boolean;
  /** Read no content again where size, mtime and inode are as before: whatever else changed is metadata. */
  readonly trustMtimes?: boolean;
  readonly tags: readonly string[];
  readonly comment?: string;
  readonly job?: string;
  readonly host: string;
  readonly user: string;
  /** The time the snapshot bears; default: when it began. */
  readonly time?: { readonly seconds: number; readonly nanoseconds: number };
  /** Minutes east of UTC. */
  readonly zoneOffset: number;
  readonly level?: Level;
  /** What is taken in of each source, and what is left out. */
  readonly rules: FilterRules;
  readonly oneFileSystem: boolean;
  /** Instead of the level in the repository's config. */
  readonly compression?: number;
  /** Look, and store nothing. */
  readonly dryRun: boolean;
  readonly threads: number;
  /** Workers of this snapshot that were started ahead (`intakePool`); closed at its end. */
  readonly pool?: IntakePool;
  /** Count the sources ahead where no earlier snapshot says how much there is: progress events then tell totals. */
  readonly forecast: boolean;
  /** Send an event for every file. */
  readonly items: boolean;
  /** Folders never taken in, beside the repository itself. */
  readonly ownFolders: readonly string[];
  /** Fail before more new content than so many bytes is stored (see NewDataLimit). */
  readonly maxNew?: number;
  /** When stopped, commit what was taken in by then as a partial snapshot. Not for a stream. */
  readonly partial?: boolean;
  /** Stops the run cleanly. */
  readonly signal: AbortSignal;
}

export interface TakeSummary {
  /** Undefined after a dry run. */
  readonly snapshot: string | undefined;
  /** Id of the root tree, hexadecimal. */
  readonly root: string;
  /** What the snapshot records as its paths, raw. */
  readonly paths: readonly RawPath[];
  readonly level: Level;
  readonly parent: string | undefined;
  readonly statistics: SnapshotStatistics;
  /** Files that could not be read, and sources that are missing. */
  readonly errors: number;
  /** Files that were stored while they changed. */
  readonly changed: number;
  readonly notes: number;
  readonly missingSources: number;
  /** It was stopped before everything was taken in. */
  readonly partial: boolean;
  /** Thread time spent on opening again what was sealed, before an index named it. */
  readonly verifySeconds: number;
}
