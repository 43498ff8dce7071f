import { InvalidArgumentError } from 'commander';

/** Points in time and spans as people read and write them. */

/** As everywhere in cbr: seconds since 1970, negative before, and nanoseconds above them. */
export interface PointInTime {
  readonly seconds: number;
  readonly nanoseconds: number;
}

/** A point in time and the zone it was given in, in minutes east of UTC. */
export interface ZonedTime extends PointInTime {
  readonly zoneOffset: number;
}

/** The most that a Date can hold, in seconds to either side of 1970. */
const DATE_SECONDS = 8.64e12;

/** Minutes east of UTC of this machine's zone at that time. */
export function localOffset(seconds: number): number {
  const date = new Date(Math.max(-DATE_SECONDS, Math.min(DATE_SECONDS, seconds)) * 1000);
  // Subtracted, not negated: that would make -0 of 0.
  return 0 - Math.round(date.getTimezoneOffset());
}

/** A point in time as `Date.now` tells it. */
export function fromMilliseconds(milliseconds: number): PointInTime {
  const seconds = Math.floor(milliseconds / 1000);
  return { seconds, nanoseconds: Math.round((milliseconds - seconds * 1000) * 1e6) };
}

/** What turns the clocks of a zone into points in time; a wall time is told as the seconds since 1970 that UTC would have. */
export interface ZoneClock {
  /** Seconds east of UTC. */
  offsetAt(seconds: number): number;
  secondsOf(wall: number): number;
}

/** That of this machine. */
export const MACHINE_CLOCK: ZoneClock = {
  offsetAt: (seconds) => localOffset(seconds) * 60,
  secondsOf(wall) {
    const shown = new Date(wall * 1000);
    const local = new Date(0);
    local.setFullYear(shown.getUTCFullYear(), shown.getUTCMonth(), shown.getUTCDate());
    local.setHours(shown.getUTCHours(), shown.getUTCMinutes(), shown.getUTCSeconds(), 0);
    return Math.floor(local.getTime() / 1000);
  },
};

/** Now, in the zone of this machine. */
export function currentTime(): ZonedTime {
  const time = fromMilliseconds(Date.now());
  return { ...time, zoneOffset: localOffset(time.seconds) };
}

const two = (value: number): string => String(value).padStart(2, '0');

function offsetText(minutes: number): string {
  const size = Math.abs(minutes);
  return `${minutes < 0 ? '-' : '+'}${two(Math.floor(size / 60))}:${two(size % 60)}`;
}

/** Date and clock of a zone; undefined beyond the years that a Date knows. */
function clockText({ seconds }: PointInTime, offset: number): readonly [string, string] | undefined {
  if (Math.abs(seconds) > DATE_SECONDS - 86_400) return undefined;
  const [date, clock] = new Date((seconds + offset * 60) * 1000).toISOString().split('T');
  return [date!, clock!.slice(0, 8)];
}

/** `2026-11-20 14:05:09 +01:00`, in the zone of this machine. */
export function timeText(time: PointInTime, offset = localOffset(time.seconds)): string {
  const clock = clockText(time, offset);
  return clock === undefined ? `@${time.seconds}` : `${clock[0]} ${clock[1]} ${offsetText(offset)}`;
}

/** `2026-11-20T14:05:09.123456789+01:00`, digits of a second as far as they are not zero; for programs. */
export function isoTime(time: PointInTime, zoneOffset = localOffset(time.seconds)): string {
  const fraction = time.nanoseconds === 0 ? '' : `.${String(time.nanoseconds).padStart(9, '0')}`;
  const digits = fraction.replace(/0+$/, '');
  const clock = clockText(time, zoneOffset);
  return clock === undefined
    ? `@${time.seconds}${digits}`
    : `${clock[0]}T${clock[1]}${digits}${offsetText(zoneOffset)}`;
}

/** `0:42`, `1:02:03`: for what is left to wait. */
export function clockSpan(seconds: number): string {
  const whole = Math.round(seconds);
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  return hours > 0 ? `${hours}:${two(minutes)}:${two(whole % 60)}` : `${minutes}:${two(whole % 60)}`;
}

/** `0.8 s`, `42 s`, `3 min 5 s`, `2 h 3 min`. */
export function spanText(seconds: number): string {
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor(whole / 60) % 60} min`;
}

const SINCE_1970 = /^@(-?[0-9]{1,15})(?:\.([0-9]{1,9}))?$/;
const CALENDAR =
  /^(\d{4})-(\d\d)-(\d\d)(?:[T ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,9}))?)?)?\s?(Z|[+-]\d\d(?::?\d\d)?)?$/i;

const nanosecondsOf = (digits = ''): number => Number(digits.padEnd(9, '0'));

/**
 * A parser for commander: ISO 8601, a date (its midnight), a date and time, both in the zone of this machine when they name
 * none, or seconds since 1970 behind an '@'.
 */
export function parseTime(text: string): ZonedTime {
  const time = timeIn(text, MACHINE_CLOCK);
  if (time === undefined) throw new InvalidArgumentError(TIME_EXPECTED);
  return time;
}

export const TIME_EXPECTED =
  'A time is expected: 2026-11-20T14:05:09+01:00, 2026-11-20, "2026-11-20 14:05" or @1795179909.';

/** As `parseTime`, but in the given zone where the text names none, and undefined when it is no time. */
export function timeIn(text: string, clock: ZoneClock): ZonedTime | undefined {
  const zoned = (seconds: number, nanoseconds: number): ZonedTime => ({
    seconds,
    nanoseconds,
    zoneOffset: Math.round(clock.offsetAt(seconds) / 60),
  });
  const since = SINCE_1970.exec(text);
  if (since !== null) {
    const seconds = Number(since[1]);
    const nanoseconds = nanosecondsOf(since[2]);
    // "-1.5" is half a second before -1.
    return since[1]!.startsWith('-') && nanoseconds > 0
      ? zoned(seconds - 1, 1e9 - nanoseconds)
      : zoned(seconds, nanoseconds);
  }
  const parts = CALENDAR.exec(text.trim());
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, second] = parts.slice(1, 7).map((part) => Number(part ?? 0)) as [
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  const nanoseconds = nanosecondsOf(parts[7]);
  const utc = new Date(0);
  utc.setUTCFullYear(year, month - 1, day);
  utc.setUTCHours(hour, minute, second);
  const isReal = utc.getUTCMonth() === month - 1 && utc.getUTCDate() === day;
  if (!isReal || hour > 23 || minute > 59 || second > 59) return undefined;
  const wall = utc.getTime() / 1000;
  if (parts[8] === undefined) return zoned(clock.secondsOf(wall), nanoseconds);
  const zoneOffset = parseOffset(parts[8]);
  return zoneOffset === undefined ? undefined : { seconds: wall - zoneOffset * 60, nanoseconds, zoneOffset };
}

function parseOffset(text: string): number | undefined {
  if (/^z$/i.test(text)) return 0;
  const digits = text.slice(1).replace(':', '').padEnd(4, '0');
  const [hours, minutes] = [Number(digits.slice(0, 2)), Number(digits.slice(2))];
  if (hours > 23 || minutes > 59) return undefined;
  return (text.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}
