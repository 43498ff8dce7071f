import { CbrError } from '../core/index.js';

/** When to begin another disc although the present one has room. Pure; the rules are those of Cedar Backup 3. */

export interface RoomOnDisc {
  /** Bytes that one more session on the present disc can have: see `freeBytes`. */
  readonly available: number;
  /** Bytes that are to be written now. */
  readonly required: number;
  /**
   * How often what is written now should fit, so that what follows fits too; 1, the default: this once. To keep all sessions of a
   * week together: what a week takes in all, divided by what its first day takes.
   */
  readonly factor?: number;
}

/** Whether what is to be written begins another disc: available / (1 + required) <= factor. Rejects with `usage` when a number makes no sense. */
export function startsNewDisc({ available, required, factor = 1 }: RoomOnDisc): boolean {
  for (const [name, value] of Object.entries({ available, required, factor })) {
    if (Number.isFinite(value) && value >= 0) continue;
    throw new CbrError('usage', `${name} of a disc is ${value}: a number from 0 on is expected`);
  }
  return available / (1 + required) <= factor;
}

/** From Monday on. */
export const WEEKDAYS = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun'] as const;
export type Weekday = (typeof WEEKDAYS)[number];

/**
 * How many days the disc of the present week has to hold, today among them, where a week begins on `start`: 1 on that day, 7 on
 * the day before it.
 */
export function daysOfWeekSoFar(start: Weekday, today: Weekday): number {
  const days = WEEKDAYS.indexOf(today) - WEEKDAYS.indexOf(start);
  return 1 + ((days + WEEKDAYS.length) % WEEKDAYS.length);
}
