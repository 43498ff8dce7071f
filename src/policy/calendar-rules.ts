import { addDuration, type Duration, durationText } from './duration.js';
import { bucketOf, bucketText, PERIODS, type Period } from './periods.js';
import { compareTimes, type PolicySnapshot } from './policy-snapshot.js';
import type { Subject } from './rule.js';
import type { TimeZone } from './time-zone.js';

/** What is left out, and a count of 0, keeps nothing. */
export interface CalendarRules {
  /** So many of the newest. */
  readonly last?: number;
  /** The newest of each of so many buckets. */
  readonly counts?: Readonly<Partial<Record<Period, number>>>;
  /** All that are younger than this beside the newest. */
  readonly within?: Duration;
  /** The newest of each bucket among those that are younger than this. */
  readonly withinPeriods?: Readonly<Partial<Record<Period, Duration>>>;
}

/**
 * Keeps what the calendar rules say.
 *
 * Counted rules go from the newest snapshot to the oldest and take each whose bucket they have not met before, until they
 * have as many as they were told. So buckets stand in the order of their newest snapshots, an empty one takes no place, and
 * whether a snapshot is taken depends on newer snapshots alone. Whatever was added or forgotten before, the one that is
 * taken at the end is the newest of its bucket, and had as few newer buckets above it at any time before: it was taken every
 * night. And what one rule does not take cannot mislead it later, because the one that stands for the same bucket is still
 * there. Nothing is asked of the buckets but that a time always falls into the same one, so clocks that are put back do no
 * harm.
 *
 * Rules of age ask whether the newest snapshot lies beyond a date that each snapshot has for ever, its own time and the
 * duration: once that is so it stays so. They look at the newest snapshot, not at the clock, so that a machine that was off
 * for long does not lose its history when it wakes.
 */
export function keepByCalendar<S extends PolicySnapshot>(rules: CalendarRules, subject: Subject<S>): void {
  const { snapshots, zone, keep } = subject;
  const { last = 0, counts = {}, within, withinPeriods = {} } = rules;
  for (const snapshot of snapshots.slice(0, last)) keep(snapshot, 'last');
  for (const period of PERIODS) {
    const count = counts[period] ?? 0;
    for (const snapshot of newestOfBuckets(snapshots, period, zone, count)) {
      keep(snapshot, `${period} ${bucketText(period, snapshot.time.seconds, zone)}`);
    }
  }
  if (within !== undefined) {
    const reason = `within ${durationText(within)}`;
    for (const snapshot of youngerThan(within, snapshots, zone)) keep(snapshot, reason);
  }
  for (const period of PERIODS) {
    const duration = withinPeriods[period];
    if (duration === undefined) continue;
    const young = youngerThan(duration, snapshots, zone);
    for (const snapshot of newestOfBuckets(young, period, zone, Number.POSITIVE_INFINITY)) {
      const bucket = bucketText(period, snapshot.time.seconds, zone);
      keep(snapshot, `${period} ${bucket} within ${durationText(duration)}`);
    }
  }
}

function newestOfBuckets<S extends PolicySnapshot>(
  snapshots: readonly S[],
  period: Period,
  zone: TimeZone,
  count: number,
): S[] {
  const met = new Set<number>();
  const newest: S[] = [];
  for (const snapshot of snapshots) {
    if (newest.length >= count) break;
    const bucket = bucketOf(period, snapshot.time.seconds, zone);
    if (met.has(bucket)) continue;
    met.add(bucket);
    newest.push(snapshot);
  }
  return newest;
}

function youngerThan<S extends PolicySnapshot>(
  duration: Duration,
  snapshots: readonly S[],
  zone: TimeZone,
): S[] {
  const [newest] = snapshots;
  if (newest === undefined) return [];
  return snapshots.filter(({ time }) => compareTimes(newest.time, addDuration(time, duration, zone)) < 0);
}
