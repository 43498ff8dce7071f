import { CbrError } from '../core/index.js';
import { type CalendarDate, type Day, dateOf, dayOf, modulo, weekdayOf } from './calendar-date.js';

/** The dates of a round-robin policy. */

/** How many slots of each kind there are. */
export interface SlotCounts {
  readonly days: number;
  readonly weeks: number;
  readonly months: number;
  readonly years: number;
}

/** On which days weekly, monthly and yearly slots lie. */
export interface SlotDays {
  /** From 1, Monday, to 7, Sunday. */
  readonly weekday: number;
  /** From 1 to 28: a day that every month has. */
  readonly monthday: number;
  /** Of yearly slots, from 1. */
  readonly month: number;
}

/** A date for which a snapshot is kept, and how far back it reaches: `after` < date <= `date`. */
export interface Slot {
  readonly kind: keyof SlotCounts;
  readonly date: Day;
  readonly after: Day;
}

/** What stands for a day that is not given: Monday, the 1st, January. */
const USUAL: SlotDays = { weekday: 1, monthday: 1, month: 1 };

/**
 * Slot days by their numbers. A day of the month beyond the 28th becomes the 1st of the month that follows, and the month of
 * yearly slots follows with it; with `refuse` it is an error. Rejects with `usage`.
 */
export function slotDays(days: Partial<SlotDays>, beyond28: 'move' | 'refuse' = 'move'): SlotDays {
  const { weekday, monthday, month } = { ...USUAL, ...days };
  refuseUnless(weekday >= 1 && weekday <= 7, `weekday ${weekday}`, 'Give 1, Monday, to 7, Sunday.');
  refuseUnless(monthday >= 1 && monthday <= 31, `day ${monthday} of a month`, 'Give 1 to 31.');
  refuseUnless(month >= 1 && month <= 12, `month ${month}`, 'Give 1 to 12.');
  if (monthday <= 28) return { weekday, monthday, month };
  refuseUnless(beyond28 === 'move', `day ${monthday} in every month`, 'Give a day up to the 28th.');
  return { weekday, monthday: 1, month: (month % 12) + 1 };
}

/** The slot days of an anchor: its weekday, its day of the month, its month. Rejects as `slotDays` does. */
export function anchorSlotDays(anchor: Day, beyond28: 'move' | 'refuse' = 'move'): SlotDays {
  const { month, day } = dateOf(anchor);
  return slotDays({ weekday: weekdayOf(anchor), monthday: day, month }, beyond28);
}

function refuseUnless(isGood: boolean, what: string, hint: string): void {
  if (!isGood) throw new CbrError('usage', `round-robin: there is no ${what}`, { hint });
}

/** All slots, each strictly before today: the latest ones of each kind. */
export function slotsBefore(today: Day, counts: SlotCounts, days: SlotDays): Slot[] {
  const { year, month, day } = dateOf(today);
  const { weekday, monthday } = days;
  const lastWeekly = today - 1 - modulo(weekdayOf(today) - weekday - 1, 7);
  const firstMonth = monthday < day ? 0 : 1;
  const yearly = (back: number): CalendarDate => ({ year: year - back, month: days.month, day: monthday });
  const firstYear = dayOf(yearly(0)) < today ? 0 : 1;
  return [
    ...dates('days', counts.days, (i) => today - 1 - i),
    ...dates('weeks', counts.weeks, (i) => lastWeekly - 7 * i),
    ...dates('months', counts.months, (i) => dayOf({ year, month: month - firstMonth - i, day: monthday })),
    ...dates('years', counts.years, (i) => dayOf(yearly(firstYear + i))),
  ];
}

/** The first `count` of a descending row of dates, each reaching back to the one that follows. */
function dates(kind: keyof SlotCounts, count: number, dateAt: (i: number) => Day): Slot[] {
  return Array.from({ length: Math.max(0, count) }, (_, i) => ({
    kind,
    date: dateAt(i),
    after: dateAt(i + 1),
  }));
}

/** The dates of which snapshots are kept to the letter of the original: today and all slots, latest first, each once. */
export function roundRobinDates(today: Day, counts: SlotCounts, days: SlotDays): Day[] {
  const all = new Set([today, ...slotsBefore(today, counts, days).map(({ date }) => date)]);
  return [...all].sort((a, b) => b - a);
}
