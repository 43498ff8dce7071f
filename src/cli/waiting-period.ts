import { InvalidArgumentError } from 'commander';
import { messageOf } from '../core/index.js';
import { parseDuration } from '../policy/index.js';
import { LEAST_WAITING_SECONDS } from '../repo/index.js';
import { timeText } from './times.js';

/** What people read and write of the waiting period of stores that overwrite silently. */

const DAY_SECONDS = 86_400;
const MOST_SECONDS = 366 * DAY_SECONDS;

/** A parser for commander; in seconds. */
export function parseWaitingPeriod(text: string): number {
  try {
    const { months, days, seconds } = parseDuration(text);
    const total = days * DAY_SECONDS + seconds;
    if (months === 0 && total >= LEAST_WAITING_SECONDS && total <= MOST_SECONDS) return total;
  } catch (error) {
    throw new InvalidArgumentError(messageOf(error));
  }
  throw new InvalidArgumentError('1h to 366d is expected, such as 24h or 3d.');
}

/** A waiting period for people: `24 h`, `90 min`. */
export function periodText(milliseconds: number): string {
  const minutes = Math.round(milliseconds / 60_000);
  return minutes % 60 === 0 ? `${minutes / 60} h` : `${minutes} min`;
}

export function waitingText(milliseconds: number): string {
  return `Its store overwrites silently: a prune marks what is to go, and one at least ${periodText(milliseconds)} later removes it.`;
}

/** When a prune can remove; milliseconds since 1970. */
export function removableText(at: number): string {
  return timeText({ seconds: Math.ceil(at / 1000), nanoseconds: 0 });
}
