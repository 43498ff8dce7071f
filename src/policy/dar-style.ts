import { addDuration } from './duration.js';
import { compareTimes, type PolicySnapshot } from './policy-snapshot.js';
import type { Subject } from './rule.js';

/** How many days snapshots of each level are kept, counted from now by the calendar of the zone. */
export interface DarStyle {
  readonly diff: number;
  readonly incr: number;
  readonly full: number | 'never';
}

/**
 * Keeps each snapshot until so many days after its time as its level has, that moment included. A full one is not aged out
 * unless the rule says so. Whether the full one is still there to which a diff or incr refers does not matter: every
 * snapshot is complete.
 */
export function keepDarStyle<S extends PolicySnapshot>(rule: DarStyle, subject: Subject<S>): void {
  const { snapshots, now, zone, keep } = subject;
  for (const snapshot of snapshots) {
    const { level = 'full', time } = snapshot;
    const days = rule[level];
    if (days === 'never') keep(snapshot, `dar-style ${level}`);
    else if (compareTimes(now, addDuration(time, { months: 0, days, seconds: 0 }, zone)) <= 0) {
      keep(snapshot, `dar-style ${level} within ${days}d`);
    }
  }
}
