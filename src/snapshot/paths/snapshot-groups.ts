import type { Snapshot } from '../snapshot-record.js';
import { groupOf } from './indexed-snapshots.js';
import type { PathEvent } from './path-events.js';
import type { PathIndex } from './path-index.js';
import { isSameState, type PathState } from './path-state.js';
import type { StateRun } from './path-versions.js';

/** A snapshot of a group in the order of numbers. */
interface Position {
  readonly number: number;
  /** Its position in the group, by time. */
  readonly at: number;
}

/** Snapshots of the same host and paths, as the index has them. */
export class SnapshotGroup {
  /** By chain. */
  private readonly chains = new Map<number, Position[]>();
  private readonly isInOrder: boolean;

  /** Oldest first; all of them are in the index. */
  constructor(
    readonly snapshots: readonly Snapshot[],
    index: PathIndex,
  ) {
    for (const [at, { id }] of snapshots.entries()) {
      const { chain, number } = index.snapshots.get(id)!;
      const list = this.chains.get(chain) ?? [];
      this.chains.set(chain, list);
      list.push({ number, at });
    }
    const [only, ...others] = [...this.chains.values()];
    const isSorted = only?.every(({ number }, i) => i === 0 || number > only[i - 1]!.number) ?? true;
    // Snapshots that were copied or rewritten are taken in late, whatever their time.
    this.isInOrder = others.length === 0 && isSorted;
    for (const list of this.chains.values()) list.sort((a, b) => a.number - b.number);
  }

  /** What a path with these events is in the snapshots of the group, oldest first. `chainOf`: the chain of each number. */
  runs(events: readonly PathEvent[], chainOf: ReadonlyMap<number, number>): readonly StateRun[] {
    return [...(this.isInOrder ? this.runsOfChain(events, chainOf) : this.runsByTime(events, chainOf))];
  }

  private *runsOfChain(
    events: readonly PathEvent[],
    chainOf: ReadonlyMap<number, number>,
  ): Iterable<StateRun> {
    for (const [chain, positions] of this.chains) yield* spans(positions, ofChain(events, chain, chainOf));
  }

  private *runsByTime(
    events: readonly PathEvent[],
    chainOf: ReadonlyMap<number, number>,
  ): Iterable<StateRun> {
    const states: (PathState | undefined)[] = Array.from({ length: this.snapshots.length });
    for (const [chain, positions] of this.chains) {
      for (const { from, to, state } of spans(positions, ofChain(events, chain, chainOf)))
        for (let i = from; i < to; i++) states[positions[i]!.at] = state;
    }
    let from = 0;
    for (let i = 1; i <= states.length; i++) {
      if (i < states.length && isSameState(states[i], states[from])) continue;
      yield { from, to: i, state: states[from] };
      from = i;
    }
  }
}

function ofChain(
  events: readonly PathEvent[],
  chain: number,
  chainOf: ReadonlyMap<number, number>,
): readonly PathEvent[] {
  return events.filter(({ number }) => chainOf.get(number) === chain);
}

/** What a path is at the positions of a chain: from each event on, up to the next one. */
function* spans(positions: readonly Position[], events: readonly PathEvent[]): Iterable<StateRun> {
  let from = 0;
  let state: PathState | undefined;
  for (const event of events) {
    const to = firstAt(positions, event.number, from);
    if (to > from) yield { from, to, state };
    from = to;
    state = event.state;
  }
  if (positions.length > from) yield { from, to: positions.length, state };
}

/** The first position with that number or a higher one. */
function firstAt(positions: readonly Position[], number: number, from: number): number {
  let [low, high] = [from, positions.length];
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (positions[middle]!.number < number) low = middle + 1;
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

/** The newest snapshot of each host and its paths; they are given oldest first. */
export function newestOfGroups(snapshots: readonly Snapshot[]): Snapshot[] {
  const newest = new Map(snapshots.map((each) => [groupOf(each), each]));
  return snapshots.filter((each) => newest.get(groupOf(each)) === each);
}
