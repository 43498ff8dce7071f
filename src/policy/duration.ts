import { addMonths } from './calendar-date.js';
import type { PolicyTime } from './policy-snapshot.js';
import type { TimeZone } from './time-zone.js';

/** A span of the calendar: months are as long as they are, and so are days on which clocks are put forward or back. */
export interface Duration {
  readonly months: number;
  readonly days: number;
  readonly seconds: number;
}

const DAY_SECONDS = 86_400;
const MOST = 999_999;

const UNITS: Readonly<Record<string, Duration>> = {
  s: { months: 0, days: 0, seconds: 1 },
  m: { months: 0, days: 0, seconds: 60 },
  h: { months: 0, days: 0, seconds: 3600 },
  d: { months: 0, days: 1, seconds: 0 },
  w: { months: 0, days: 7, seconds: 0 },
  mo: { months: 1, days: 0, seconds: 0 },
  y: { months: 12, days: 0, seconds: 0 },
};

/** Reads `90s`, `15m`, `6h`, `30d`, `4w`, `6mo`, `2y`, and sums such as `1y6mo`; undefined for anything else and for nothing. */
export function parseDuration(text: string): Duration | undefined {
  if (!/^(?:\d{1,6}(?:mo|[smhdwy]) ?)+$/.test(text)) return undefined;
  let sum: Duration = { months: 0, days: 0, seconds: 0 };
  for (const [, digits, unit] of text.matchAll(/(\d+)(mo|[smhdwy])/g)) {
    sum = plus(sum, times(UNITS[unit!]!, Number(digits)));
  }
  const isNothing = sum.months + sum.days + sum.seconds === 0;
  return isNothing || sum.months > MOST || sum.days > 31 * MOST ? undefined : sum;
}

/** `1y6mo`, as `parseDuration` reads it. */
export function durationText({ months, days, seconds }: Duration): string {
  const parts: readonly (readonly [number, string])[] = [
    [Math.floor(months / 12), 'y'],
    [months % 12, 'mo'],
    [days, 'd'],
    [Math.floor(seconds / 3600), 'h'],
    [Math.floor(seconds / 60) % 60, 'm'],
    [seconds % 60, 's'],
  ];
  return parts
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count}${unit}`)
    .join('');
}

export function times({ months, days, seconds }: Duration, factor: number): Duration {
  return { months: factor * months, days: factor * days, seconds: factor * seconds };
}

function plus(a: Duration, b: Duration): Duration {
  return { months: a.months + b.months, days: a.days + b.days, seconds: a.seconds + b.seconds };
}

/** The time that a duration later: months and days by the clocks of the zone, then hours, minutes and seconds as they pass. */
export function addDuration(time: PolicyTime, duration: Duration, zone: TimeZone): PolicyTime {
  const { months, days } = duration;
  let { seconds } = time;
  if (months !== 0 || days !== 0) {
    const wall = zone.wallAt(seconds);
    const day = Math.floor(wall / DAY_SECONDS);
    const later = addMonths(day, months) + days;
    seconds = zone.secondsOf(wall + (later - day) * DAY_SECONDS);
  }
  return { seconds: seconds + duration.seconds, nanoseconds: time.nanoseconds };
}
