import { describe, expect, test } from 'vitest';
import {
  anchorSlotDays,
  applyNightly,
  dateText,
  keptOf,
  parseDate,
  roundRobinDates,
  slotDays,
} from '../../dist/policy/index.js';
import { at, kept, shot, UTC } from './samples.js';
import { darCases, darId, datesBetween, datesOf, retentionProperty, roundRobinVectors } from './vectors.js';

describe('dar-style', () => {
  test.each(darCases)('$name', ({ now, snapshots, keep, diffAgeDays, incrAgeDays }) => {
    const given = snapshots.map((each) => {
      const { date, level, source } = each;
      return shot(date, { id: darId(each), level, paths: [source] });
    });
    const rule = { diff: diffAgeDays, incr: incrAgeDays, full: 'never' } as const;
    const left = kept(given, { darStyle: rule }, now.slice(0, 16));
    expect(left.sort()).toEqual(keep.map(darId).sort());
  });
});

describe('round-robin, dates', () => {
  type Options = (typeof roundRobinVectors.dates)[number]['options'];

  /** The options of the original, with its defaults, in our words. */
  function dates(options: Options): string[] {
    const number = (name: string, usual: number): number => Number(options[name] ?? usual);
    const beyond28 = options.auto_correct_backup_dates === false ? 'refuse' : 'move';
    const days =
      options.anchor_date === undefined
        ? slotDays(
            {
              weekday: number('backup_day_of_week', 1),
              monthday: number('backup_day_of_month', 1),
              month: number('backup_month_of_year', 1),
            },
            beyond28,
          )
        : anchorSlotDays(parseDate(String(options.anchor_date)), beyond28);
    const counts = {
      days: number('days_to_retain', 6),
      weeks: number('weeks_to_retain', 3),
      months: number('months_to_retain', 6),
      years: number('years_to_retain', 10),
    };
    return roundRobinDates(parseDate(String(options.current_date)), counts, days).map(dateText);
  }

  test.each(roundRobinVectors.dates)('$name', ({ options, keepDates, error }) => {
    if (error === true) expect(() => dates(options)).toThrow(expect.objectContaining({ code: 'usage' }));
    else expect(dates(options)).toEqual(keepDates);
  });
});

describe('round-robin, exact', () => {
  test.each(roundRobinVectors.prune)('$name', ({ today, counts, anchor, snapshotDates, keep }) => {
    const rule = { ...counts, anchor, mode: 'exact' } as const;
    const given = snapshotDates.map((date) => shot(date));
    expect(kept(given, { roundRobin: rule }, `${today}T12:00`)).toEqual(keep);
  });

  test.each(roundRobinVectors.simulations)('$name', (simulation) => {
    const dates = datesOf(simulation);
    const rule = { ...simulation.counts, anchor: 'oldest', mode: 'exact' } as const;
    const plans = [
      ...applyNightly(
        dates.map((date) => shot(date)),
        dates.map(at),
        { roundRobin: rule },
        { zone: UTC },
      ),
    ];
    expect(plans).toHaveLength(dates.length);
    expect(keptOf(plans.at(-1)!).map(({ id }) => id)).toEqual(simulation.kept);
  });

  test('nearest keeps a snapshot for the weeks in which the machine was off on the anchor day', () => {
    const simulation = roundRobinVectors.simulations.find(({ name }) => name === 'off-every-anchor-weekday')!;
    const dates = datesOf(simulation);
    const rule = { ...simulation.counts, anchor: 'oldest', mode: 'nearest' } as const;
    const left = kept(
      dates.map((date) => shot(date)),
      { roundRobin: rule },
      `${simulation.end}T12:00`,
    );
    // The Wednesdays before the Thursdays 2023-02-09 to 2023-03-09.
    for (const date of ['2023-02-08', '2023-02-15', '2023-02-22', '2023-03-01', '2023-03-08']) {
      expect(left).toContain(date);
      if (date !== '2023-03-08') expect(simulation.kept).not.toContain(date);
    }
  });
});

describe('calendar rules over 800 nights', () => {
  const { start, nights, d7_w10_y10, d7_w4_m12_y10_count } = retentionProperty;
  const last = new Date(Date.parse(`${start}Z`) + (nights - 1) * 86_400_000).toISOString().slice(0, 10);
  const given = datesBetween(start.slice(0, 10), last).map((date) => shot(`${date}T02:00`, { id: date }));
  const small = { counts: { daily: 7, weekly: 10, yearly: 10 } };
  const large = { counts: { daily: 7, weekly: 4, monthly: 12, yearly: 10 } };

  test('at once', () => {
    expect(given).toHaveLength(nights);
    expect(kept(given, small, `${last}T02:00`)).toEqual(d7_w10_y10);
    expect(kept(given, large, `${last}T02:00`)).toHaveLength(d7_w4_m12_y10_count);
  });

  test('night by night', () => {
    const times = given.map(({ time }) => time);
    for (const policy of [small, large]) {
      const plans = [...applyNightly(given, times, policy, { zone: UTC })];
      expect(keptOf(plans.at(-1)!).map(({ id }) => id)).toEqual(kept(given, policy, `${last}T02:00`));
    }
  });
});
