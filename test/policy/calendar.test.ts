import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { dateOf, isoWeekOf, weekdayOf } from '../../dist/policy/calendar-date.js';
import {
  addDuration,
  dateText,
  dayOf,
  durationText,
  parseDate,
  parseDuration,
  slotDays,
  slotsBefore,
  TimeZone,
} from '../../dist/policy/index.js';
import { runs } from '../core/runs.js';
import { at } from './samples.js';

const berlin = new TimeZone('Europe/Berlin');

describe('dates', () => {
  test('agree with those of Date, from the year -20000 to 20000', () => {
    const day = fc.integer({ min: -8_000_000, max: 7_000_000 });
    fc.assert(
      fc.property(day, (number) => {
        const date = new Date(number * 86_400_000);
        const expected = {
          year: date.getUTCFullYear(),
          month: date.getUTCMonth() + 1,
          day: date.getUTCDate(),
        };
        expect(dateOf(number)).toEqual(expected);
        expect(dayOf(expected)).toBe(number);
        expect(weekdayOf(number) % 7).toBe(date.getUTCDay());
      }),
      runs(300),
    );
  });

  test.each([
    ['2026-11-02', 2026, 45],
    ['2024-12-30', 2025, 1],
    ['2027-01-03', 2026, 53],
    ['2021-01-03', 2020, 53],
    ['2021-01-04', 2021, 1],
  ])('%s lies in week %i-W%i', (date, year, week) => {
    expect(isoWeekOf(parseDate(date))).toEqual({ year, week });
  });

  test('what is no date is refused', () => {
    for (const text of ['2026-02-29', '2026-13-01', '2026-1-1', '20260101', '']) {
      expect(() => parseDate(text)).toThrow(expect.objectContaining({ code: 'usage' }));
    }
  });
});

describe('zones', () => {
  test('know their offsets and dates, before and after clocks are changed', () => {
    expect(berlin.offsetAt(at('2026-03-29T00:59').seconds)).toBe(3600);
    expect(berlin.offsetAt(at('2026-03-29T01:00').seconds)).toBe(7200);
    expect(dateText(berlin.dayAt(at('2026-06-01T22:00').seconds))).toBe('2026-06-02');
    expect(new TimeZone('Asia/Kathmandu').offsetAt(0)).toBe(5.5 * 3600);
    expect(new TimeZone('Africa/Monrovia').offsetAt(0)).toBe(-(44 * 60 + 30));
    expect(() => new TimeZone('Mars/Olympus')).toThrow(expect.objectContaining({ code: 'usage' }));
  });

  test('a wall time is the moment at which clocks first show it or pass it', () => {
    const moment = (wall: string): number => berlin.secondsOf(at(wall).seconds);
    expect(moment('2026-06-01T12:00')).toBe(at('2026-06-01T10:00').seconds);
    expect(moment('2026-10-25T02:30')).toBe(at('2026-10-25T00:30').seconds);
    expect(moment('2026-03-29T02:30')).toBe(at('2026-03-29T01:00').seconds);
    const apia = new TimeZone('Pacific/Apia');
    // There was no 30 December 2011.
    expect(apia.secondsOf(at('2011-12-30T12:00').seconds)).toBe(at('2011-12-30T10:00').seconds);
  });
});

describe('durations', () => {
  test.each([
    ['90s', '1m30s'],
    ['15m', '15m'],
    ['6h', '6h'],
    ['30d', '30d'],
    ['4w', '28d'],
    ['6mo', '6mo'],
    ['2y', '2y'],
    ['1y6mo 2d', '1y6mo2d'],
  ])('%s', (text, shown) => {
    expect(durationText(parseDuration(text))).toBe(shown);
  });

  const refused = (text: string, hint: RegExp): void => {
    const error = expect.objectContaining({ code: 'usage', hint: expect.stringMatching(hint) });
    expect(() => parseDuration(text), text).toThrow(error);
  };

  test('anything else is none', () => {
    for (const text of ['', '0d', '5', 'd', '-1d', '1.5h', '1D', '1month', '1234567d', 'x1d', '1d1']) {
      refused(text, /such as 90s/);
    }
  });

  test('m beside days or more is doubtful, for others write months so', () => {
    const minutes = /^m is minutes; months are written mo\./;
    for (const text of ['2y5m7d3h', '1y6m', '1y 6m', '7d15m', '4w1m', '6mo1m', '5m2y', '1d5m3h']) {
      refused(text, minutes);
    }
    expect(parseDuration('1d0h15m')).toEqual({ months: 0, days: 1, seconds: 900 });
    expect(parseDuration('2y5mo7d3h5m6s')).toEqual({ months: 29, days: 7, seconds: 11_106 });
    expect(parseDuration('6m30s')).toEqual({ months: 0, days: 0, seconds: 390 });
  });

  test('units from the longest to the shortest or the other way round, each once', () => {
    const all = { months: 30, days: 58, seconds: 22_590 };
    expect(parseDuration('90s 15m 6h 30d 4w 6mo 2y')).toEqual(all);
    expect(parseDuration('2y6mo4w30d6h15m90s')).toEqual(all);
    for (const text of ['1d1y1h', '1w1w', '1y1mo1y', '3h5m2y', '1y1h1d']) {
      refused(text, /in this order, each at most once: y mo w d h m s\./);
    }
  });

  test('what is shown can be read again', () => {
    const count = fc.nat({ max: 9999 });
    fc.assert(
      fc.property(count, count, fc.nat({ max: 9_999_999 }), (months, days, seconds) => {
        fc.pre(months + days + seconds > 0);
        expect(parseDuration(durationText({ months, days, seconds }))).toEqual({ months, days, seconds });
      }),
    );
  });

  test.each([
    ['2026-01-31T12:00', '1mo', '2026-02-28T12:00'],
    ['2024-02-29T12:00', '1y', '2025-02-28T12:00'],
    ['2026-03-28T12:00', '1d', '2026-03-29T11:00'],
    ['2026-03-28T12:00', '24h', '2026-03-29T12:00'],
    ['2026-12-31T12:00', '2mo1d90s', '2027-03-01T12:01:30'],
  ])('%s and %s', (time, duration, later) => {
    expect(addDuration(at(time), parseDuration(duration), berlin)).toEqual(at(later));
  });
});

test('slots lie strictly before today and reach back to one another', () => {
  const counts = { days: 2, weeks: 2, months: 2, years: 2 };
  const slots = slotsBefore(parseDate('2026-03-01'), counts, slotDays({ weekday: 7 }));
  expect(slots.map(({ kind, date, after }) => [kind, dateText(date), dateText(after)])).toEqual([
    ['days', '2026-02-28', '2026-02-27'],
    ['days', '2026-02-27', '2026-02-26'],
    ['weeks', '2026-02-22', '2026-02-15'],
    ['weeks', '2026-02-15', '2026-02-08'],
    ['months', '2026-02-01', '2026-01-01'],
    ['months', '2026-01-01', '2025-12-01'],
    ['years', '2026-01-01', '2025-01-01'],
    ['years', '2025-01-01', '2024-01-01'],
  ]);
});
