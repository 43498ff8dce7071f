import { InvalidArgumentError } from 'commander';
import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { modeText } from '../../dist/cli/entry-text.js';
import { percentage, wholeNumber } from '../../dist/cli/parse-number.js';
import { ProgressMeter } from '../../dist/cli/progress.js';
import { progressLine } from '../../dist/cli/progress-line.js';
import { parseUnused } from '../../dist/cli/prune-run.js';
import { rawField, rawListField } from '../../dist/cli/raw-names.js';
import { countOf, countText, parseSize, sizeText } from '../../dist/cli/sizes.js';
import { labelled, table } from '../../dist/cli/table.js';
import { shortenedFront, textWidth } from '../../dist/cli/text-width.js';
import { clockSpan, isoTime, parseTime, spanText, timeText } from '../../dist/cli/times.js';

const zone = process.env.TZ;
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

describe('sizes', () => {
  test.each([
    [0, '0 B'],
    [1, '1 B'],
    [1023, '1023 B'],
    [1024, '1.00 KiB'],
    [1536, '1.50 KiB'],
    [10 * 1024, '10.0 KiB'],
    [100 * 1024, '100 KiB'],
    [1024 ** 2 - 1, '1.00 MiB'],
    [1024 ** 3, '1.00 GiB'],
    [2.5 * 1024 ** 4, '2.50 TiB'],
    [Number.MAX_SAFE_INTEGER, '8.00 PiB'],
  ])('%d is shown as %s', (bytes, text) => {
    expect(sizeText(bytes)).toBe(text);
  });

  test('never take more than four characters before the unit', () => {
    fc.assert(
      fc.property(fc.nat({ max: Number.MAX_SAFE_INTEGER }), (bytes) => {
        expect(sizeText(bytes)).toMatch(/^[0-9.]{1,4} ([KMGTP]i)?B$/);
      }),
    );
  });

  test.each([
    ['65536', 65_536],
    ['64KiB', 65_536],
    ['4 MiB', 4_194_304],
    ['1.5GiB', 1_610_612_736],
    ['1tib', 1_099_511_627_776],
    // As restic writes them.
    ['1K', 1024],
    ['2G', 2_147_483_648],
    ['3m', 3_145_728],
    ['4T', 4_398_046_511_104],
    ['1.5 P', 1_688_849_860_263_936],
    ['5b', 5],
    ['12B', 12],
    ['0', 0],
  ])('%s is read', (text, bytes) => {
    expect(parseSize(text)).toBe(bytes);
  });

  test.each(['', 'KiB', '-1', '64KB', '1.5', '0x10', '1e3', '64 K i B', '1Ki', '1E', '9999999999PiB', 'NaN'])(
    '%j is refused',
    (text) => {
      expect(() => parseSize(text)).toThrow(InvalidArgumentError);
    },
  );

  test('how much may be unused', () => {
    expect(parseUnused('5%')).toEqual({ fraction: 0.05 });
    expect(parseUnused('unlimited')).toEqual({ fraction: 1 });
    for (const nothing of ['0', '00', '0%']) expect(parseUnused(nothing)).toEqual({ bytes: 0 });
    expect(parseUnused('5M')).toEqual({ bytes: 5 * 1024 ** 2 });
    expect(parseUnused('5 B')).toEqual({ bytes: 5 });
    for (const [text, message] of [
      ['5', '5 what? Give 5% or a size such as 5MiB.'],
      ['0.5', '0.5 what? Give 5% or a size such as 5MiB.'],
      ['101%', /^A percentage, a size or unlimited is expected/],
      ['5MB', /^A percentage, a size or unlimited is expected/],
    ] as const) {
      expect(() => parseUnused(text)).toThrow(message);
    }
  });

  test('counts', () => {
    expect(countText(0)).toBe('0');
    expect(countText(999)).toBe('999');
    expect(countText(1234567)).toBe('1,234,567');
    expect(countOf(1, 'file')).toBe('1 file');
    expect(countOf(0, 'file')).toBe('0 files');
    expect(countOf(2, 'entry', 'entries')).toBe('2 entries');
  });
});

describe('numbers', () => {
  test('whole numbers within bounds', () => {
    expect(wholeNumber(1, 64)('64')).toBe(64);
    for (const text of ['0', '65', '1.5', '-1', '', 'x', '1 ', '0x1']) {
      expect(() => wholeNumber(1, 64)(text)).toThrow(InvalidArgumentError);
    }
  });

  test('percentages', () => {
    expect(percentage('10')).toBe(10);
    expect(percentage('0.5%')).toBe(0.5);
    expect(percentage('100')).toBe(100);
    for (const text of ['0', '100.1', '-1', '', 'all']) {
      expect(() => percentage(text)).toThrow(InvalidArgumentError);
    }
  });
});

describe('times', () => {
  test.each([
    ['2026-11-20T14:05:09+01:00', 1795179909, 0, 60],
    ['2026-11-20T13:05:09.5Z', 1795179909, 500_000_000, 0],
    ['2026-11-20T13:05:09,123456789z', 1795179909, 123_456_789, 0],
    ['2026-11-20 08:35:09-0430', 1795179909, 0, -270],
    ['1969-12-31T23:59:59Z', -1, 0, 0],
    ['0001-01-01T00:00:00Z', -62135596800, 0, 0],
    ['2024-02-29T00:00Z', 1709164800, 0, 0],
  ])('%s', (text, seconds, nanoseconds, zoneOffset) => {
    expect(parseTime(text)).toEqual({ seconds, nanoseconds, zoneOffset });
  });

  test('without a zone: that of this machine, at that time of the year', () => {
    process.env.TZ = 'Europe/Berlin';
    expect(parseTime('2026-11-20')).toEqual({ seconds: 1795129200, nanoseconds: 0, zoneOffset: 60 });
    expect(parseTime('2026-07-20 12:00')).toEqual({ seconds: 1784541600, nanoseconds: 0, zoneOffset: 120 });
    expect(timeText({ seconds: 1784541600, nanoseconds: 0 })).toBe('2026-07-20 12:00:00 +02:00');
    expect(isoTime({ seconds: 1784541600, nanoseconds: 1 })).toBe('2026-07-20T12:00:00.000000001+02:00');
  });

  test('seconds since 1970', () => {
    process.env.TZ = 'UTC';
    expect(parseTime('@0')).toEqual({ seconds: 0, nanoseconds: 0, zoneOffset: 0 });
    expect(parseTime('@1795179909.25')).toMatchObject({ seconds: 1795179909, nanoseconds: 250_000_000 });
    expect(parseTime('@-1.5')).toMatchObject({ seconds: -2, nanoseconds: 500_000_000 });
  });

  test.each([
    '',
    'now',
    '2026',
    '2026-13-01',
    '2026-02-30',
    '2026-11-20T24:00',
    '2026-11-20T10:60',
    '@',
    '@x',
  ])('%j is refused', (text) => {
    expect(() => parseTime(text)).toThrow(InvalidArgumentError);
  });

  test('what is shown can be read again', () => {
    const time = fc.record({
      seconds: fc.integer({ min: -62_000_000_000, max: 253_000_000_000 }),
      nanoseconds: fc.nat({ max: 999_999_999 }),
    });
    fc.assert(
      fc.property(time, fc.integer({ min: -720, max: 840 }), (its, zoneOffset) => {
        expect(parseTime(isoTime(its, zoneOffset))).toEqual({ ...its, zoneOffset });
      }),
    );
  });

  test('beyond the years that a calendar has names for', () => {
    expect(timeText({ seconds: Number.MAX_SAFE_INTEGER, nanoseconds: 0 })).toBe('@9007199254740991');
    expect(isoTime({ seconds: -Number.MAX_SAFE_INTEGER, nanoseconds: 1 })).toBe(
      '@-9007199254740991.000000001',
    );
  });

  test('spans', () => {
    expect([0, 0.84, 9.94, 42.4, 185, 7380].map(spanText)).toEqual([
      '0.0 s',
      '0.8 s',
      '9.9 s',
      '42 s',
      '3 min 5 s',
      '2 h 3 min',
    ]);
    expect([0, 42, 3723].map(clockSpan)).toEqual(['0:00', '0:42', '1:02:03']);
  });
});

describe('names', () => {
  test('exact in UTF-8, with Base64 beside it otherwise', () => {
    expect(rawField('path', Buffer.from('/é').toString('latin1'))).toEqual({ path: '/é' });
    expect(rawField('name', 'caf\xe9')).toEqual({ name: 'caf\ufffd', nameBase64: 'Y2Fm6Q==' });
    expect(rawField('name', 'a\nb')).toEqual({ name: 'a\nb' });
    // A replacement character that really is in the name is no sign of other bytes.
    expect(rawField('name', Buffer.from('\ufffd').toString('latin1'))).toEqual({ name: '\ufffd' });
    expect(rawListField('paths', ['/a', '/b'])).toEqual({ paths: ['/a', '/b'] });
    expect(rawListField('paths', ['/a', '/\xe9'])).toEqual({
      paths: ['/a', '/\ufffd'],
      pathsBase64: ['L2E=', 'L+k='],
    });
  });

  test('modes as ls writes them', () => {
    expect(modeText('file', 0o644)).toBe('-rw-r--r--');
    expect(modeText('directory', 0o1777)).toBe('drwxrwxrwt');
    expect(modeText('file', 0o4755)).toBe('-rwsr-xr-x');
    expect(modeText('file', 0o2644)).toBe('-rw-r-Sr--');
    expect(modeText('fifo', 0o1600)).toBe('prw------T');
    const types = ['symlink', 'socket', 'character device', 'block device'] as const;
    expect(types.map((type) => modeText(type, 0)[0])).toEqual(['l', 's', 'c', 'b']);
  });
});

describe('tables', () => {
  test('columns stand under their titles', () => {
    const columns = [{ title: 'Name' }, { title: 'N', align: 'right' }, { title: 'Rest' }] as const;
    expect(
      table(columns, [
        ['a', '1', ''],
        ['日本', '1,000', 'x'],
      ]),
    ).toEqual(['Name      N  Rest', 'a         1', '日本  1,000  x']);
  });

  test('labels', () => {
    expect(
      labelled([
        ['A', '1'],
        ['Long', '2'],
      ]),
    ).toEqual(['A     1', 'Long  2']);
  });

  test('width and shortening by columns, not by code units', () => {
    expect(textWidth('日本e\u0301')).toBe(5);
    expect(shortenedFront('/home/ann/letters', 10)).toBe('…n/letters');
    expect(shortenedFront('/日本語', 5)).toBe('…本語');
    expect(shortenedFront('short', 5)).toBe('short');
  });
});

describe('the progress line', () => {
  const meter = new ProgressMeter();
  const event = {
    type: 'progress',
    phase: 'snapshot',
    totalFiles: 1000,
    totalBytes: 2 ** 30,
    newBytes: 2 ** 20,
    current: '/home/ann/photographs/2026/november/20/dsc_0001.raw',
  } as const;
  meter.add({ ...event, files: 0, bytes: 0 }, 0);
  const progress = meter.add({ ...event, files: 500, bytes: 2 ** 28 }, 4);

  test('says share, files, bytes, rate, time left, new bytes and file', () => {
    expect(progress).toMatchObject({ share: 0.25, bytesPerSecond: 2 ** 26, secondsLeft: 12 });
    expect(progressLine(progress, 160)).toBe(
      ' 25%  [#####---------------]  500 files  256 MiB  64.0 MiB/s  0:12 left  1.00 MiB new  /home/ann/photographs/2026/november/20/dsc_0001.raw',
    );
  });

  test('leaves out what matters least where there is no room', () => {
    expect(progressLine(progress, 80)).toBe(
      ' 25%  [###-------]  500 files  256 MiB  64.0 MiB/s  0:12 left  1.00 MiB new',
    );
    expect(progressLine(progress, 40)).toBe(' 25%  256 MiB  64.0 MiB/s  0:12 left');
    expect(progressLine(progress, 20)).toBe(' 25%  256 MiB');
  });

  test('fits into any width from 20 columns on, whatever the name', () => {
    fc.assert(
      fc.property(fc.integer({ min: 20, max: 300 }), fc.string({ unit: 'binary' }), (columns, name) => {
        const current = Buffer.from(`/${name}`, 'utf8').toString('latin1');
        const line = progressLine({ ...progress, current }, columns);
        expect(textWidth(line)).toBeLessThanOrEqual(columns);
        expect(line).not.toMatch(/\p{Cc}/u);
      }),
    );
  });

  test('without totals it says what is being done', () => {
    const first = new ProgressMeter().add({ type: 'progress', phase: 'scan', files: 1, bytes: 3 }, 0);
    expect(first).not.toHaveProperty('share');
    expect(progressLine(first, 80)).toBe('looking  1 file  3 B');
  });

  test('a new phase starts its own rate', () => {
    const two = new ProgressMeter();
    two.add({ type: 'progress', phase: 'restore', files: 0, bytes: 0 }, 0);
    two.add({ type: 'progress', phase: 'restore', files: 0, bytes: 1000 }, 10);
    const next = two.add({ type: 'progress', phase: 'verify', files: 0, bytes: 0 }, 11);
    expect(next).not.toHaveProperty('bytesPerSecond');
  });
});
