import { type MayLack, mayLackOf } from '../held-paths.js';
import { isPartial } from '../snapshot-extensions.js';
import type { Snapshot } from '../snapshot-record.js';
import { groupOf } from './indexed-snapshots.js';
import type { PathEvent } from './path-events.js';
import type { PathIndex } from './path-index.js';
import type { PathState } from './path-state.js';
import type { StateRun } from './path-versions.js';

/** The snapshots of a group that one chain has, in the order of their numbers. */
interface Positions {
  readonly numbers: readonly number[];
  /** Where each stands in the group, by time. */
  readonly at: readonly number[];
  /** Of each, the end of those behind it that also follow each other in time; exclusive. */
  readonly ends: readonly number[];
}

/** Snapshots of the same host and paths, as the index has them. */
export class SnapshotGroup {
  private readonly chains: ReadonlyMap<number, Positions>;
  /** Of the snapshots that may lack anything, by their positions. */
  private readonly lacking: readonly (readonly [number, MayLack])[];

  /** Oldest first; all of them are in the index. */
  constructor(
    readonly snapshots: readonly Snapshot[],
    index: PathIndex,
  ) {
    const chains = new Map<number, { readonly number: number; readonly at: number }[]>();
    for (const [at, { id }] of snapshots.entries()) {
      const { chain, number } = index.snapshots.get(id)!;
      const list = chains.get(chain) ?? [];
      chains.set(chain, list);
      list.push({ number, at });
    }
    this.chains = new Map([...chains].map(([chain, list]) => [chain, positionsOf(list)]));
    this.lacking = snapshots.flatMap((each, at) => {
      const mayLack = mayLackOf(each);
      return mayLack === undefined ? [] : [[at, mayLack] as const];
    });
  }

  /** The positions of the snapshots that may lack a path though it was there. */
  gapsFor(path: string): number[] {
    return this.lacking.filter(([, mayLack]) => mayLack(path)).map(([at]) => at);
  }

  /**
   * What a path with these events is in the snapshots of the group, oldest first, without gaps. `chainOf`: the chain of each
   * number.
   */
  runs(events: readonly PathEvent[], chainOf: ReadonlyMap<number, number>): readonly StateRun[] {
    const runs: StateRun[] = [];
    for (const [chain, positions] of this.chains) {
      const own = events.filter(({ number }) => chainOf.get(number) === chain);
      for (const span of spans(positions.numbers, own)) addRuns(runs, span, positions);
    }
    return runs.sort((a, b) => a.from - b.from);
  }
}

function positionsOf(list: { readonly number: number; readonly at: number }[]): Positions {
  list.sort((a, b) => a.number - b.number);
  const at = list.map((each) => each.at);
  const ends: number[] = [];
  // Snapshots that were copied or rewritten are taken in late, whatever their time.
  for (let i = list.length; i-- > 0; ) ends[i] = at[i + 1] === at[i]! + 1 ? ends[i + 1]! : i + 1;
  return { numbers: list.map(({ number }) => number), at, ends };
}

/** What a path is at the positions of a chain: from each event on, up to the next one. */
function* spans(numbers: readonly number[], events: readonly PathEvent[]): Iterable<StateRun> {
  let from = 0;
  let state: PathState | undefined;
  for (const event of events) {
    const to = firstAt(numbers, event.number, from);
    if (to > from) yield { from, to, state };
    from = to;
    state = event.state;
  }
  if (numbers.length > from) yield { from, to: numbers.length, state };
}

/** The same by time. */
function addRuns(runs: StateRun[], { from, to, state }: StateRun, { at, ends }: Positions): void {
  for (let start = from; start < to; ) {
    const end = Math.min(to, ends[start]!);
    runs.push({ from: at[start]!, to: at[end - 1]! + 1, state });
    start = end;
  }
}

/** The first position with that number or a higher one. */
function firstAt(numbers: readonly number[], number: number, from: number): number {
  let [low, high] = [from, numbers.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (numbers[middle]! < number) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Groups of those of the snapshots that are in the index, each oldest first as they are given, by their first. */
export function snapshotGroups(snapshots: readonly Snapshot[], index: PathIndex): SnapshotGroup[] {
  const groups = new Map<string, Snapshot[]>();
  for (const snapshot of snapshots) {
    if (index.snapshots.get(snapshot.id) === undefined) continue;
    const list = groups.get(groupOf(snapshot)) ?? [];
    groups.set(groupOf(snapshot), list);
    list.push(snapshot);
  }
  return [...groups.values()].map((each) => new SnapshotGroup(each, index));
}

/** The newest snapshot of each host and its paths, a partial one only where there is no other; they are given oldest first. */
export function newestOfGroups(snapshots: readonly Snapshot[]): Snapshot[] {
  const newest = new Map<string, Snapshot>();
  for (const each of snapshots) {
    const group = groupOf(each);
    const other = newest.get(group);
    if (other === undefined || isPartial(other.about) || !isPartial(each.about)) newest.set(group, each);
  }
  return snapshots.filter((each) => newest.get(groupOf(each)) === each);
}
