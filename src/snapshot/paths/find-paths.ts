import type { EntryType, PathPatterns } from '../../fs/index.js';
import type { TimeStamp } from '../entry.js';
import type { IndexedPath, PathIndex } from './path-index.js';
import type { PathState } from './path-state.js';
import { type PathVersion, type StateRun, versionsOf } from './path-versions.js';
import type { SnapshotGroup } from './snapshot-groups.js';

/** What an entry must be to be meant; what is left out does not matter. */
export interface StateFilter {
  readonly types?: ReadonlySet<EntryType> | undefined;
  /** Of its modification time: not before, and before. */
  readonly newer?: TimeStamp | undefined;
  readonly older?: TimeStamp | undefined;
  /** Of files: at least, and at most so many bytes. */
  readonly larger?: number | undefined;
  readonly smaller?: number | undefined;
}

/** A path with its versions in the snapshots of one group. */
export interface PathHistory {
  /** Raw, absolute within the snapshots. */
  readonly path: string;
  readonly group: SnapshotGroup;
  /** Oldest first; the first is never one that is not there. */
  readonly versions: readonly PathVersion[];
}

/** The paths that a pattern matches, each with its versions in each group that has it, in the order of a walk. */
export function* findPaths(
  index: PathIndex,
  groups: readonly SnapshotGroup[],
  patterns: PathPatterns,
  filter: StateFilter,
): Iterable<PathHistory> {
  const reader = new HistoryReader(index, groups);
  for (const { path, match } of matching(index, patterns)) {
    for (const history of reader.of(path)) {
      const isMeant = ({ state }: PathVersion): boolean =>
        state !== undefined && (match === 'yes' || state.type === 'directory') && isWithin(state, filter);
      if (history.versions.some(isMeant))
        yield { ...history, versions: meantVersions(history.versions, isMeant) };
    }
  }
}

/** The versions that are meant, and with each what followed when it was removed. */
function meantVersions(
  versions: readonly PathVersion[],
  isMeant: (version: PathVersion) => boolean,
): PathVersion[] {
  return versions.filter(
    (each, i) => isMeant(each) || (each.state === undefined && isMeant(versions[i - 1]!)),
  );
}

function* matching(index: PathIndex, { ranges, words, matches }: PathPatterns) {
  for (const { text, isWhole } of ranges) {
    const whole = isWhole ? index.path(text) : undefined;
    const paths = isWhole ? (whole === undefined ? [] : [whole]) : index.paths(text, words);
    for (const path of paths) {
      const match = matches(path.path);
      if (match !== 'no') yield { path, match };
    }
  }
}

function isWithin(state: PathState, { types, newer, older, larger, smaller }: StateFilter): boolean {
  const { type, mtime, size } = state;
  return (
    (types === undefined || types.has(type)) &&
    (newer === undefined || compareTimes(mtime, newer) >= 0) &&
    (older === undefined || compareTimes(mtime, older) < 0) &&
    (larger === undefined || (size !== undefined && size >= larger)) &&
    (smaller === undefined || (size !== undefined && size <= smaller))
  );
}

function compareTimes(a: TimeStamp, b: TimeStamp): number {
  return a.seconds - b.seconds || a.nanoseconds - b.nanoseconds;
}

/** Reads the histories of paths in some groups. */
export class HistoryReader {
  private readonly chains: ReadonlyMap<number, number>;

  constructor(
    private readonly index: PathIndex,
    private readonly groups: readonly SnapshotGroup[],
  ) {
    this.chains = new Map(index.snapshots.all().map(({ number, chain }) => [number, chain]));
  }

  /** What it is in the snapshots of each group. */
  runs(path: IndexedPath): (readonly [SnapshotGroup, readonly StateRun[]])[] {
    const events = this.index.eventsOf(path);
    return this.groups.map((group) => [group, group.runs(events, this.chains)]);
  }

  /** Its versions in each group in which some snapshot has it. */
  of(path: IndexedPath): PathHistory[] {
    const histories: PathHistory[] = [];
    for (const [group, runs] of this.runs(path)) {
      const absolute = `/${path.path}`;
      const versions = versionsOf(runs, group.snapshots, () => group.gapsFor(absolute));
      if (versions.length > 0) histories.push({ path: absolute, group, versions });
    }
    return histories;
  }
}
