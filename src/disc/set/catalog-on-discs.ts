import type { CatalogBuild, CatalogDisc, DiscCatalog } from '../../repo/index.js';

/** The catalog as a disc carries it: written before that disc was, and before those that came after it. */

export interface CatalogOnDiscs {
  readonly catalog: DiscCatalog;
  /** How many discs were only planned then, and are taken for built. */
  readonly assumed: number;
}

/**
 * Takes discs that were planned when the catalog was copied for built: the one that carries it is, and the others of its build were made right after
 * it. Those that were given up later are not told apart. Pure.
 */
export function catalogOnDiscs(catalog: DiscCatalog): CatalogOnDiscs {
  let assumed = 0;
  const built = (disc: CatalogDisc): CatalogDisc => {
    if (disc.state !== 'planned') return disc;
    assumed++;
    return { ...disc, state: 'built' };
  };
  const builds: CatalogBuild[] = catalog.builds.map((build) => ({ ...build, discs: build.discs.map(built) }));
  return { catalog: { ...catalog, builds }, assumed };
}
