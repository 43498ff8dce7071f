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

/** So many are done within a minute. */
const MOST_NIGHTS = 50_000;

/** From a time on, one after the other by the clocks of the zone, up to and including `last`. Rejects with `usage`. */
export function nightsBetween(
  first: PolicyTime,
  last: PolicyTime,
  every: Duration,
  zone: TimeZone,
): PolicyTime[] {
  const nights: PolicyTime[] = [];
  for (let i = 0; ; i++) {
    const night = addDuration(first, times(every, i), zone);
    if (compareTimes(night, last) > 0) return nights;
    if (nights.length === MOST_NIGHTS) {
      throw new CbrError('usage', `these are more than ${MOST_NIGHTS} nights to simulate`, {
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
