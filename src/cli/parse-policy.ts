import { InvalidArgumentError } from 'commander';
import { CbrError } from '../core/index.js';
import {
  type DarStyle,
  type Duration,
  GROUP_FIELDS,
  type GroupField,
  isShorterThanDay,
  MINUTES_HINT,
  parseDate,
  parseDuration,
  type RoundRobin,
  type SlotDays,
  TimeZone,
} from '../policy/index.js';
import { wholeNumber } from './parse-number.js';

/** Parsers of the values of policy flags, for commander: each rejects with InvalidArgumentError, which says what is expected. */

/** So many snapshots or days are more than anybody has. */
const MOST = 999_999;

const amount = wholeNumber(0, MOST);
/** Slots are tried one by one. */
const slots = wholeNumber(0, 9999);

export const parseCount: (text: string) => number = amount;

export function parseSpan(text: string): Duration {
  return checked(() => parseDuration(text.trim()));
}

/** As `parseSpan`, for rules that keep one snapshot a day or less: nobody means a part of a day there. */
export function parseLongSpan(text: string): Duration {
  const duration = parseSpan(text);
  if (!isShorterThanDay(duration)) return duration;
  throw new InvalidArgumentError(`A duration of a day or longer is expected. ${MINUTES_HINT}`);
}

/** An IANA name, or `local` for the zone of this machine. */
export function parseZone(text: string): TimeZone {
  return checked(() => new TimeZone(text === 'local' ? localZoneName() : text));
}

/** UTC where the machine's zone is none that can be named, as Node itself takes it then. */
function localZoneName(): string {
  const name = new Intl.DateTimeFormat().resolvedOptions().timeZone;
  return name === 'Etc/Unknown' || name === undefined ? 'UTC' : name;
}

/** Field names with commas between them, or `none` for one group of all. */
export function parseGroupBy(text: string): readonly GroupField[] {
  if (text === 'none') return [];
  return text.split(',').map((word) => {
    const field = GROUP_FIELDS.find((each) => each === word.trim());
    if (field !== undefined) return field;
    throw new InvalidArgumentError(`Words from ${GROUP_FIELDS.join(', ')}, or none, are expected.`);
  });
}

/** `diff=30,incr=15`, `diff=30,incr=15,full=365`. */
export function parseDarStyle(text: string): DarStyle {
  const given = assignments(text, ['diff', 'incr', 'full']);
  const full = given.get('full') ?? 'never';
  return {
    diff: numberOf(given, 'diff', amount),
    incr: numberOf(given, 'incr', amount),
    full: full === 'never' ? full : numberOf(given, 'full', amount),
  };
}

const SLOT_COUNT_WORDS = ['days', 'weeks', 'months', 'years'] as const;
const WEEKDAYS = ['monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday', 'sunday'];

/** What the days of slots may be: from 1 on, or a name where there are names. */
const SLOT_DAYS: Readonly<
  Record<keyof SlotDays, { readonly most: number; readonly names: readonly string[]; readonly range: string }>
> = {
  weekday: { most: 7, names: WEEKDAYS, range: '1 (monday) to 7 (sunday)' },
  monthday: { most: 31, names: [], range: '1 to 31' },
  month: { most: 12, names: [], range: '1 (January) to 12 (December)' },
};
const SLOT_DAY_WORDS = ['weekday', 'monthday', 'month'] as const;

/** `days=6,weeks=5,months=6,years=10`, then what of anchor, mode, weekday, monthday and month is wanted. */
export function parseRoundRobin(text: string): RoundRobin {
  const given = assignments(text, [...SLOT_COUNT_WORDS, 'anchor', 'mode', ...SLOT_DAY_WORDS]);
  const mode = given.get('mode') ?? 'nearest';
  if (mode !== 'exact' && mode !== 'nearest') {
    throw new InvalidArgumentError(`mode=${mode}: exact or nearest is expected.`);
  }
  // Before what is missing: a value that is wrong stays so.
  const anchor = anchorOf(given);
  refuseMissingCounts(given);
  return {
    days: numberOf(given, 'days', slots),
    weeks: numberOf(given, 'weeks', slots),
    months: numberOf(given, 'months', slots),
    years: numberOf(given, 'years', slots),
    mode,
    anchor,
  };
}

function refuseMissingCounts(given: ReadonlyMap<string, string>): void {
  const missing = SLOT_COUNT_WORDS.filter((word) => !given.has(word));
  const [first] = missing;
  if (first === undefined) return;
  const are =
    missing.length === 1 ? `${first} is` : `${missing.join(', ').replace(/, (\w+)$/, ' and $1')} are`;
  throw new InvalidArgumentError(
    `All four of days, weeks, months and years are needed: ${are} missing; write ${first}=0 to keep nothing for it.`,
  );
}

function anchorOf(given: ReadonlyMap<string, string>): RoundRobin['anchor'] {
  const words = SLOT_DAY_WORDS.filter((word) => given.has(word));
  const anchor = given.get('anchor');
  if (words.length === 0) {
    return anchor === undefined || anchor === 'oldest'
      ? 'oldest'
      : { date: checked(() => parseDate(anchor)) };
  }
  if (anchor !== undefined) throw new InvalidArgumentError(`anchor and ${words[0]} exclude each other.`);
  return Object.fromEntries(words.map((word) => [word, slotDayOf(word, given.get(word)!)]));
}

function slotDayOf(word: keyof SlotDays, value: string): number {
  const { most, names, range } = SLOT_DAYS[word];
  const named = names.indexOf(value.toLowerCase()) + 1;
  const number = /^[0-9]{1,2}$/.test(value) ? Number(value) : named;
  if (number >= 1 && number <= most) return number;
  throw new InvalidArgumentError(`${word}=${value}: ${range} is expected.`);
}

/** `word=value` with commas between them: known words, each once. */
function assignments(text: string, words: readonly string[]): ReadonlyMap<string, string> {
  const given = new Map<string, string>();
  for (const part of text.split(',')) {
    const [, word = '', value = ''] = /^\s*([a-z]+)=(\S+)\s*$/.exec(part) ?? [];
    if (!words.includes(word)) {
      throw new InvalidArgumentError(`WORD=VALUE is expected, WORD one of ${words.join(', ')}.`);
    }
    if (given.has(word)) throw new InvalidArgumentError(`${word} is given twice.`);
    given.set(word, value);
  }
  return given;
}

function numberOf(given: ReadonlyMap<string, string>, word: string, parse: (text: string) => number): number {
  const value = given.get(word);
  if (value === undefined) {
    throw new InvalidArgumentError(`${word} is missing; write ${word}=0 to keep nothing for it.`);
  }
  try {
    return parse(value);
  } catch (error) {
    if (!(error instanceof InvalidArgumentError)) throw error;
    throw new InvalidArgumentError(`${word}=${value}: ${error.message}`);
  }
}

/** What the library refuses, refused as commander wants it. */
function checked<T>(step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof CbrError)) throw error;
    throw new InvalidArgumentError(`${error.message}. ${error.hint ?? ''}`.trim());
  }
}
