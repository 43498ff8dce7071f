import { CbrError } from '../core/index.js';
import {
  addDuration,
  compareTimes,
  type Duration,
  type PolicySnapshot,
  type PolicyTime,
  type TimeZone,
  times,
} from '../policy/index.js';
import { isoTime } from './times.js';

/** Snapshots and nights of a simulation. */

/** So many are done within a minute. They are nights also where they are not a day apart. */
const MOST_NIGHTS = 50_000;

/** Nights up to and including `last`, so far apart by the clocks of the zone, none before `first`. Rejects with `usage`. */
export function nightsUntil(
  last: PolicyTime,
  first: PolicyTime,
  every: Duration,
  zone: TimeZone,
): PolicyTime[] {
  const nights: PolicyTime[] = [];
  for (let i = 0; ; i++) {
    const night = addDuration(last, times(every, -i), zone);
    if (i > 0 && compareTimes(night, first) < 0) return nights.reverse();
    if (nights.length === MOST_NIGHTS) {
      throw new CbrError('usage', `the policy would be applied more than ${MOST_NIGHTS} times`, {
        hint: 'Take a longer --every, or a shorter --for.',
      });
    }
    nights.push(night);
  }
}

/** One snapshot for each night, named by its time: the first full, the others incr, as they are when nobody chooses. */
export function imaginedSnapshots(nights: readonly PolicyTime[], zone: TimeZone): PolicySnapshot[] {
  return nights.map((time, i) => ({
    id: isoTime(time, Math.round(zone.offsetAt(time.seconds) / 60)),
    time,
    level: i === 0 ? 'full' : 'incr',
  }));
}
