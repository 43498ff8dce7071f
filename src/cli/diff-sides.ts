import { CbrError } from '../core/index.js';
import type { Repository } from '../repo/index.js';
import {
  type DiffSide,
  parseSnapshotPath,
  type SnapshotChoice,
  type SnapshotFilter,
} from '../snapshot/index.js';
import { chosenSnapshot } from './snapshot-choice.js';
import type { ZonedTime } from './times.js';

/** What `cbr diff` is to compare, as it was written. */
export interface WantedSide {
  /** Undefined: the newest one that is like the other side. */
  readonly name: string | undefined;
  readonly path?: string;
  readonly at?: ZonedTime;
}

/** The one side that is compared with the disk. Rejects with `usage` when there are two, or none. */
export function wantedSide(names: readonly string[], times: readonly ZonedTime[]): WantedSide {
  const [before, after] = wantedSides(names, times);
  if (after.name === undefined) return before;
  throw new CbrError('usage', 'two snapshots were named, and one is to be compared with the disk', {
    hint: 'Leave one out, or --live.',
  });
}

/**
 * The two sides that names and times stand for: times first, each for a snapshot that has no name. A path that only one
 * side has is meant on both. Rejects with `usage` when there are more than two, or none.
 */
export function wantedSides(
  names: readonly string[],
  times: readonly ZonedTime[],
): readonly [WantedSide, WantedSide] {
  const parsed = names.map(parseSnapshotPath);
  const named = parsed.filter(({ snapshot }) => snapshot !== '');
  const sides: WantedSide[] = [
    ...times.map((at) => ({ name: 'latest', at })),
    ...named.map(({ snapshot, path }) => ({ name: snapshot, ...(path === undefined ? {} : { path }) })),
  ];
  if (sides.length > 2) {
    throw new CbrError('usage', 'more than two snapshots were named', {
      hint: 'Each --at stands for one that is not named.',
    });
  }
  const [before, after = { name: undefined }] = sides;
  if (before === undefined) {
    throw new CbrError('usage', 'no snapshot was named', {
      hint: 'Give an id, the beginning of one, latest~1, or --at TIME.',
    });
  }
  const alone = parsed.find(({ snapshot, path }) => snapshot === '' && path !== undefined)?.path;
  const common = alone ?? before.path ?? after.path;
  if (common === undefined) return [before, after];
  return [
    { ...before, path: before.path ?? common },
    { ...after, path: after.path ?? common },
  ];
}

/** Finds both; one that is not named is the newest of the host and the first source of the other. */
export async function chosenSides(
  repository: Repository,
  [before, after]: readonly [WantedSide, WantedSide],
  filter: SnapshotFilter,
): Promise<readonly [DiffSide, DiffSide]> {
  const from = await chosenSide(repository, before, filter);
  if (after.name !== undefined) return [from, await chosenSide(repository, after, filter)];
  const { host, paths } = from.snapshot.about;
  const path = paths[0];
  const alike = { host, ...(path === undefined ? {} : { path }), ...filter };
  return [from, await chosenSide(repository, { ...after, name: 'latest' }, alike)];
}

export async function chosenSide(
  repository: Repository,
  { name = 'latest', path, at }: WantedSide,
  filter: SnapshotFilter,
): Promise<DiffSide> {
  const choice: SnapshotChoice = { ...filter, ...(at === undefined ? {} : { at }) };
  const snapshot = await chosenSnapshot(repository, name, choice, path);
  return { snapshot, ...(path === undefined ? {} : { path }) };
}
