import type { ListingOrder } from './simulated-store.js';

type Range = readonly [least: number, most: number];

/** What kind of schedules are made; one schedule draws its numbers from here. */
export interface Bias {
  readonly writers: Range;
  /** Programs that each of them runs one after another. */
  readonly sessions: Range;
  readonly forgetters: Range;
  readonly forgets: Range;
  readonly pruners: Range;
  readonly prunes: Range;
  /** How often there are eight writers. */
  readonly crowdRate: number;
  readonly beatRate: number;
  readonly packEndRate: number;
  readonly checkpointRate: number;
  readonly abortRate: number;
  /** How often a writer has a parent, and takes over its unchanged folders without look-ups. */
  readonly parentRate: number;
  readonly reuseRate: number;
  /** How often the parent is the newest snapshot. */
  readonly newestParentRate: number;
  /** How often a folder is not that of the parent. */
  readonly changeRate: number;
  /** How often it is the newest snapshot that is forgotten. */
  readonly forgetNewestRate: number;
  /** Per step. */
  readonly stopRate: number;
  readonly sleepRate: number;
  readonly mostSleepSteps: number;
  readonly wrongGuessRate: number;
  /** On how many hosts the machines are: those of one host look after each other's dead. */
  readonly hosts: Range;
  readonly waitRate: number;
  readonly pageSizes: readonly number[];
  readonly orders: readonly ListingOrder[];
  /** Steps that a program starts late at most. */
  readonly mostDelaySteps: number;
  /** The store silently overwrites, and a waiting period is kept: so many steps. */
  readonly waitingSteps?: number;
}

export const EVERYDAY: Bias = {
  writers: [2, 3],
  sessions: [1, 2],
  forgetters: [1, 1],
  forgets: [1, 2],
  pruners: [1, 2],
  prunes: [1, 2],
  crowdRate: 0.005,
  beatRate: 0.06,
  packEndRate: 0.25,
  checkpointRate: 0.1,
  abortRate: 0.01,
  parentRate: 0.85,
  reuseRate: 0.8,
  newestParentRate: 0.3,
  changeRate: 0.35,
  forgetNewestRate: 0.3,
  stopRate: 0.003,
  sleepRate: 0.01,
  mostSleepSteps: 150,
  wrongGuessRate: 0.1,
  hosts: [1, 6],
  waitRate: 0.6,
  pageSizes: [1, 4, 4, 1000, 1000, 1000],
  orders: ['name', 'hash'],
  mostDelaySteps: 150,
};

/** Sleepers that wake after being fenced, and many wrong guesses. */
export const SLEEPY: Bias = {
  ...EVERYDAY,
  sleepRate: 0.03,
  mostSleepSteps: 300,
  wrongGuessRate: 0.4,
  stopRate: 0.002,
};

/** Writers that need again what was forgotten, beside prunes that sleep. */
export const RETURNING: Bias = {
  ...EVERYDAY,
  writers: [2, 3],
  sessions: [2, 2],
  forgets: [2, 3],
  pruners: [1, 2],
  prunes: [1, 2],
  parentRate: 0.5,
  changeRate: 0.7,
  sleepRate: 0.04,
  mostSleepSteps: 250,
  stopRate: 0.001,
  waitRate: 0.9,
};

/** Short-lived snapshots that others build upon. */
export const SHORT_LIVED: Bias = {
  ...EVERYDAY,
  writers: [2, 4],
  sessions: [1, 2],
  forgetters: [2, 2],
  forgets: [3, 4],
  pruners: [1, 2],
  prunes: [2, 2],
  forgetNewestRate: 0.9,
  newestParentRate: 0.9,
  parentRate: 0.95,
  reuseRate: 1,
  changeRate: 0.4,
  sleepRate: 0.03,
  mostSleepSteps: 200,
  stopRate: 0.001,
  checkpointRate: 0.3,
  waitRate: 0.9,
};

/** On a store that silently overwrites: prunes that come again when what waited can go, and sleepers. */
export const WAITING: Bias = {
  ...EVERYDAY,
  sessions: [2, 4],
  forgets: [2, 4],
  pruners: [1, 2],
  prunes: [3, 5],
  sleepRate: 0.01,
  mostSleepSteps: 600,
  stopRate: 0.002,
  // Who is dead is known or not: nothing that such a store is asked can keep out one that was held for dead wrongly.
  wrongGuessRate: 0,
  mostDelaySteps: 400,
  waitingSteps: 400,
};

/** All of them; most schedules are of the first. */
export const BIASES: readonly Bias[] = [EVERYDAY, SLEEPY, RETURNING, SHORT_LIVED];
