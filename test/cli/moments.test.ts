import { describe, expect, test } from 'vitest';
import { momentOf } from '../../dist/cli/moments.js';
import { isoTime, timeIn, type ZonedTime } from '../../dist/cli/times.js';
import { TimeZone } from '../../dist/policy/index.js';

const berlin = new TimeZone('Europe/Berlin');

/** What a text names, seen at that time in Berlin; nothing where it names none. */
function seen(at: string, text: string, zone = berlin): string | undefined {
  const now = timeIn(at, zone) as ZonedTime;
  const moment = momentOf(text, now, zone);
  return moment === undefined ? undefined : isoTime(moment, moment.zoneOffset);
}

/** A Friday. */
const NOW = '2026-11-20 14:05:09.5';

describe('what is named by the calendar', () => {
  test.each([
    ['2026-11-18', '2026-11-18T00:00:00+01:00'],
    ['2026-07-18', '2026-07-18T00:00:00+02:00'],
    ['2026-11-18 09:30', '2026-11-18T09:30:00+01:00'],
    ['2026-11-18T09:30:15.25', '2026-11-18T09:30:15.25+01:00'],
    ['2026-11-18T09:30:15-05:00', '2026-11-18T09:30:15-05:00'],
    ['2026-11-18T09:30Z', '2026-11-18T09:30:00+00:00'],
    ['2026-11-18 09:30 UTC', '2026-11-18T09:30:00+00:00'],
    ['@1795179909', '2026-11-20T14:05:09+01:00'],
    ['now', '2026-11-20T14:05:09.5+01:00'],
    ['today', '2026-11-20T00:00:00+01:00'],
    ['Today 9:30', '2026-11-20T09:30:00+01:00'],
    ['09:30', '2026-11-20T09:30:00+01:00'],
    ['noon', '2026-11-20T12:00:00+01:00'],
    ['yesterday', '2026-11-19T00:00:00+01:00'],
    ['yesterday 18:00', '2026-11-19T18:00:00+01:00'],
    ['  YESTERDAY   at 18:00:30 ', '2026-11-19T18:00:30+01:00'],
    ['yesterday midnight', '2026-11-19T00:00:00+01:00'],
    ['yesterday 18:00 +05:30', '2026-11-19T18:00:00+05:30'],
    ['yesterday 18:00Z', '2026-11-19T18:00:00+00:00'],
    ['last thursday', '2026-11-19T00:00:00+01:00'],
    ['last friday', '2026-11-13T00:00:00+01:00'],
    ['last saturday', '2026-11-14T00:00:00+01:00'],
    ['last monday noon', '2026-11-16T12:00:00+01:00'],
    ['2 days ago 9:30', '2026-11-18T09:30:00+01:00'],
    ['a week ago at noon', '2026-11-13T12:00:00+01:00'],
  ])('%s', (text, expected) => {
    expect(seen(NOW, text)).toBe(expected);
  });

  test('a day begins where its zone is', () => {
    // In Kiritimati it is the next day already.
    expect(seen('2026-11-20 14:05', 'today 09:00 +14:00')).toBe('2026-11-21T09:00:00+14:00');
    expect(seen('2026-11-20 00:30', 'yesterday')).toBe('2026-11-19T00:00:00+01:00');
    expect(seen('2026-11-20 00:30', 'yesterday UTC')).toBe('2026-11-18T00:00:00+00:00');
  });
});

describe('what is counted from now', () => {
  test.each([
    ['0 days ago', '2026-11-20T14:05:09.5+01:00'],
    ['2 days ago', '2026-11-18T14:05:09.5+01:00'],
    ['1 day ago', '2026-11-19T14:05:09.5+01:00'],
    ['2d ago', '2026-11-18T14:05:09.5+01:00'],
    ['3 hours ago', '2026-11-20T11:05:09.5+01:00'],
    ['an hour ago', '2026-11-20T13:05:09.5+01:00'],
    ['90 minutes ago', '2026-11-20T12:35:09.5+01:00'],
    ['10 secs ago', '2026-11-20T14:04:59.5+01:00'],
    ['1 week ago', '2026-11-13T14:05:09.5+01:00'],
    ['1 month ago', '2026-10-20T14:05:09.5+02:00'],
    ['2 years ago', '2024-11-20T14:05:09.5+01:00'],
    ['1y6mo ago', '2025-05-20T14:05:09.5+02:00'],
    ['100 years ago', '1926-11-20T14:05:09.5+01:00'],
  ])('%s', (text, expected) => {
    expect(seen(NOW, text)).toBe(expected);
  });

  test('months end where they end, leap years too', () => {
    expect(seen('2026-03-31 10:00', '1 month ago')).toBe('2026-02-28T10:00:00+01:00');
    expect(seen('2028-03-31 10:00', '1 month ago')).toBe('2028-02-29T10:00:00+01:00');
    expect(seen('2028-02-29 10:00', '1 year ago')).toBe('2027-02-28T10:00:00+01:00');
    expect(seen('2028-02-29 10:00', '4 years ago')).toBe('2024-02-29T10:00:00+01:00');
    expect(seen('2026-01-15 10:00', '2 months ago')).toBe('2025-11-15T10:00:00+01:00');
    expect(seen('2028-03-01 10:00', 'yesterday')).toBe('2028-02-29T00:00:00+01:00');
    expect(seen('2026-01-01 10:00', 'yesterday 23:00')).toBe('2025-12-31T23:00:00+01:00');
  });
});

/** On 2026-03-29 at 2:00 they were put forward to 3:00, on 2026-10-25 at 3:00 back to 2:00. */
describe('when clocks are changed', () => {
  test('days are as the calendar has them, hours as they pass', () => {
    expect(seen('2026-03-29 12:00', '1 day ago')).toBe('2026-03-28T12:00:00+01:00');
    expect(seen('2026-03-29 12:00', '24 hours ago')).toBe('2026-03-28T11:00:00+01:00');
    expect(seen('2026-10-25 12:00', '1 day ago')).toBe('2026-10-24T12:00:00+02:00');
    expect(seen('2026-10-25 12:00', '24 hours ago')).toBe('2026-10-24T13:00:00+02:00');
    expect(seen('2026-03-30 00:30', 'yesterday 18:00')).toBe('2026-03-29T18:00:00+02:00');
    expect(seen('2026-03-30 12:00', 'yesterday')).toBe('2026-03-29T00:00:00+01:00');
  });

  test('a time that was left out, and one that came twice', () => {
    expect(seen('2026-03-30 12:00', 'yesterday 2:30')).toBe('2026-03-29T03:00:00+02:00');
    expect(seen('2026-03-30 02:30', '1 day ago')).toBe('2026-03-29T03:00:00+02:00');
    expect(seen('2026-10-26 12:00', 'yesterday 2:30')).toBe('2026-10-25T02:30:00+02:00');
    expect(seen('2026-10-26 12:00', 'yesterday 2:30 +01:00')).toBe('2026-10-25T02:30:00+01:00');
  });

  test('a day that begins at 1:00', () => {
    const beirut = new TimeZone('Asia/Beirut');
    expect(seen('2026-03-30 12:00', 'yesterday', beirut)).toBe('2026-03-29T01:00:00+03:00');
  });
});

test.each([
  '',
  ' ',
  'tomorrow',
  'in 2 days',
  '2 days',
  '-2 days ago',
  '1.5 days ago',
  '2 fortnights ago',
  '1y6m ago',
  '9999999 days ago',
  'yesterday 24:00',
  'yesterday 9:60',
  'yesterday 9',
  '3 hours ago 9:30',
  'now 9:30',
  'monday',
  'last month',
  '2026-02-29',
  '2026-13-01',
  '20.11.2026',
  '11/20/2026',
  '2026-11-20 9:30 +25:00',
  'yesterday\u001b[31m',
  'ago',
  'constructor ago',
  '-',
])('%j names no time', (text) => {
  expect(seen(NOW, text)).toBeUndefined();
});

test('what no clock can show names no time', () => {
  const now: ZonedTime = { seconds: 0, nanoseconds: 0, zoneOffset: 0 };
  const clock = { offsetAt: () => 0, secondsOf: (wall: number) => (wall < -8.64e12 ? Number.NaN : wall) };
  expect(momentOf('999999 years ago', now, clock)).toBeUndefined();
  expect(momentOf('99999 years ago', now, clock)).toBeDefined();
});
