import { CbrError, DamagedError } from '../core/index.js';
import { compareTimes } from '../policy/index.js';
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
 * with `ambiguous` when several hosts could be meant, and with a time also when several sources could be; and with
 * DamagedError when a record that cannot be opened could be the one.
 *
 * What is wanted of it counts as well: snapshots whose sources hold `path`, or lie below it, go before the others. Partial
 * ones are passed over unless there are no others.
 */
export function latestOf(
  { snapshots, damaged }: ListedSnapshots,
  before: number,
  choice: SnapshotChoice,
  path: string,
): Snapshot {
  if (damaged.length > 0) throw unknowable(damaged);
  const matching = filterSnapshots(snapshots, choice);
  const { at } = choice;
  const inTime = at === undefined ? matching : matching.filter(({ about }) => compareTimes(about, at) <= 0);
  refuseSeveralHosts(matching, inTime);
  const isHolder = ({ about }: Snapshot): boolean => about.paths.some((each) => areRelated(each, path));
  const found = wholeFirst(matching.some(isHolder) ? inTime.filter(isHolder) : inTime);
  if (at !== undefined) refuseSeveralSources(found, path);
  const chosen = found.at(-1 - before);
  if (chosen !== undefined) return chosen;
  const oldest = matching.find(isHolder) ?? matching[0];
  if (at !== undefined && found.length === 0 && oldest !== undefined) throw noneInTime(choice, at, oldest);
  throw noneOf(found.length, snapshots.length, before);
}

/** Who asks for the newest one wants everything; a partial one is better than none. */
function wholeFirst(snapshots: readonly Snapshot[]): readonly Snapshot[] {
  const whole = snapshots.filter(({ about }) => !isPartial(about));
  return whole.length > 0 ? whole : snapshots;
}

/** Whether one is the other, or a folder above it. */
function areRelated(a: string, b: string): boolean {
  return isWithin(a, b) || isWithin(b, a);
}

function isWithin(path: string, folder: string): boolean {
  return path === folder || folder === '/' || path.startsWith(`${folder}/`);
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
 * without a word. Sources that share a folder are taken for one that was changed.
 */
function refuseSeveralSources(found: readonly Snapshot[], path: string): void {
  const newest = found.at(-1);
  if (newest === undefined || path !== '/') return;
  const isRelated = ({ about }: Snapshot): boolean =>
    about.paths.some((each) => newest.about.paths.some((path) => areRelated(each, path)));
  const others = found.filter((each) => !isRelated(each));
  if (others.length === 0) return;
  const sources = new Map([...others, newest].map((each) => [each.about.paths.join('\0'), each]));
  const list = [...sources.values()].map((each) => `${pathsText(each.about.paths)} (${newestText(each)})`);
  throw new CbrError('ambiguous', `snapshots of several sources match: ${listOf(list)}`, {
    hint: 'Choose one with --path, or name the snapshot by its id.',
  });
}

function newestText({ id, about }: Snapshot): string {
  return `newest: ${id.slice(0, 12)}, ${zonedText(about)}`;
}

function noneInTime(choice: SnapshotFilter, at: ShownTime, oldest: Snapshot): CbrError {
  const asked = filterText(choice);
  const what = `there is no snapshot${asked === '' ? '' : ` of ${asked}`} at or before ${zonedText(at)}`;
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
