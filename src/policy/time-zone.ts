import { CbrError } from '../core/index.js';
import type { Day } from './calendar-date.js';

const DAY_SECONDS = 86_400;
/** From the year 1 to 9999; what lies beyond is taken for UTC. */
const FIRST_SECOND = -62_135_596_800;
const LAST_SECOND = 253_402_300_799;
const MOST_REMEMBERED = 200_000;

/**
 * A time zone by its IANA name. A wall time is what its clocks show, written as the seconds since 1970 that UTC would have
 * when it shows the same.
 */
export class TimeZone {
  private readonly format: Intl.DateTimeFormat;
  /** By minute: asking Intl takes long. */
  private readonly offsets = new Map<number, number>();

  /** Rejects with `usage` when there is no such zone. */
  constructor(readonly name: string) {
    try {
      this.format = new Intl.DateTimeFormat('en-US', { timeZone: name, timeZoneName: 'longOffset' });
    } catch (cause) {
      throw new CbrError('usage', `there is no time zone '${name}'`, {
        cause,
        hint: 'Give an IANA name, such as Europe/Berlin or UTC.',
      });
    }
  }

  /** Seconds east of UTC. */
  offsetAt(seconds: number): number {
    const minute = Math.floor(seconds / 60);
    const known = this.offsets.get(minute);
    if (known !== undefined) return known;
    const inRange = seconds >= FIRST_SECOND && seconds <= LAST_SECOND;
    const offset = inRange ? offsetOf(this.format.format(minute * 60_000)) : 0;
    if (this.offsets.size >= MOST_REMEMBERED) this.offsets.clear();
    this.offsets.set(minute, offset);
    return offset;
  }

  wallAt(seconds: number): number {
    return seconds + this.offsetAt(seconds);
  }

  /** The date that calendars there show. */
  dayAt(seconds: number): Day {
    return Math.floor(this.wallAt(seconds) / DAY_SECONDS);
  }

  /**
   * When clocks there first show a wall time, in seconds since 1970. A time that they show twice is the first of the two; one
   * that they leave out is the moment at which they are put forward.
   */
  secondsOf(wall: number): number {
    const offsets = [this.offsetAt(wall - DAY_SECONDS), this.offsetAt(wall + DAY_SECONDS)];
    const [east, west] = [Math.max(...offsets), Math.min(...offsets)];
    if (this.wallAt(wall - east) === wall) return wall - east;
    if (this.wallAt(wall - west) === wall) return wall - west;
    let [before, after] = [wall - east, wall - west];
    while (after - before > 1) {
      const middle = Math.floor((before + after) / 2);
      if (this.wallAt(middle) < wall) before = middle;
      else after = middle;
    }
    return after;
  }
}

/** Of `1/5/2026, GMT+05:30`. */
function offsetOf(text: string): number {
  const parts = /GMT([+-])(\d\d):(\d\d)(?::(\d\d))?$/.exec(text);
  if (parts === null) return 0;
  const size = Number(parts[2]) * 3600 + Number(parts[3]) * 60 + Number(parts[4] ?? 0);
  return parts[1] === '-' ? -size : size;
}
