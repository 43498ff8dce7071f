import type { CalendarRules } from './calendar-rules.js';
import type { DarStyle } from './dar-style.js';
import type { RoundRobin } from './round-robin.js';

/** Rules that choose which snapshots to keep. A snapshot is kept when any of them says so. */
export interface Policy extends CalendarRules {
  /** Snapshots that have one of these tags. */
  readonly tags?: readonly string[];
  /** Ids of snapshots, or their beginnings. */
  readonly ids?: readonly string[];
  readonly darStyle?: DarStyle;
  readonly roundRobin?: RoundRobin;
}
