import {
  type Day,
  type Decision,
  dateOf,
  dayOf,
  type PolicySnapshot,
  type TimeZone,
} from '../policy/index.js';
import { countText } from './sizes.js';

/** What a policy keeps and forgets as a picture: a row for each month and a mark for each day, older years in less detail. */

/** The picture must fit on a screen: either all months get a row, or these and the years before them. */
const MOST_MONTHS = 36;
const MONTHS_BESIDE_YEARS = 24;
const MOST_YEARS = 9;
/** So many empty months are told in one row. */
const LONG = 3;

const MARKS = { kept: '#', forgotten: '-', both: '*', none: '.' } as const;
const LEGEND = '# kept   - forgotten   * some of both   . no snapshot';

const INDENT = ' '.repeat(9);
/** Above each fifth day, which stand in groups of five. */
const DAYS_TITLE = `${INDENT}1     6     11    16    21    26    31`;
const MONTHS_TITLE = `${INDENT}J F M A M J J A S O N D`;

interface Tally {
  kept: number;
  forgotten: number;
}

/** The rows, oldest first, and what the marks mean; none without snapshots. */
export function calendarLines(decisions: readonly Decision<PolicySnapshot>[], zone: TimeZone): string[] {
  const days = new Map<Day, Tally>();
  for (const { snapshot, reasons } of decisions) {
    count(days, zone.dayAt(snapshot.time.seconds), reasons.length > 0 ? 1 : 0, reasons.length > 0 ? 0 : 1);
  }
  if (days.size === 0) return [];
  const months = summed(days, monthOf);
  const all = [...months.keys()];
  const [first, last] = [Math.min(...all), Math.max(...all)];
  const hasYears = last - first >= MOST_MONTHS;
  // Whole years above, so that no year has its months in both parts.
  const from = hasYears ? 12 * Math.ceil((last - MONTHS_BESIDE_YEARS + 1) / 12) : first;
  return [
    ...(hasYears ? yearLines(months, from) : []),
    DAYS_TITLE,
    ...monthLines(range(from, last), months, days),
    LEGEND,
  ];
}

/** Where nothing happened for long there is nothing to look at. */
function monthLines(
  rows: readonly number[],
  months: ReadonlyMap<number, Tally>,
  days: ReadonlyMap<Day, Tally>,
): string[] {
  const lines: string[] = [];
  let empty: string[] = [];
  const addEmpty = (): void => {
    lines.push(...(empty.length < LONG ? empty : [`${INDENT}(${empty.length} months without any)`]));
    empty = [];
  };
  for (const month of rows) {
    const line = monthRow(month, days);
    if (!months.has(month)) {
      empty.push(line);
      continue;
    }
    addEmpty();
    lines.push(line);
  }
  addEmpty();
  return lines;
}

function yearLines(months: ReadonlyMap<number, Tally>, before: number): string[] {
  const old = new Map([...months].filter(([month]) => month < before));
  const years = [...new Set([...old.keys()].map(yearOf))].sort((a, b) => a - b);
  const shown = years.slice(-MOST_YEARS);
  const older: Tally = { kept: 0, forgotten: 0 };
  for (const [month, { kept, forgotten }] of old) {
    if (yearOf(month) >= shown[0]!) continue;
    older.kept += kept;
    older.forgotten += forgotten;
  }
  const rows = shown.map((year) => {
    const marks = range(12 * year, 12 * year + 11).map((month) => markOf(old.get(month)));
    return `${label(String(year))}${marks.join(' ')}`;
  });
  const { kept, forgotten } = older;
  const first = `before ${shown[0]}: ${countText(kept)} kept, ${countText(forgotten)} forgotten`;
  return [...(kept + forgotten > 0 ? [first] : []), MONTHS_TITLE, ...rows];
}

function monthRow(month: number, days: ReadonlyMap<Day, Tally>): string {
  const [year, ofYear] = [yearOf(month), month - 12 * yearOf(month) + 1];
  const first = dayOf({ year, month: ofYear, day: 1 });
  const end = dayOf({ year, month: ofYear + 1, day: 1 });
  const marks = range(first, end - 1).map((day) => markOf(days.get(day)));
  const groups = range(0, Math.ceil(marks.length / 5) - 1).map((i) => marks.slice(5 * i, 5 * i + 5).join(''));
  return `${label(`${year}-${String(ofYear).padStart(2, '0')}`)}${groups.join(' ')}`;
}

const label = (text: string): string => text.padEnd(INDENT.length);

function markOf(tally: Tally | undefined): string {
  if (tally === undefined) return MARKS.none;
  if (tally.kept === 0) return MARKS.forgotten;
  return tally.forgotten === 0 ? MARKS.kept : MARKS.both;
}

/** Months since the year 0. */
function monthOf(day: Day): number {
  const { year, month } = dateOf(day);
  return 12 * year + month - 1;
}

function yearOf(month: number): number {
  return Math.floor(month / 12);
}

function summed(tallies: ReadonlyMap<number, Tally>, keyOf: (key: number) => number): Map<number, Tally> {
  const sums = new Map<number, Tally>();
  for (const [key, { kept, forgotten }] of tallies) count(sums, keyOf(key), kept, forgotten);
  return sums;
}

function count(tallies: Map<number, Tally>, key: number, kept: number, forgotten: number): void {
  const tally = tallies.get(key) ?? { kept: 0, forgotten: 0 };
  tally.kept += kept;
  tally.forgotten += forgotten;
  tallies.set(key, tally);
}

function range(from: number, to: number): number[] {
  return Array.from({ length: Math.max(0, to - from + 1) }, (_, i) => from + i);
}
