import type { WalkTrees } from '../../dist/repo/prune/prune-options.js';
import { type Bias, EVERYDAY, RETURNING, SHORT_LIVED, SLEEPY } from './bias.js';
import {
  allSegmentsRemoved,
  commitByOverwriting,
  fenceBeatsForgotten,
  LateClosings,
  LostNumbers,
  lateSegmentsCount,
  newOrphansRemoved,
  oldMarksHidden,
  PruneWatches,
  removeForgotten,
  sessionsListedEarly,
  undecidedCount,
  walkingOnly,
} from './broken-rules.js';
import type { SimulatedProcess, WrapBackend } from './machine.js';

export type Role = 'writer' | 'forgetter' | 'pruner';

/** A rule of the protocol that is broken on purpose: the simulation must notice. */
export interface PlantedFault {
  /** As in the table at the end of docs/protocol.md, from 1. */
  readonly number: number;
  readonly name: string;
  /** Schedules in which it is noticed sooner. */
  readonly bias: Bias;
  /** Schedules within which it is found. */
  readonly within: number;
  /**
   * Of these the first ones are known to show nothing: outside soak runs the search passes them over. Where a change of
   * the program has moved the schedule that shows it, it goes on to the end.
   */
  readonly from?: number;
  /** So rare that it is looked for in soak runs only. */
  readonly isRare?: boolean;
  readonly wrap?: (role: Role) => WrapBackend | undefined;
  /** What stands for the walk of one prune. */
  readonly walk?: (process: SimulatedProcess) => WalkTrees;
  readonly afterPrune?: (process: SimulatedProcess) => Promise<void>;
  readonly remembersAcrossFences?: boolean;
  /** On a store that silently overwrites: writers commit however long they slept. */
  readonly sleepsUnnoticed?: boolean;
}

function ofPruners(wrap: WrapBackend): (role: Role) => WrapBackend | undefined {
  return (role) => (role === 'pruner' ? wrap : undefined);
}

function ofWriters(wrap: WrapBackend): (role: Role) => WrapBackend | undefined {
  return (role) => (role === 'writer' ? wrap : undefined);
}

const always = (wrap: WrapBackend) => (): WrapBackend => wrap;
const early = new PruneWatches();
const walks = new PruneWatches();
const sweeps = new PruneWatches();
const ends = new PruneWatches();
const closings = new LateClosings();
const numbers = new LostNumbers();

export const PLANTED_FAULTS: readonly PlantedFault[] = [
  {
    number: 1,
    name: 'commit by overwriting instead of create',
    bias: SLEEPY,
    within: 2000,
    wrap: ofWriters(commitByOverwriting),
  },
  {
    number: 2,
    name: 'sessions listed before the mark is written',
    bias: { ...RETURNING, writers: [3, 3], prunes: [2, 2] },
    isRare: true,
    within: 50_000,
    wrap: ofPruners(sessionsListedEarly),
  },
  {
    number: 3,
    name: 'P8 walks only snapshots of listed sessions',
    bias: EVERYDAY,
    within: 2000,
    from: 120,
    wrap: ofPruners((its) => early.watched(its)),
    walk: walkingOnly(early, (sid, watch) => watch.sessions.has(sid)),
  },
  {
    number: 4,
    name: 'P8 does not walk snapshots forgotten since P2',
    bias: SHORT_LIVED,
    within: 20_000,
    from: 1010,
    wrap: ofPruners((its) => walks.watched(its)),
    walk: walkingOnly(walks, (sid, _, { oracle }) => !oracle.forgotten.has(sid)),
  },
  {
    number: 5,
    name: 'late segments of a fenced session count',
    bias: SLEEPY,
    within: 5000,
    wrap: always(lateSegmentsCount),
  },
  {
    number: 6,
    name: 'segments of undecided sessions count',
    bias: SLEEPY,
    within: 5000,
    wrap: always(undecidedCount),
  },
  {
    number: 7,
    name: 'no closing record before removals',
    bias: SLEEPY,
    within: 2000,
    wrap: ofPruners(closings.wrap),
    afterPrune: closings.write,
  },
  {
    number: 8,
    name: 'a condemned pack taken back into use',
    bias: { ...RETURNING, pruners: [2, 2], prunes: [2, 3] },
    within: 50_000,
    from: 910,
    wrap: ofPruners(oldMarksHidden),
  },
  {
    number: 9,
    name: 'all segments listed at P9 removed, not those read and covered',
    bias: EVERYDAY,
    within: 500,
    wrap: ofPruners(allSegmentsRemoved(sweeps)),
  },
  {
    number: 10,
    name: 'orphans taken from a listing at P10 instead of K1',
    bias: EVERYDAY,
    within: 1000,
    wrap: ofPruners(newOrphansRemoved(sweeps)),
  },
  {
    number: 11,
    name: 'a retry after a fence remembers what it stored',
    bias: SLEEPY,
    within: 2000,
    remembersAcrossFences: true,
  },
  {
    number: 12,
    name: 'a fence beats forgotten of the same session',
    bias: {
      ...SHORT_LIVED,
      hosts: [1, 1],
      sessions: [2, 3],
      prunes: [1, 1],
      pruners: [1, 1],
      forgets: [4, 5],
      wrongGuessRate: 0.5,
      checkpointRate: 0.5,
      packEndRate: 0.5,
      sleepRate: 0.03,
      mostSleepSteps: 500,
      mostDelaySteps: 60,
      pageSizes: [1, 1000],
    },
    within: 20_000,
    from: 190,
    wrap: always(fenceBeatsForgotten),
  },
  {
    number: 13,
    name: 'heartbeats without the constant number 0',
    bias: { ...RETURNING, writers: [2, 2], beatRate: 3, pageSizes: [1], orders: ['hash'] },
    within: 20_000,
    from: 7000,
    wrap: always(numbers.wrap),
  },
  {
    number: 14,
    name: 'forgotten records removed',
    bias: { ...EVERYDAY, forgets: [2, 3] },
    within: 5000,
    wrap: ofPruners((its) => ends.watched(its)),
    afterPrune: removeForgotten(ends),
  },
];
