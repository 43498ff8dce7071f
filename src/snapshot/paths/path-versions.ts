import type { Snapshot } from '../snapshot-record.js';
import { isSameState, type PathState } from './path-state.js';

/** What differs between a version and the one before it. */
export type PathChange =
  | 'added'
  | 'removed'
  | 'type'
  | 'content'
  | 'mode'
  | 'owner'
  | 'mtime'
  /** Names of the owners, birth time, flags, attributes, which names belong to one inode. */
  | 'metadata';

/** What a path was in some snapshots of one group that follow each other in time. */
export interface PathVersion {
  /** Undefined: it was not there. */
  readonly state: PathState | undefined;
  readonly changes: readonly PathChange[];
  readonly first: Snapshot;
  readonly last: Snapshot;
  /** In how many snapshots. */
  readonly snapshots: number;
}

/** What a path is from one position of a list of snapshots up to another one. */
export interface StateRun {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  readonly state: PathState | undefined;
}

/**
 * The versions of a path, from runs that cover the snapshots of a group, oldest first: what it was before it was first there is
 * none of them. `gaps`: which of them can lack what was there, by their positions in order; that they have no such path means
 * nothing.
 */
export function versionsOf(
  runs: Iterable<StateRun>,
  snapshots: readonly Snapshot[],
  gaps: () => readonly number[],
): PathVersion[] {
  const versions: PathVersion[] = [];
  let known: readonly number[] | undefined;
  let last: PathVersion | undefined;
  for (const { from, to, state } of runs) {
    if (last === undefined && state === undefined) continue;
    if (state === undefined) known ??= gaps();
    const spans = state === undefined ? telling(from, to, known ?? []) : [[from, to] as const];
    for (const [start, end] of spans) {
      const count = end - start;
      if (last !== undefined && isSameState(last.state, state)) {
        versions.pop();
        last = { ...last, last: snapshots[end - 1]!, snapshots: last.snapshots + count };
      } else {
        const changes = changesBetween(last?.state, state);
        last = { state, changes, first: snapshots[start]!, last: snapshots[end - 1]!, snapshots: count };
      }
      versions.push(last);
    }
  }
  return versions;
}

/** The parts of a span in which the absence of a path means that it was gone. */
function* telling(from: number, to: number, gaps: readonly number[]): Iterable<readonly [number, number]> {
  let start = from;
  for (const gap of gaps) {
    if (gap < from) continue;
    if (gap >= to) break;
    if (gap > start) yield [start, gap];
    start = gap + 1;
  }
  if (to > start) yield [start, to];
}

function changesBetween(before: PathState | undefined, after: PathState | undefined): readonly PathChange[] {
  if (after === undefined) return ['removed'];
  if (before === undefined) return ['added'];
  if (before.type !== after.type) return ['type'];
  const { mtime } = before;
  const isSameTime = mtime.seconds === after.mtime.seconds && mtime.nanoseconds === after.mtime.nanoseconds;
  return [
    ...(before.content === after.content && before.size === after.size ? [] : (['content'] as const)),
    ...(before.mode === after.mode ? [] : (['mode'] as const)),
    ...(before.uid === after.uid && before.gid === after.gid ? [] : (['owner'] as const)),
    ...(isSameTime ? [] : (['mtime'] as const)),
    ...(before.rest === after.rest ? [] : (['metadata'] as const)),
  ];
}
