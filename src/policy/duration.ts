import { CbrError } from '../core/index.js';
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

/** From the longest to the shortest. */
const ORDER = ['y', 'mo', 'w', 'd', 'h', 'm', 's'] as const;
type Unit = (typeof ORDER)[number];

const UNITS: Readonly<Record<Unit, Duration>> = {
  y: { months: 12, days: 0, seconds: 0 },
  mo: { months: 1, days: 0, seconds: 0 },
  w: { months: 0, days: 7, seconds: 0 },
  d: { months: 0, days: 1, seconds: 0 },
  h: { months: 0, days: 0, seconds: 3600 },
  m: { months: 0, days: 0, seconds: 60 },
  s: { months: 0, days: 0, seconds: 1 },
};

const NOTHING: Duration = { months: 0, days: 0, seconds: 0 };

const EXPECTED = 'Write one above 0, such as 90s, 15m, 6h, 30d, 4w, 6mo, 2y or 1y6mo.';

/** For who writes months as other programs do. */
export const MINUTES_HINT = 'm is minutes; months are written mo.';

/**
 * Reads `90s`, `15m`, `6h`, `30d`, `4w`, `6mo`, `2y`, and sums such as `1y6mo`: units from the longest to the shortest or
 * the other way round, each at most once. Rejects with `usage` for anything else and for nothing; and for minutes beside days or longer units
 * without hours between, because whoever writes `1y6m` means months, and would lose what is older than a year.
 */
export function parseDuration(text: string): Duration {
  const units = [...text.matchAll(/(\d+)(mo|[smhdwy])/g)].map(([, digits, unit]) => ({
    unit: unit as Unit,
    count: Number(digits),
  }));
  const refuse = (hint: string): CbrError => new CbrError('usage', `'${text}' is not a duration`, { hint });
  if (!/^(?:\d{1,6}(?:mo|[smhdwy]) ?)+$/.test(text)) throw refuse(EXPECTED);
  const names = units.map(({ unit }) => unit);
  if (hasDoubtfulMinutes(names)) throw refuse(`${MINUTES_HINT} Minutes beside days: 1d0h15m.`);
  if (!isInOrder(names) && !isInOrder([...names].reverse())) {
    throw refuse(`Its units must be in this order, each at most once: ${ORDER.join(' ')}.`);
  }
  const sum = units.reduce((before, { unit, count }) => plus(before, times(UNITS[unit], count)), NOTHING);
  const isNothing = sum.months + sum.days + sum.seconds === 0;
  if (isNothing || sum.months > MOST || sum.days > 31 * MOST) throw refuse(EXPECTED);
  return sum;
}

/** Minutes with years, months, weeks or days beside them, and no hours between. */
function hasDoubtfulMinutes(names: readonly Unit[]): boolean {
  const minutes = names.indexOf('m');
  const hasLong = names.some((unit) => ORDER.indexOf(unit) <= ORDER.indexOf('d'));
  return hasLong && minutes !== -1 && names[minutes - 1] !== 'h' && !isInOrder([...names].reverse(), 'h');
}

/** From the longest to the shortest, each once; and with that unit among them, if one is named. */
function isInOrder(names: readonly Unit[], among?: Unit): boolean {
  const ranks = names.map((unit) => ORDER.indexOf(unit));
  return (
    ranks.every((rank, i) => i === 0 || rank > ranks[i - 1]!) &&
    (among === undefined || names.includes(among))
  );
}

/** `1y6mo`, as `parseDuration` reads it. */
export function durationText({ months, days, seconds }: Duration): string {
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  const parts: readonly (readonly [number, Unit])[] = [
    [Math.floor(months / 12), 'y'],
    [months % 12, 'mo'],
    [days, 'd'],
    [hours, 'h'],
    [minutes, 'm'],
    [seconds % 60, 's'],
  ];
  const needsHours = minutes > 0 && months + days > 0;
  return parts
    .filter(([count, unit]) => count > 0 || (unit === 'h' && needsHours))
    .map(([count, unit]) => `${count}${unit}`)
    .join('');
}

/** Whether it is over before any day is. */
export function isShorterThanDay({ months, days, seconds }: Duration): boolean {
  return months + days === 0 && seconds < DAY_SECONDS;
}

export function times({ months, days, seconds }: Duration, factor: number): Duration {
  return { months: factor * months, days: factor * days, seconds: factor * seconds };
}

function plus(a: Duration, b: Duration): Duration {
  return { months: a.months + b.months, days: a.days + b.days, seconds: a.seconds + b.seconds };
}

/** The time that a duration later: months and days by the clocks of the zone, then hours, minutes and seconds as they pass. */
export function addDuration(
  time: PolicyTime,
  duration: Duration,
  zone: Pick<TimeZone, 'wallAt' | 'secondsOf'>,
): PolicyTime {
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
