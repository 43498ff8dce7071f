import { describe, expect, test } from 'vitest';
import {
  applyNightly,
  applyPolicy,
  decisionsOf,
  namesRefused,
  PERIODS,
  TimeZone,
} from '../../dist/policy/index.js';
import { at, kept, shot, UTC } from './samples.js';

const refused = (pattern: RegExp): unknown =>
  expect.objectContaining({
    code: 'usage',
    message: expect.stringMatching(pattern),
    hint: expect.any(String),
  });

describe('counted rules', () => {
  const SHOTS = [
    '2024-02-29T10:00',
    '2024-12-30T10:00',
    '2025-06-01T10:00',
    '2026-10-01T09:00',
    '2026-11-16T09:00',
    '2026-11-19T09:00',
    '2026-11-20T09:10',
    '2026-11-20T09:50',
    '2026-11-20T12:00',
  ].map((time) => shot(time));

  test.each([
    ['last', { last: 2 }, ['2026-11-20T09:50']],
    ['hourly', { counts: { hourly: 3 } }, ['2026-11-19T09:00', '2026-11-20T09:50']],
    ['daily', { counts: { daily: 3 } }, ['2026-11-16T09:00', '2026-11-19T09:00']],
    ['weekly', { counts: { weekly: 3 } }, ['2025-06-01T10:00', '2026-10-01T09:00']],
    ['monthly', { counts: { monthly: 3 } }, ['2025-06-01T10:00', '2026-10-01T09:00']],
    ['quarterly', { counts: { quarterly: 2 } }, ['2025-06-01T10:00']],
    ['yearly', { counts: { yearly: 9 } }, ['2024-12-30T10:00', '2025-06-01T10:00']],
  ] as const)('%s: the newest of each of the last buckets that are not empty', (_, policy, others) => {
    expect(kept(SHOTS, policy, '2026-11-20T13:00')).toEqual([...others, '2026-11-20T12:00']);
  });

  test('every reason is told', () => {
    const counts = Object.fromEntries(PERIODS.map((period) => [period, 1]));
    const plan = applyPolicy(SHOTS, { last: 1, counts }, { now: at('2026-11-20T13:00'), zone: UTC });
    expect(decisionsOf(plan).at(-1)!.reasons).toEqual([
      'last',
      'hourly 2026-11-20 12:00 +00:00',
      'daily 2026-11-20',
      'weekly 2026-W47',
      'monthly 2026-11',
      'quarterly 2026-Q4',
      'yearly 2026',
      'newest',
    ]);
    expect(decisionsOf(plan)[0]!.reasons).toEqual([]);
  });

  test('the hour that clocks show twice is two hours, and the day it lies in is one', () => {
    const twice = ['2026-10-24T23:30', '2026-10-25T00:30', '2026-10-25T01:30'].map((time) => shot(time));
    const context = { zone: new TimeZone('Europe/Berlin') };
    expect(kept(twice, { counts: { hourly: 3 } }, '2026-10-25T03:00', context)).toHaveLength(3);
    expect(kept(twice, { counts: { daily: 3 } }, '2026-10-25T03:00', context)).toEqual(['2026-10-25T01:30']);
  });
});

describe('rules of age', () => {
  const days = ['2026-10-31', '2026-11-13', '2026-11-14', '2026-11-20'].map((date) => shot(date));
  const week = { months: 0, days: 7, seconds: 0 };

  test('within: younger than that beside the newest, however late it is now', () => {
    expect(kept(days, { within: week }, '2027-11-20')).toEqual(['2026-11-14', '2026-11-20']);
    const three = { months: 0, days: 20, seconds: 1 };
    expect(kept(days, { within: three }, '2026-11-20')).toHaveLength(4);
    expect(kept(days, { within: { ...three, seconds: 0 } }, '2026-11-20')).toHaveLength(3);
  });

  test('within, one for each period', () => {
    const policy = { withinPeriods: { monthly: { months: 1, days: 0, seconds: 0 } } };
    const plan = applyPolicy(days, policy, { now: at('2026-11-20'), zone: UTC });
    expect(decisionsOf(plan).map(({ reasons }) => reasons)).toEqual([
      ['monthly 2026-10 within 1mo'],
      [],
      [],
      ['monthly 2026-11 within 1mo', 'newest'],
    ]);
  });

  test('dar-style: by level, a full one only when it is told so', () => {
    const given = (['full', 'diff', 'incr'] as const).map((level) =>
      shot('2026-11-10', { id: level, level }),
    );
    const shots = [...given, shot('2026-11-09', { id: 'none' }), shot('2026-11-20')];
    const left = (full: number | 'never', now: string): string[] =>
      kept(shots, { darStyle: { diff: 15, incr: 10, full } }, now);
    expect(left('never', '2026-11-20')).toEqual(['none', 'diff', 'full', 'incr', '2026-11-20']);
    expect(left('never', '2026-11-20T00:01')).toEqual(['none', 'diff', 'full', '2026-11-20']);
    expect(left(16, '2026-11-25T00:01')).toEqual(['full', '2026-11-20']);
  });
});

describe('round-robin, nearest', () => {
  const counts = { days: 0, weeks: 2, months: 0, years: 0 };
  // Wednesdays are the anchors: 2026-11-04, 2026-11-11, 2026-11-18.
  const roundRobin = { ...counts, mode: 'nearest', anchor: { weekday: 3 } } as const;

  test('a slot keeps the newest of its interval, and no other slot keeps that', () => {
    const shots = ['2026-11-04', '2026-11-05', '2026-11-10', '2026-11-19T01:00', '2026-11-20'];
    const given = shots.map((time) => shot(time));
    expect(kept(given, { roundRobin }, '2026-11-20T12:00')).toEqual(['2026-11-10', '2026-11-20']);
    expect(kept(given.slice(0, 3), { roundRobin }, '2026-11-20T12:00')).toEqual(['2026-11-10']);
    const reasons = decisionsOf(
      applyPolicy(given, { roundRobin }, { now: at('2026-11-20T12:00'), zone: UTC }),
    ).map((each) => each.reasons);
    expect(reasons[2]).toEqual(['round-robin week 2026-11-11']);
    expect(reasons[4]).toEqual(['round-robin today 2026-11-20', 'newest']);
  });
});

describe('what no policy forgets', () => {
  const policy = { last: 1 };

  test('pinned snapshots, and those that are named', () => {
    const shots = [
      shot('2026-01-01', { pinned: true }),
      shot('2026-01-02', { tags: ['x', 'y'] }),
      shot('2026-01-03', { id: 'beef01' }),
      shot('2026-01-04', { id: 'beef02' }),
      shot('2026-01-05'),
    ];
    const left = kept(shots, { ...policy, tags: ['y'], ids: ['beef02'] }, '2026-02-01');
    expect(left).toEqual(['2026-01-01', '2026-01-02', 'beef02', '2026-01-05']);
    const plan = applyPolicy(shots, { tags: ['x'], ids: ['beef01'] }, { now: at('2026-02-01'), zone: UTC });
    expect(decisionsOf(plan).map(({ reasons }) => reasons)).toEqual([
      ['pinned'],
      ['tag x'],
      ['id'],
      [],
      ['newest'],
    ]);
  });

  test('the newest of every group', () => {
    const old = { incr: 0, diff: 0, full: 0 };
    const shots = [
      shot('2026-01-01', { id: 'a', host: 'dove', paths: ['/a', '/b'] }),
      shot('2026-01-02', { id: 'b', host: 'dove', paths: ['/b', '/a'] }),
      shot('2026-01-03', { id: 'c', host: 'owl', paths: ['/a', '/b'], job: 'nightly' }),
      shot('2026-01-04', { id: 'd', host: 'owl', paths: ['/a', '/b'] }),
    ];
    expect(kept(shots, { darStyle: old }, '2026-02-01')).toEqual(['b', 'd']);
    const left = (...groupBy: ('host' | 'job')[]): string[] =>
      kept(shots, { darStyle: old }, '2026-02-01', { groupBy });
    expect(left('host', 'job')).toEqual(['b', 'c', 'd']);
    expect(left()).toEqual(['d']);
  });

  test('those dated in the future; the newest is the newest of the others', () => {
    const shots = ['2026-01-01', '2026-01-02', '2026-01-03', '2026-01-04'].map((date) => shot(date));
    const plan = applyPolicy(shots, policy, { now: at('2026-01-02'), zone: UTC });
    expect(decisionsOf(plan).map(({ reasons }) => reasons)).toEqual([
      [],
      ['last', 'newest'],
      ['dated in the future'],
      ['dated in the future'],
    ]);
    expect(plan.future.map(({ id }) => id)).toEqual(['2026-01-03', '2026-01-04']);
    for (const mode of ['exact', 'nearest'] as const) {
      const roundRobin = { days: 0, weeks: 0, months: 0, years: 0, mode, anchor: { weekday: 1 } };
      expect(kept(shots, { roundRobin }, '2026-01-02T12:00')).toHaveLength(3);
    }
  });
});

describe('refused', () => {
  const apply = (policy: object): unknown =>
    kept([shot('2026-01-01', { tags: ['x'] })], policy, '2026-01-02');

  test('a policy without any rule', () => {
    for (const policy of [
      {},
      { last: 0 },
      { counts: { daily: 0 } },
      { tags: [], ids: [], withinPeriods: {} },
    ]) {
      expect(() => apply(policy)).toThrow(refused(/no rule/));
    }
  });

  test('a tag or an id that no snapshot has, an id that several begin with', () => {
    expect(() => apply({ last: 1, tags: ['x', 'z'] })).toThrow(refused(/tag 'z'/));
    expect(() => apply({ last: 1, ids: ['z'] })).toThrow(refused(/'z'/));
    const two = [shot('2026-01-01'), shot('2026-01-02')];
    expect(() => kept(two, { ids: ['2026-01-0'] }, '2026-01-02')).toThrow(refused(/2 ids begin so/));
    expect(kept(two, { ids: ['2026-01-01'] }, '2026-01-02')).toHaveLength(2);
  });

  test('names how the snapshots were chosen, and every tag and id', () => {
    const shots = [shot('2026-01-01'), shot('2026-01-02', { tags: ['x'] })];
    const among = { among: 'host b' };
    expect(() => kept(shots, { tags: ['x', 'y'] }, '2026-01-02', among)).toThrow(
      refused(/tag 'y', and there is none among those of host b$/),
    );
    expect(() => kept(shots, { ids: ['z'] }, '2026-01-02', among)).toThrow(
      refused(/'z', and there is none among those of host b$/),
    );
    const policy = { tags: ['y', 'x', 'z', 'y'], ids: ['2026', 'a', '2026-01-01'] };
    expect(namesRefused(policy, shots).map(({ message }) => message)).toEqual([
      "the policy keeps snapshots with the tag 'y', and there is none",
      "the policy keeps snapshots with the tag 'z', and there is none",
      "the policy keeps the snapshot '2026', and 2 ids begin so",
      "the policy keeps the snapshot 'a', and there is none",
    ]);
  });

  test('before the first night, and not because the tag comes later', () => {
    const shots = [shot('2026-01-01'), shot('2026-01-02', { tags: ['x'] })];
    const nights = shots.map(({ time }) => time);
    expect([...applyNightly(shots, nights, { tags: ['x'] }, { zone: UTC })]).toHaveLength(2);
    const wrong = applyNightly(shots, nights, { tags: ['y'] }, { zone: UTC });
    expect(() => wrong.next()).toThrow(refused(/tag 'y'/));
  });
});

describe('partial snapshots', () => {
  const partial = (time: string, more = {}) => shot(time, { partial: true, ...more });

  test('are counted by no rule, and no whole one is forgotten for them', () => {
    const whole = ['2026-01-01', '2026-01-02', '2026-01-03'].map((time) => shot(time));
    const policies = [
      { last: 2 },
      { counts: { daily: 2 } },
      { within: { months: 0, days: 2, seconds: 0 } },
      { roundRobin: { days: 9, weeks: 0, months: 0, years: 0, mode: 'nearest', anchor: 'oldest' } },
    ] as const;
    for (const policy of policies) {
      const alone = kept(whole, policy, '2026-01-05');
      const late = ['2026-01-03T10:00', '2026-01-04', '2026-01-05'];
      const mixed = [partial('2025-12-31'), ...whole, ...late.map((time) => partial(time))];
      expect(kept(mixed, policy, '2026-01-05')).toEqual([...alone, ...late]);
    }
  });

  test('are kept until a whole one is newer, of their group and not of the future', () => {
    const shots = [partial('2026-01-01'), partial('2026-01-02')];
    const others = [shot('2026-01-03', { host: 'there' }), shot('2026-02-01')];
    const plan = applyPolicy([...shots, ...others], { last: 1 }, { now: at('2026-01-04'), zone: UTC });
    const reason = 'partial, none that is whole is newer';
    expect(decisionsOf(plan).map(({ reasons }) => reasons)).toEqual([
      [reason],
      [reason],
      ['last', 'newest'],
      ['dated in the future'],
    ]);
    const superseded = [...shots, shot('2026-01-03')];
    expect(kept(superseded, { last: 9 }, '2026-01-04')).toEqual(['2026-01-03']);
  });

  test('pins, tags and ids keep them all the same', () => {
    const shots = [
      partial('2026-01-01', { pinned: true }),
      partial('2026-01-02', { tags: ['x'] }),
      partial('2026-01-03'),
      partial('2026-01-04'),
      shot('2026-01-05'),
    ];
    const policy = { tags: ['x'], ids: ['2026-01-03'] };
    expect(kept(shots, policy, '2026-01-06')).toEqual([
      '2026-01-01',
      '2026-01-02',
      '2026-01-03',
      '2026-01-05',
    ]);
  });
});
