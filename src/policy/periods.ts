import { type Day, dateOf, dateText, isoWeekOf, twoDigits, yearText } from './calendar-date.js';
import type { TimeZone } from './time-zone.js';

/** The calendar periods by which snapshots are counted, shortest first. */
export const PERIODS = ['hourly', 'daily', 'weekly', 'monthly', 'quarterly', 'yearly'] as const;
export type Period = (typeof PERIODS)[number];

const HOUR_SECONDS = 3600;

/** The number of the bucket in which a time lies: times in the same period of the zone's calendar have the same one. */
export function bucketOf(period: Period, seconds: number, zone: TimeZone): number {
  if (period === 'hourly') {
    // The hour that clocks show twice is two hours.
    const offset = zone.offsetAt(seconds);
    return Math.floor((seconds + offset) / HOUR_SECONDS) * 2 ** 18 + offset;
  }
  const day = zone.dayAt(seconds);
  if (period === 'daily') return day;
  if (period === 'weekly') return Math.floor((day + 3) / 7);
  const { year, month } = dateOf(day);
  if (period === 'monthly') return year * 12 + month;
  return period === 'quarterly' ? year * 4 + quarterOf(month) : year;
}

/** The bucket in which a time lies, for people: `2026-11-20 14:00 +01:00`, `2026-11-20`, `2026-W47`, `2026-11`, `2026-Q4`, `2026`. */
export function bucketText(period: Period, seconds: number, zone: TimeZone): string {
  const day = zone.dayAt(seconds);
  const { year, month } = dateOf(day);
  switch (period) {
    case 'hourly':
      return hourText(day, seconds, zone);
    case 'daily':
      return dateText(day);
    case 'weekly': {
      const iso = isoWeekOf(day);
      return `${yearText(iso.year)}-W${twoDigits(iso.week)}`;
    }
    case 'monthly':
      return `${yearText(year)}-${twoDigits(month)}`;
    case 'quarterly':
      return `${yearText(year)}-Q${quarterOf(month)}`;
    case 'yearly':
      return yearText(year);
  }
}

function quarterOf(month: number): number {
  return Math.ceil(month / 3);
}

function hourText(day: Day, seconds: number, zone: TimeZone): string {
  const offset = zone.offsetAt(seconds);
  const hour = Math.floor((seconds + offset - day * 86_400) / HOUR_SECONDS);
  const size = Math.floor(Math.abs(offset) / 60);
  const sign = offset < 0 ? '-' : '+';
  return `${dateText(day)} ${twoDigits(hour)}:00 ${sign}${twoDigits(Math.floor(size / 60))}:${twoDigits(size % 60)}`;
}
