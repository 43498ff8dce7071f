import { CbrError } from '../core/index.js';

/** Dates of the Gregorian calendar as numbers of days, so that they can be compared and counted. */

/** Days since 1970-01-01, negative before. */
export type Day = number;

export interface CalendarDate {
  readonly year: number;
  /** From 1. */
  readonly month: number;
  /** Of the month, from 1. */
  readonly day: number;
}

const DAYS_IN_400_YEARS = 146_097;
/** From 0000-03-01 to 1970-01-01: years that begin in March end with the day that not all of them have. */
const MARCH_OF_YEAR_0 = 719_468;

/** The number of a date; months and days beyond their range count on, as 2026-13-01 does to 2027-01-01. */
export function dayOf({ year, month, day }: CalendarDate): Day {
  const months = year * 12 + month - 3;
  const marchYear = Math.floor(months / 12);
  const marchMonth = months - marchYear * 12;
  const leapDays = Math.floor(marchYear / 4) - Math.floor(marchYear / 100) + Math.floor(marchYear / 400);
  return marchYear * 365 + leapDays + Math.floor((153 * marchMonth + 2) / 5) + day - 1 - MARCH_OF_YEAR_0;
}

export function dateOf(day: Day): CalendarDate {
  const since = day + MARCH_OF_YEAR_0;
  const era = Math.floor(since / DAYS_IN_400_YEARS);
  const rest = since - era * DAYS_IN_400_YEARS;
  const yearOfEra = Math.floor(
    (rest - Math.floor(rest / 1460) + Math.floor(rest / 36_524) - Math.floor(rest / 146_096)) / 365,
  );
  const dayOfYear = rest - (365 * yearOfEra + Math.floor(yearOfEra / 4) - Math.floor(yearOfEra / 100));
  const marchMonth = Math.floor((5 * dayOfYear + 2) / 153);
  const month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9;
  return {
    year: era * 400 + yearOfEra + (month <= 2 ? 1 : 0),
    month,
    day: dayOfYear - Math.floor((153 * marchMonth + 2) / 5) + 1,
  };
}

/** From 1, Monday, to 7, Sunday. */
export function weekdayOf(day: Day): number {
  return modulo(day + 3, 7) + 1;
}

/** The week of ISO 8601: it begins on Monday and belongs to the year that has its Thursday. */
export function isoWeekOf(day: Day): { readonly year: number; readonly week: number } {
  const thursday = day - weekdayOf(day) + 4;
  const { year } = dateOf(thursday);
  return { year, week: Math.floor((thursday - dayOf({ year, month: 1, day: 1 })) / 7) + 1 };
}

/** The same day some months later; the last day of that month where it has no such day. */
export function addMonths(day: Day, months: number): Day {
  const date = dateOf(day);
  const first = dayOf({ year: date.year, month: date.month + months, day: 1 });
  const next = dayOf({ year: date.year, month: date.month + months + 1, day: 1 });
  return Math.min(first + date.day, next) - 1;
}

/** `2026-11-20`. */
export function dateText(day: Day): string {
  const { year, month, day: ofMonth } = dateOf(day);
  return `${yearText(year)}-${twoDigits(month)}-${twoDigits(ofMonth)}`;
}

export function yearText(year: number): string {
  return year < 0 ? `-${String(-year).padStart(4, '0')}` : String(year).padStart(4, '0');
}

export function twoDigits(value: number): string {
  return String(value).padStart(2, '0');
}

/** The day that `2026-11-20` names. Rejects with `usage`. */
export function parseDate(text: string): Day {
  const parts = /^(\d{4})-(\d\d)-(\d\d)$/.exec(text);
  if (parts !== null) {
    const day = dayOf({ year: Number(parts[1]), month: Number(parts[2]), day: Number(parts[3]) });
    if (dateText(day) === text) return day;
  }
  throw new CbrError('usage', `'${text}' is no date`, { hint: 'Write it as 2026-11-20.' });
}

export function modulo(value: number, by: number): number {
  return ((value % by) + by) % by;
}
