import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { darCases, darId, datesOf, retentionProperty, roundRobinVectors } from '../policy/vectors.js';
import { place } from './run.js';

/** The retention cases of test/vectors through the program. */

interface Answer {
  readonly keep: readonly { readonly id: string; readonly reasons: readonly string[] }[];
  readonly forget: readonly { readonly id: string }[];
}

async function answer(args: readonly string[], snapshots?: readonly object[]): Promise<Answer> {
  const its = place();
  const file = join(its.root, 'snapshots.json');
  if (snapshots !== undefined) writeFileSync(file, JSON.stringify(snapshots));
  const given = snapshots === undefined ? [] : ['--snapshots', file];
  const run = await its.run(['policy', 'simulate', ...given, '--timezone', 'UTC', ...args, '--json']);
  expect({ code: run.code, stderr: run.stderr }).toEqual({ code: 0, stderr: '' });
  return JSON.parse(run.stdout.trimEnd().split('\n').at(-1)!) as Answer;
}

const ids = (list: readonly { readonly id: string }[]): string[] => list.map(({ id }) => id);
const days = (list: readonly { readonly id: string }[]): string[] => ids(list).map((id) => id.slice(0, 10));

describe('dar-style', () => {
  test.each(darCases)('$name', async ({ now, snapshots, keep, diffAgeDays, incrAgeDays }) => {
    const given = snapshots.map((each) => {
      const { date, level, source } = each;
      return { id: darId(each), time: date, level, host: 'dove', paths: [source] };
    });
    const rule = `diff=${diffAgeDays},incr=${incrAgeDays},full=never`;
    const found = await answer(['--now', now, '--dar-style', rule], given);
    expect(ids(found.keep).sort()).toEqual(keep.map(darId).sort());
    expect([...ids(found.keep), ...ids(found.forget)].sort()).toEqual(ids(given).sort());
    for (const { reasons } of found.keep) expect(reasons).not.toEqual([]);
  });
});

type Counts = (typeof roundRobinVectors.prune)[number]['counts'];

function exact({ days, weeks, months, years }: Counts): string[] {
  const slots = `days=${days},weeks=${weeks},months=${months},years=${years}`;
  return ['--round-robin', `${slots},anchor=oldest,mode=exact`];
}

describe('round-robin', () => {
  test.each(roundRobinVectors.prune)('$name', async ({ today, counts, snapshotDates, keep }) => {
    const given = snapshotDates.map((date) => ({ id: date, time: date }));
    const found = await answer(['--now', today, ...exact(counts)], given);
    expect(ids(found.keep)).toEqual(keep);
    expect(ids(found.forget)).toEqual(snapshotDates.filter((date) => !keep.includes(date)));
  });

  test.each(roundRobinVectors.simulations)('$name', async (simulation) => {
    const { name, end, counts, kept } = simulation;
    const given = datesOf(simulation).map((date) => ({ id: date, time: date }));
    const found = await answer(['--every', '1d', '--now', end, ...exact(counts)], given);
    expect(ids(found.keep)).toEqual(kept);
    expect(found.keep.length + found.forget.length).toBe(given.length);
    if (name === 'off-every-anchor-weekday') return;
    const imagined = await answer(['--every', '1d', '--for', '2y', '--now', end, ...exact(counts)]);
    expect(days(imagined.keep)).toEqual(kept);
  });
});

describe('calendar rules', () => {
  const { start, nights, d7_w10_y10, d7_w4_m12_y10_count } = retentionProperty;
  const last = new Date(Date.parse(`${start}Z`) + (nights - 1) * 86_400_000).toISOString();
  const small = ['--keep-daily', '7', '--keep-weekly', '10', '--keep-yearly', '10'];
  const large = ['--keep-daily', '7', '--keep-weekly', '4', '--keep-monthly', '12', '--keep-yearly', '10'];

  test('night by night', async () => {
    const imagined = ['--every', '1d', '--for', `${nights - 1}d`, '--now', last];
    const found = await answer([...imagined, ...small]);
    expect(days(found.keep)).toEqual(d7_w10_y10);
    expect(found.forget).toHaveLength(nights - d7_w10_y10.length);
    expect((await answer([...imagined, ...large])).keep).toHaveLength(d7_w4_m12_y10_count);
  });

  test('at once', async () => {
    const given = Array.from({ length: nights }, (_, i) => {
      const time = new Date(Date.parse(`${start}Z`) + i * 86_400_000).toISOString().slice(0, 19);
      return { id: time, time };
    });
    expect(days((await answer(['--now', last, ...small], given)).keep)).toEqual(d7_w10_y10);
    expect((await answer(['--now', last, ...large], given)).keep).toHaveLength(d7_w4_m12_y10_count);
  });
});
