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
}

/**
 * The discs of one set that a restore of a snapshot needs; `packs` are the data packs that it needs, each once. The record and
 * the trees are on the last disc of each build that was made for the snapshot; the rest is taken from few discs: that which
 * has most of what is left comes first. Discs that were not written, or are retired, do not count.
 */
export function discsForRestore(
  builds: readonly CatalogBuild[],
  snapshot: string,
  packs: readonly CatalogPack[],
): RestoreNeeds {
  const usable = builds.flatMap((build) =>
    build.discs.filter(countsAsStored).map((disc) => ({ build, disc })),
  );
  const withTrees = usable.findLast(
    ({ build, disc }) => build.snapshots.includes(snapshot) && build.discs.at(-1) === disc,
  );
  const left = new Map(packs.map((pack) => [pack.name, pack]));
  const taken: RestoreDisc[] = [];
  const take = (from: Omit<RestoreDisc, 'packs'>): void => {
    const found = from.disc.packs.flatMap(({ name }) => left.get(name) ?? []);
    for (const { name } of found) left.delete(name);
    taken.push({ ...from, packs: found });
  };
  if (withTrees !== undefined) take(withTrees);
  while (left.size > 0) {
    const best = mostOf(usable, left);
    if (best === undefined) break;
    take(best);
  }
  taken.sort((a, b) => a.disc.number - b.disc.number);
  return { discs: taken, missing: [...left.values()], hasTrees: withTrees !== undefined };
}

/** Of several that have as much the newest; undefined where none has anything. */
function mostOf(
  discs: readonly Omit<RestoreDisc, 'packs'>[],
  left: ReadonlyMap<string, CatalogPack>,
): Omit<RestoreDisc, 'packs'> | undefined {
  let best: Omit<RestoreDisc, 'packs'> | undefined;
  let most = 1;
  for (const each of discs) {
    const count = each.disc.packs.filter(({ name }) => left.has(name)).length;
    if (count < most) continue;
    [best, most] = [each, count];
  }
  return best;
}
