import type { CatalogBuild, CatalogDisc, CatalogPack } from '../../repo/index.js';
import { countsAsStored } from './choose-packs.js';

/** Which discs a restore has to be given. Pure. */

export interface RestoreDisc {
  readonly build: CatalogBuild;
  readonly disc: CatalogDisc;
  /** Those of the packs that are to be read from it: none where only its trees are needed. */
  readonly packs: readonly CatalogPack[];
}

export interface RestoreNeeds {
  /** By their numbers. */
  readonly discs: readonly RestoreDisc[];
  /** Packs that are on no disc. */
  readonly missing: readonly CatalogPack[];
  /** Whether the record and the trees of the snapshot are on a disc. */
  readonly hasTrees: boolean;
  /** Whether the discs have all of it in packs that the repository does not have any more: a prune has moved what was in them. */
  readonly isMoved: boolean;
}

/**
 * The discs of one set that a restore of a snapshot needs; `builds` are those of the set, in their order, `packs` the data packs that the
 * snapshot needs, each once; `isThere`: whether the repository has a pack of that name. The record and the trees are on the last disc of each build that was made for the snapshot; the rest is
 * taken from few discs: that which has most of what is left comes first. Discs that were not written, or are retired, do not count.
 */
export function discsForRestore(
  builds: readonly CatalogBuild[],
  snapshot: string,
  packs: readonly CatalogPack[],
  isThere: (pack: string) => boolean,
): RestoreNeeds {
  const left = new Map(packs.map((pack) => [pack.name, pack]));
  const taken: RestoreDisc[] = [];
  const take = (from: CountingDisc): void => {
    const found = from.disc.packs.flatMap(({ name }) => left.get(name) ?? []);
    for (const { name } of found) left.delete(name);
    taken.push({ ...from, packs: found });
  };
  const usable = storedDiscs(builds);
  const trees = discWithTrees(builds, snapshot);
  if (trees !== undefined) take(trees);
  while (left.size > 0) {
    const best = mostOf(usable, left);
    if (best === undefined) break;
    take(best);
  }
  if (left.size > 0) {
    const whole = storedDiscs(wholeWithout(builds, snapshot));
    const isMoved = whole.some(({ disc }) => disc.packs.some(({ name }) => !isThere(name)));
    if (isMoved) {
      const discs = whole.map((each) => ({ ...each, packs: each.disc.packs }));
      return { discs: byNumber(discs), missing: [], hasTrees: true, isMoved };
    }
  }
  const hasTrees = trees !== undefined;
  return { discs: byNumber(taken), missing: [...left.values()], hasTrees, isMoved: false };
}

type CountingDisc = Omit<RestoreDisc, 'packs'>;

function storedDiscs(builds: readonly CatalogBuild[]): CountingDisc[] {
  return builds.flatMap((build) => build.discs.filter(countsAsStored).map((disc) => ({ build, disc })));
}

/** The newest disc that has the record and all trees of a snapshot, and counts; undefined if there is none. */
export function discWithTrees(builds: readonly CatalogBuild[], snapshot: string): CountingDisc | undefined {
  return storedDiscs(builds).findLast(
    ({ build, disc }) => build.snapshots.includes(snapshot) && build.discs.at(-1) === disc,
  );
}

/**
 * Builds that have all of a snapshot together, whatever packs the repository has now: one of all content that was made for it, of which
 * each disc counts; or one of less content with all that were planned before it. None where a single disc of them is lacking.
 */
function wholeWithout(builds: readonly CatalogBuild[], snapshot: string): readonly CatalogBuild[] {
  for (const [i, build] of [...builds.entries()].reverse()) {
    if (!build.snapshots.includes(snapshot)) continue;
    const together = build.content === 'all' ? [build] : builds.slice(0, i + 1);
    if (together.every(({ discs }) => discs.every(countsAsStored))) return together;
  }
  return [];
}

const byNumber = (discs: RestoreDisc[]): RestoreDisc[] => discs.sort((a, b) => a.disc.number - b.disc.number);

/** Of several that have as much the newest; undefined where none has anything. */
function mostOf(
  discs: readonly CountingDisc[],
  left: ReadonlyMap<string, CatalogPack>,
): CountingDisc | undefined {
  let best: CountingDisc | undefined;
  let most = 1;
  for (const each of discs) {
    const count = each.disc.packs.filter(({ name }) => left.has(name)).length;
    if (count < most) continue;
    [best, most] = [each, count];
  }
  return best;
}
