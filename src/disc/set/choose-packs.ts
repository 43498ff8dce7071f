import { CbrError } from '../../core/index.js';
import type { CatalogBuild, CatalogDisc, DiscCatalog, DiscContent } from '../../repo/index.js';

/** Which packs a build has to put on discs, from what is on discs already. Pure. */

/** Whether what is on it need not be put on another one: it was written, and nobody has given it up. */
export function countsAsStored({ state }: Pick<CatalogDisc, 'state'>): boolean {
  return state === 'built' || state === 'burned';
}

/** The builds of a set, in the order in which they were planned. */
export function buildsOfSet({ builds }: Pick<DiscCatalog, 'builds'>, set: string): readonly CatalogBuild[] {
  return builds.filter((build) => build.set === set);
}

/** Names of the packs on those discs of the builds that count. */
export function packsOnDiscs(builds: readonly Pick<CatalogBuild, 'discs'>[]): ReadonlySet<string> {
  const discs = builds.flatMap((build) => build.discs).filter(countsAsStored);
  return new Set(discs.flatMap(({ packs }) => packs.map(({ name }) => name)));
}

/**
 * Of these packs, in their order, those that `content` asks for: `all` of them; `since-full`, those on no disc of the last
 * build of the set that had all; `new`, those on no disc of the set. Discs that are planned and not written, or retired, do
 * not count. Rejects with `usage` where there is nothing that the packs could be since.
 */
export function choosePacks<Pack extends { readonly name: string }>(
  catalog: Pick<DiscCatalog, 'builds'>,
  set: string,
  content: DiscContent,
  packs: readonly Pack[],
): readonly Pack[] {
  if (content === 'all') return packs;
  const builds = buildsOfSet(catalog, set);
  const stored = packsOnDiscs(content === 'new' ? builds : [lastFull(builds, set)]);
  return packs.filter(({ name }) => !stored.has(name));
}

/** The last one of which a disc counts: one that was given up before its first disc is not the base of anything. */
function lastFull(builds: readonly CatalogBuild[], set: string): CatalogBuild {
  const full = builds.findLast(({ content, discs }) => content === 'all' && discs.some(countsAsStored));
  if (full !== undefined) return full;
  throw new CbrError('usage', `set ${JSON.stringify(set)} has no discs with all content`, {
    hint: 'Build some first (--content all), or take what is on no disc of the set (--content new).',
  });
}
