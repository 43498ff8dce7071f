import { CbrError, DamagedError } from '../core/index.js';
import { displayPath } from '../fs/index.js';
import { compareTimes } from '../policy/index.js';
import { hasSourceFor, isListed, sourcesOf } from './held-paths.js';
import type { ListedSnapshots } from './list-snapshots.js';
import { isPartial } from './snapshot-extensions.js';
import { filterSnapshots, filterText, type ShownTime, type SnapshotFilter } from './snapshot-filter.js';
import type { Snapshot } from './snapshot-record.js';
import { described, listOf, pathsText, shown, zonedText } from './snapshot-text.js';

/** A filter for the newest one of several. */
export interface SnapshotChoice extends SnapshotFilter {
  /** Only what was taken at or before that time counts. */
  readonly at?: ShownTime;
}

/**
 * The snapshot that is so many before the newest one of the choice. Rejects with `not-found`, never giving a nearby one;
 * with `ambiguous` when several hosts could be meant, or several sources: with a time, and with a path of which there are
 * parts only; and with DamagedError when a record that cannot be opened could be the one.
 *
 * What is wanted of it counts as well: where there are snapshots with a source that holds all of `path`, only those count, else
 * those with sources that hold some of it. Partial ones are passed over unless there are no others.
 */
export function latestOf(
  { snapshots, damaged }: ListedSnapshots,
  before: number,
  choice: SnapshotChoice,
  path: string | undefined,
): Snapshot {
  if (damaged.length > 0) throw unknowable(damaged);
  const matching = filterSnapshots(snapshots, choice);
  const { at } = choice;
  const isInTime = ({ about }: Snapshot): boolean => at === undefined || compareTimes(about, at) <= 0;
  refuseSeveralHosts(matching, matching.filter(isInTime));
  const holding = holdersOrParts(matching, path);
  const found = wholeFirst(holding.filter(isInTime));
  const chosen = found.at(-1 - before);
  if (chosen !== undefined) {
    const upToIt = found.slice(0, found.length - before);
    if (path === undefined && at !== undefined) refuseSeveralSources(upToIt);
    // Who names a source has chosen.
    const isPart = path !== undefined && !hasSourceFor(chosen.about, path);
    if (isPart && choice.path === undefined) refuseSeveralParts(upToIt, path);
    return chosen;
  }
  const oldest = holding[0];
  if (at !== undefined && found.length === 0 && oldest !== undefined)
    throw noneInTime(choice, at, oldest, holding === matching ? undefined : path);
  throw noneOf(found.length, snapshots.length, before);
}

/** Those that hold all of the path; if there are none, those that hold parts of it; if there are none, all. */
function holdersOrParts(snapshots: readonly Snapshot[], path: string | undefined): readonly Snapshot[] {
  if (path === undefined) return snapshots;
  const holders = snapshots.filter(({ about }) => hasSourceFor(about, path));
  if (holders.length > 0) return holders;
  const parts = snapshots.filter(({ about }) => sourcesOf(about, path).length > 0);
  return parts.length > 0 ? parts : snapshots;
}

/** Who asks for the newest one wants everything; a partial one is better than none. */
function wholeFirst(snapshots: readonly Snapshot[]): readonly Snapshot[] {
  const whole = snapshots.filter(({ about }) => !isPartial(about));
  return whole.length > 0 ? whole : snapshots;
}

/** Also where only one of them is old enough: the others may have had another name then. */
function refuseSeveralHosts(matching: readonly Snapshot[], inTime: readonly Snapshot[]): void {
  const hosts = [...new Set(matching.map(({ about }) => about.host))].sort();
  if (hosts.length <= 1) return;
  const list = hosts.map((host) => {
    const newest = inTime.findLast(({ about }) => about.host === host);
    return newest === undefined ? `${shown(host)} (none so old)` : `${shown(host)} (${newestText(newest)})`;
  });
  throw new CbrError('ambiguous', `snapshots of several hosts match: ${listOf(list)}`, {
    hint: 'Choose one with --host, or name the snapshot by its id.',
  });
}

/**
 * The newest one is of an unrelated source perhaps: whoever names a time, and not what is wanted of it, would be given that
 * without a word. Others that have a source in common with it, or lie in its sources, are taken for the same that were changed.
 */
function refuseSeveralSources(found: readonly Snapshot[]): void {
  const { about } = found.at(-1)!;
  refuseOthers(found, '/', (other) => {
    const isChanged = other.about.paths.some((source) => about.paths.includes(source));
    return !isChanged && !other.about.paths.every((source) => hasSourceFor(about, source));
  });
}

/** The newest one would be shown, or restored, as if it were all of the folder. */
function refuseSeveralParts(found: readonly Snapshot[], path: string): void {
  const { about } = found.at(-1)!;
  refuseOthers(found, path, (other) => {
    const isHeld = (source: string): boolean =>
      hasSourceFor(about, source) || (isListed(other.about, source) && about.paths.includes(source));
    return !sourcesOf(other.about, path).every(isHeld);
  });
}

/** `isOther`: whether the newest of them lacks what another one has of the path. */
function refuseOthers(
  found: readonly Snapshot[],
  path: string,
  isOther: (snapshot: Snapshot) => boolean,
): void {
  const wanted = ({ about }: Snapshot): string[] => sourcesOf(about, path);
  const others = found.filter(isOther);
  if (others.length === 0) return;
  const bySources = new Map([...others, found.at(-1)!].map((each) => [wanted(each).join('\0'), each]));
  const list = [...bySources.values()].map((each) => `${pathsText(wanted(each))} (${newestText(each)})`);
  const what = path === '/' ? '' : `no snapshot has all of ${displayPath(path)}, and `;
  throw new CbrError('ambiguous', `${what}snapshots of several sources match: ${listOf(list)}`, {
    hint: 'Choose one with --path, or name the snapshot by its id.',
  });
}

function newestText({ id, about }: Snapshot): string {
  return `newest: ${id.slice(0, 12)}, ${zonedText(about)}`;
}

function noneInTime(
  choice: SnapshotFilter,
  at: ShownTime,
  oldest: Snapshot,
  path: string | undefined,
): CbrError {
  const asked = filterText(choice);
  const held = path === undefined ? '' : ` with ${displayPath(path)}`;
  const what = `there is no snapshot${asked === '' ? '' : ` of ${asked}`}${held} at or before ${zonedText(at)}`;
  return new CbrError('not-found', `${what}; the oldest is ${described(oldest)}`, {
    hint: 'See: cbr snapshots',
  });
}

function noneOf(count: number, all: number, before: number): CbrError {
  const what =
    all === 0
      ? 'there are no snapshots'
      : count === all
        ? `there ${count === 1 ? 'is 1 snapshot' : `are ${count} snapshots`}`
        : `${count} of ${all} snapshots ${count === 1 ? 'matches' : 'match'}`;
  return new CbrError('not-found', before === 0 ? what : `${what}, so there is none for latest~${before}`, {
    hint: 'See: cbr snapshots',
  });
}

function unknowable(damaged: ListedSnapshots['damaged']): DamagedError {
  const { id, error } = damaged[0]!;
  const more = damaged.length === 1 ? '' : ` (and ${damaged.length - 1} more)`;
  return new DamagedError(
    `snapshots/${id}`,
    `cannot be opened${more}, so nobody can tell which snapshot is the latest`,
    { cause: error, hint: 'Name the snapshot by its id (see: cbr snapshots), and run: cbr check' },
  );
}
