import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Backend } from '../../backends/index.js';
import { CbrError, errnoOf } from '../../core/index.js';
import type { CatalogBuild, CatalogDisc, DiscCatalog } from '../../repo/index.js';
import { LABEL_FILE, parseLabel } from '../label.js';

/** The catalog as a disc carries it: written before that disc was, and before those that came after it. */

export interface CatalogOnDiscs {
  readonly catalog: DiscCatalog;
  /** How many discs were only planned then, and are taken for built. */
  readonly assumed: number;
}

/** Whether a disc that the catalog has as planned was made, as far as its label tells. */
export type IsOnLabel = (disc: string) => boolean;

/**
 * Undefined for what does not come from discs. Where discs are read all that was planned counts; in a folder to which discs were copied what
 * stands on the label of the last one that was copied: discs can be planned there anew.
 */
export async function labelledDiscs({
  gathering,
  folder,
}: Pick<Backend, 'gathering' | 'folder'>): Promise<IsOnLabel | undefined> {
  // Only discs are put in by somebody; what lives on images and can be written to knows what became of its discs.
  if (gathering !== undefined) return gathering.hasAllRecords ? undefined : () => true;
  if (folder === undefined) return undefined;
  try {
    const label = parseLabel(await readFile(join(folder, LABEL_FILE)), folder);
    const named = new Set(label.discs.map(({ disc }) => disc));
    return (disc) => named.has(disc);
  } catch (error) {
    // Without a label that can be read it is a folder as any other.
    if (!(error instanceof CbrError) && errnoOf(error) === undefined) throw error;
    return undefined;
  }
}

/**
 * Takes discs that were planned when the catalog was copied for built: the one that carries it is, and the others of its build were made right after
 * it. Those that were given up later are not told apart. Pure.
 */
export function catalogOnDiscs(catalog: DiscCatalog, isOnLabel: IsOnLabel): CatalogOnDiscs {
  let assumed = 0;
  const built = (disc: CatalogDisc): CatalogDisc => {
    if (disc.state !== 'planned' || !isOnLabel(disc.id)) return disc;
    assumed++;
    return { ...disc, state: 'built' };
  };
  const builds: CatalogBuild[] = catalog.builds.map((build) => ({ ...build, discs: build.discs.map(built) }));
  return { catalog: { ...catalog, builds }, assumed };
}
