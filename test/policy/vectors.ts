import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The cases in test/vectors about retention: what other programs keep, and what cbr must keep. */

export interface DarCase {
  readonly name: string;
  readonly now: string;
  readonly diffAgeDays: number;
  readonly incrAgeDays: number;
  readonly snapshots: readonly DarSnapshot[];
  readonly keep: readonly DarSnapshot[];
}

export interface DarSnapshot {
  readonly source: string;
  readonly level: 'full' | 'diff' | 'incr';
  readonly date: string;
}

export interface SlotCounts {
  readonly days: number;
  readonly weeks: number;
  readonly months: number;
  readonly years: number;
}

export interface RoundRobinVectors {
  readonly dates: readonly {
    readonly name: string;
    readonly options: Readonly<Record<string, string | number | boolean>>;
    readonly keepDates?: readonly string[];
    readonly error?: boolean;
  }[];
  readonly prune: readonly {
    readonly name: string;
    readonly today: string;
    readonly counts: SlotCounts;
    readonly anchor: 'oldest';
    readonly snapshotDates: readonly string[];
    readonly keep: readonly string[];
  }[];
  readonly simulations: readonly {
    readonly name: string;
    readonly start: string;
    readonly end: string;
    readonly counts: SlotCounts;
    readonly kept: readonly string[];
  }[];
}

export interface RetentionProperty {
  readonly start: string;
  readonly nights: number;
  readonly d7_w10_y10: readonly string[];
  readonly d7_w4_m12_y10_count: number;
}

function read(name: string): unknown {
  return JSON.parse(readFileSync(join(import.meta.dirname, '../vectors', name), 'utf8'));
}

export const darCases = (read('dar-style.json') as { cases: readonly DarCase[] }).cases;
export const roundRobinVectors = read('round-robin.json') as RoundRobinVectors;
export const retentionProperty = (read('schedule.json') as { retention_cbr_property: RetentionProperty })
  .retention_cbr_property;

/** What the tests call a snapshot of these cases. */
export const darId = ({ source, level, date }: DarSnapshot): string => `${source} ${level} ${date}`;

/** All dates from one to the other, both included. */
export function datesBetween(first: string, last: string): string[] {
  const days: string[] = [];
  for (let time = Date.parse(first); time <= Date.parse(last); time += 86_400_000) {
    days.push(new Date(time).toISOString().slice(0, 10));
  }
  return days;
}

/** The dates on which the machine of a simulation was on: one of them was off on every Thursday but the first. */
export function datesOf({ name, start, end }: RoundRobinVectors['simulations'][number]): string[] {
  const all = datesBetween(start, end);
  if (name !== 'off-every-anchor-weekday') return all;
  return all.filter((date) => date === start || new Date(date).getUTCDay() !== 4);
}
