import { InvalidArgumentError } from 'commander';
import { CbrError } from '../core/index.js';
import { addDuration, type Day, type Duration, parseDuration, times } from '../policy/index.js';
import { currentTime, MACHINE_CLOCK, timeIn, timeText, type ZoneClock, type ZonedTime } from './times.js';

/** Points in time as people name them when they look back: by the calendar, or counted from now. */

/** For help texts. */
export const MOMENT_HELP = `
TIME is a date (00:00 of that day), a date and time, or counted back from now: 2026-11-20, "2026-11-20 14:05",
2026-11-20T14:05:09+01:00, @1795179909, now, "3 hours ago", "2 days ago", "1 month ago", today, yesterday, "yesterday 18:00",
"2 days ago 9:30", "last monday noon"; today, yesterday and days of the week alone are 00:00 of that day as well. It is in the
zone of this machine if it names none, as "yesterday 18:00 +02:00" does.`;

export const MOMENT_EXPECTED =
  'A time is expected: 2026-11-20, "2026-11-20 14:05", 2026-11-20T14:05:09+01:00, @1795179909, now, "2 days ago", yesterday, "yesterday 18:00" or "last monday 9:30".';

const DAY_SECONDS = 86_400;
const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];
const NOTHING: Duration = { months: 0, days: 0, seconds: 0 };

const SPANS: readonly (readonly [words: RegExp, span: Duration])[] = [
  [/^years?$/, { ...NOTHING, months: 12 }],
  [/^months?$/, { ...NOTHING, months: 1 }],
  [/^weeks?$/, { ...NOTHING, days: 7 }],
  [/^days?$/, { ...NOTHING, days: 1 }],
  [/^(?:hours?|hrs?)$/, { ...NOTHING, seconds: 3600 }],
  [/^(?:minutes?|mins?)$/, { ...NOTHING, seconds: 60 }],
  [/^(?:seconds?|secs?)$/, { ...NOTHING, seconds: 1 }],
];

const ZONE = /(?: |(?<=\d))(z|utc|[+-]\d\d(?::?\d\d)?)$/;
const TIME_OF_DAY = /^(?:(.+) )?(?:(\d{1,2}):(\d\d)(?::(\d\d))?|(noon|midnight))$/;

/**
 * The point in time that a text names, seen at `now` from a place with that clock; undefined when it names none. Days and
 * longer units are counted by the calendar there, hours and shorter ones as they pass. What a clock shows twice is the time
 * that the clock takes it for (see `ZoneClock`).
 */
export function momentOf(text: string, now: ZonedTime, clock: ZoneClock): ZonedTime | undefined {
  const exact = timeIn(text, clock);
  if (exact !== undefined) return exact;
  const words = text.trim().toLowerCase().replace(/\s+/g, ' ').replaceAll(' at ', ' ');
  const zone = ZONE.exec(words);
  const [rest, there] = zone === null ? [words, clock] : [words.slice(0, zone.index), fixedClock(zone[1]!)];
  if (there === undefined) return undefined;
  const found = zone === null ? undefined : timeIn(rest, there);
  const moment = found ?? spokenMoment(rest, now, there);
  if (moment === undefined || !Number.isFinite(moment.seconds)) return undefined;
  const { seconds, nanoseconds } = moment;
  return { seconds, nanoseconds, zoneOffset: Math.round(there.offsetAt(seconds) / 60) };
}

interface Moment {
  readonly seconds: number;
  readonly nanoseconds: number;
}

function spokenMoment(words: string, now: Moment, clock: ZoneClock): Moment | undefined {
  if (words === 'now') return now;
  const span = spanAgo(words);
  if (span !== undefined) return before(now, span, clock);
  const [, day = 'today', hour, minute, second = '0', name] = TIME_OF_DAY.exec(words) ?? [undefined, words];
  const clockSeconds =
    name === 'noon' ? DAY_SECONDS / 2 : 3600 * Number(hour ?? 0) + 60 * Number(minute ?? 0) + Number(second);
  const isReal = Number(hour ?? 0) < 24 && Number(minute ?? 0) < 60 && Number(second) < 60;
  const date = isReal ? spokenDay(day, now, clock) : undefined;
  if (date === undefined) return undefined;
  return { seconds: clock.secondsOf(date * DAY_SECONDS + clockSeconds), nanoseconds: 0 };
}

function spokenDay(words: string, now: Moment, clock: ZoneClock): Day | undefined {
  const dayAt = ({ seconds }: Moment): Day => Math.floor((seconds + clock.offsetAt(seconds)) / DAY_SECONDS);
  const today = dayAt(now);
  if (words === 'today') return today;
  if (words === 'yesterday') return today - 1;
  const weekday = WEEKDAYS.indexOf(/^last (\w+)$/.exec(words)?.[1] ?? '');
  // The first day of 1970 was a Thursday.
  if (weekday !== -1) return today - 1 - ((((today + 2 - weekday) % 7) + 7) % 7);
  const span = spanAgo(words);
  return span === undefined || span.seconds !== 0 ? undefined : dayAt(before(now, span, clock));
}

/** Of `2 days ago`, `an hour ago`, `1y6mo ago`. */
function spanAgo(words: string): Duration | undefined {
  const [, told] = /^(.+) ago$/.exec(words) ?? [];
  if (told === undefined) return undefined;
  const [, count = '', unit = ''] = /^(an?|\d{1,6}) ?([a-z]+)$/.exec(told) ?? [];
  const span = SPANS.find(([names]) => names.test(unit))?.[1];
  if (span !== undefined) return times(span, count.startsWith('a') ? 1 : Number(count));
  try {
    return parseDuration(told);
  } catch (error) {
    if (error instanceof CbrError) return undefined;
    throw error;
  }
}

function before(now: Moment, span: Duration, clock: ZoneClock): Moment {
  return addDuration(now, times(span, -1), {
    wallAt: (seconds) => seconds + clock.offsetAt(seconds),
    secondsOf: (wall) => clock.secondsOf(wall),
  });
}

/** Undefined when there is no such offset. */
function fixedClock(zone: string): ZoneClock | undefined {
  const offset = timeIn(`1970-01-01T00:00${zone === 'utc' ? 'z' : zone}`, MACHINE_CLOCK)?.zoneOffset;
  if (offset === undefined) return undefined;
  return { offsetAt: () => 60 * offset, secondsOf: (wall) => wall - 60 * offset };
}

/** A parser for commander: see MOMENT_HELP. */
export function parseMoment(text: string): ZonedTime {
  const moment = momentOf(text, currentTime(), MACHINE_CLOCK);
  if (moment === undefined) throw new InvalidArgumentError(MOMENT_EXPECTED);
  return moment;
}

/**
 * As `parseMoment`, and refuses what is still to come. A time told to the second includes all of that second: what other
 * commands show of a snapshot's time leads back to it.
 */
export function parsePastMoment(text: string): ZonedTime {
  const moment = parseMoment(text);
  if (moment.seconds > currentTime().seconds) {
    throw new InvalidArgumentError(
      `${timeText(moment, moment.zoneOffset)} is in the future. Give a time that has passed; the newest snapshot is latest.`,
    );
  }
  return moment.nanoseconds === 0 ? { ...moment, nanoseconds: 999_999_999 } : moment;
}
