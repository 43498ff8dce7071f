import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  addDuration,
  applyPolicy,
  compareTimes,
  type Duration,
  decisionsOf,
  keptOf,
  PERIODS,
  type Policy,
  type PolicySnapshot,
  type PolicyTime,
  TimeZone,
} from '../../dist/policy/index.js';
import { runs } from '../core/runs.js';
import { at } from './samples.js';

/** Policies hold under nightly use. */

const NIGHTS = 1000;

/** Clocks put forward and back at two, by half an hour, a minute past midnight (both ways across the date), and not at all. */
const ZONES = [
  'Europe/Berlin',
  'Australia/Lord_Howe',
  'America/St_Johns',
  'America/Sao_Paulo',
  'Pacific/Apia',
  'Asia/Kathmandu',
].map((name) => new TimeZone(name));

const count = fc.integer({ min: 0, max: 14 });
const duration: fc.Arbitrary<Duration> = fc.oneof(
  fc.record({ months: fc.integer({ min: 1, max: 14 }), days: fc.constant(0), seconds: fc.constant(0) }),
  fc.record({
    months: fc.integer({ min: 0, max: 2 }),
    days: fc.integer({ min: 1, max: 60 }),
    seconds: fc.integer({ min: 0, max: 90_000 }),
  }),
);
const perPeriod = <T>(value: fc.Arbitrary<T>) =>
  fc.record(Object.fromEntries(PERIODS.map((period) => [period, value])), { requiredKeys: [] });

const calendarPolicy: fc.Arbitrary<Policy> = fc.record(
  {
    last: fc.integer({ min: 1, max: 20 }),
    counts: perPeriod(count),
    within: duration,
    withinPeriods: perPeriod(duration),
  },
  { requiredKeys: ['last'] },
);
const darStyle: fc.Arbitrary<Policy> = fc.record({
  darStyle: fc.record({
    diff: fc.integer({ min: 0, max: 90 }),
    incr: fc.integer({ min: 0, max: 90 }),
    full: fc.oneof(fc.constant('never' as const), fc.integer({ min: 0, max: 400 })),
  }),
});

/** 1000 nights: how many snapshots each day, the machine being off now and then, and at which second of the day. */
const history = fc
  .record({
    seed: fc.integer(),
    start: fc.integer({ min: at('2006-01-01').seconds, max: at('2012-06-01').seconds }),
    most: fc.integer({ min: 1, max: 4 }),
    gaps: fc.integer({ min: 0, max: 3 }),
  })
  .map(({ seed, start, most, gaps }) => {
    const next = randomNumbers(seed);
    const nights: PolicySnapshot[][] = [];
    let off = 0;
    for (let i = 0; i < NIGHTS; i++) {
      if (off === 0 && next() < gaps / 40) off = Math.ceil(next() * 45);
      off = Math.max(0, off - 1);
      const times = Array.from({ length: off > 0 ? 0 : Math.ceil(next() * most) }, () => next() * 86_400);
      nights.push(
        times
          .sort((a, b) => a - b)
          .map((second, n) => ({
            id: `${i}.${n}`,
            time: { seconds: Math.floor(start + i * 86_400 + second), nanoseconds: n },
            level: (['full', 'diff', 'incr'] as const)[Math.floor(next() ** 0.3 * 3)]!,
            partial: next() < 0.1,
          })),
      );
    }
    return nights;
  });

/** The generator of Park and Miller: enough to spread things. */
function randomNumbers(seed: number): () => number {
  let state = (Math.abs(seed) % 2_147_483_646) + 1;
  return () => {
    state = (state * 48_271) % 2_147_483_647;
    return state / 2_147_483_647;
  };
}

const ids = (snapshots: readonly PolicySnapshot[]): string[] => snapshots.map(({ id }) => id);

/** Applies a policy each night, and compares with all at once in some of the nights. */
function holdsNightly(nights: readonly (readonly PolicySnapshot[])[], policy: Policy, zone: TimeZone): void {
  const all: PolicySnapshot[] = [];
  let left: readonly PolicySnapshot[] = [];
  let now: PolicyTime | undefined;
  for (const [i, taken] of nights.entries()) {
    all.push(...taken);
    now = taken.at(-1)?.time ?? (now && addDuration(now, { months: 0, days: 1, seconds: 0 }, zone));
    if (now === undefined) continue;
    left = keptOf(applyPolicy([...left, ...taken], policy, { now, zone }));
    if (i % 111 === 110 || i === nights.length - 1) {
      expect(ids(left)).toEqual(ids(keptOf(applyPolicy(all, policy, { now, zone }))));
    }
  }
}

describe('applied nightly = applied once at the end', () => {
  const zone = fc.constantFrom(...ZONES);

  test('calendar rules', () => {
    fc.assert(fc.property(history, calendarPolicy, zone, holdsNightly), runs(5));
  });

  test('dar-style', () => {
    fc.assert(fc.property(history, darStyle, zone, holdsNightly), runs(4));
  });

  test('round-robin, nearest', () => {
    const roundRobin = fc.record({
      days: count,
      weeks: count,
      months: count,
      years: fc.integer({ min: 0, max: 3 }),
      mode: fc.constant('nearest' as const),
      anchor: fc.oneof(
        fc.constant('oldest' as const),
        fc.record({ date: fc.integer({ min: 10_000, max: 16_000 }) }),
        fc.record({ weekday: fc.integer({ min: 1, max: 7 }), monthday: fc.integer({ min: 1, max: 31 }) }),
      ),
    });
    const policies = fc.record({ roundRobin });
    fc.assert(fc.property(history, policies, zone, holdsNightly), runs(4));
  });
});

describe('when the clock jumps back', () => {
  /** They keep little: a snapshot that is not protected is soon forgotten. */
  const smallPolicy: fc.Arbitrary<Policy> = fc.record(
    {
      last: fc.integer({ min: 1, max: 4 }),
      counts: fc.record({ daily: count, weekly: count, monthly: count }, { requiredKeys: [] }),
      within: fc.record({
        months: fc.constant(0),
        days: fc.integer({ min: 1, max: 9 }),
        seconds: fc.constant(0),
      }),
    },
    { requiredKeys: ['last'] },
  );

  test('nothing dated in the future and nothing just taken is forgotten; later the equality holds again', () => {
    const jumps = fc.record({
      night: fc.integer({ min: 20, max: 300 }),
      back: fc.integer({ min: 1, max: 200 }),
    });
    const zone = fc.constantFrom(...ZONES);
    fc.assert(
      fc.property(history, smallPolicy, zone, jumps, (nights, policy, place, { night, back }) => {
        const all: PolicySnapshot[] = [];
        let left: readonly PolicySnapshot[] = [];
        let latest: PolicyTime | undefined;
        for (const [i, taken] of nights.slice(0, 500).entries()) {
          const late = i >= night ? back * 86_400 : 0;
          for (const { id, time } of taken) {
            const now = { seconds: time.seconds - late, nanoseconds: time.nanoseconds };
            const snapshot = { id, time: now };
            all.push(snapshot);
            const decisions = decisionsOf(applyPolicy([...left, snapshot], policy, { now, zone: place }));
            left = decisions.filter(({ reasons }) => reasons.length > 0).map((each) => each.snapshot);
            expect(left).toContain(snapshot);
            const future = decisions.filter((each) => compareTimes(each.snapshot.time, now) > 0);
            for (const each of future) expect(each.reasons).toContain('dated in the future');
            if (latest === undefined || compareTimes(now, latest) > 0) latest = now;
          }
          const hasCaughtUp = i >= night + back;
          if (latest !== undefined && hasCaughtUp && i % 50 === 0) {
            const atOnce = keptOf(applyPolicy(all, policy, { now: latest, zone: place }));
            expect(ids(keptOf(applyPolicy(left, policy, { now: latest, zone: place })))).toEqual(ids(atOnce));
          }
        }
      }),
      runs(8),
    );
  });
});
