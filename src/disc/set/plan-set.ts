import { randomBytes } from 'node:crypto';
import { CbrError } from '../../core/index.js';
import type {
  CatalogDisc,
  DiscCatalog,
  DiscContent,
  PlannedCatalogBuild,
  Repository,
} from '../../repo/index.js';
import type { Snapshot } from '../../snapshot/index.js';
import type { Fit } from '../fit.js';
import { freeBytes, type Medium, SECTOR_BYTES } from '../media.js';
import { buildsOfSet, choosePacks } from './choose-packs.js';
import type { RestoreSources } from './disc-layout.js';
import { layoutOf } from './disc-layout.js';
import { discWithTrees } from './discs-for-restore.js';
import { measuring } from './measure.js';
import { type PlannedDisc, planDiscs } from './plan-discs.js';
import { gatherSetFacts, groupedPack, planPack, type SetFacts } from './set-facts.js';
import { volumeIdOf } from './set-name.js';

/** Plans a build of a disc set. */

export interface SetRequest {
  readonly set: string;
  readonly medium: Medium;
  /** Percent of each disc that is left free. */
  readonly cushion: number;
  readonly content: DiscContent;
  readonly fit: Fit;
  /** Oldest first; at least one. */
  readonly snapshots: readonly Snapshot[];
  readonly restore: RestoreSources;
  /** A folder for sparse files. */
  readonly workFolder: string;
  readonly signal: AbortSignal;
}

export interface SetPlan {
  readonly build: PlannedCatalogBuild;
  /** As in `build`, with what else goes on them. */
  readonly discs: readonly PlannedDisc[];
  readonly facts: SetFacts;
  /** Bytes that an image may have. */
  readonly capacity: number;
  /** Stored bytes of the data packs that go on discs. */
  readonly newBytes: number;
}

/** More discs than packs fill by their size: what they cannot use, and what each has beside packs. */
const DISCS_SPARE = 3;

/**
 * Which packs would go on which disc, and how large the images would be. Changes nothing. No disc at all when the content that was asked for is on discs
 * already. Rejects with `usage` when something does not fit, and as `neededPacks` and `choosePacks`.
 */
export async function planSet(
  repository: Repository,
  catalog: DiscCatalog,
  request: SetRequest,
): Promise<SetPlan> {
  const { set, medium, cushion, content, fit, snapshots, workFolder, signal } = request;
  const sectors = freeSectors(medium, cushion);
  const capacity = sectors * SECTOR_BYTES;
  if (capacity === 0)
    throw new CbrError('usage', `nothing is left of ${medium.name} with --cushion ${cushion}`);
  const known = countingDiscs(catalog, set);
  const facts = await gatherSetFacts(repository, {
    snapshots,
    known: known.map(({ packs }) => ({ packs: packs.length })),
    mostDiscs: (data) =>
      Math.ceil((2 * data.reduce((sum, { size }) => sum + size, 0)) / capacity) + DISCS_SPARE,
    restore: request.restore,
    signal,
  });
  const chosen = choosePacks(catalog, set, content, facts.needed.data);
  const sizes = await measuring(workFolder, signal);
  try {
    const discs = await planDiscs({
      data: chosen.map(groupedPack),
      // A snapshot that changed nothing but names has no new data, and a record and trees.
      needsDisc: snapshots.some(({ id }) => discWithTrees(buildsOfSet(catalog, set), id) === undefined),
      tree: facts.needed.tree.map(planPack),
      capacity,
      fit,
      filesOf: (draft) => layoutOf(draft, facts.layout),
      measure: sizes.measure,
    });
    const first = 1 + highestNumber(catalog, set);
    return {
      build: {
        id: randomBytes(16).toString('hex'),
        set,
        content,
        medium: medium.name,
        sectors,
        snapshots: snapshots.map(({ id }) => id),
        discs: discs.map(({ data }, i) => ({
          id: randomBytes(16).toString('hex'),
          number: first + i,
          volume: volumeIdOf(set, first + i),
          packs: data.map(({ name, size }) => ({ name, size })),
        })),
      },
      discs,
      facts,
      capacity,
      newBytes: chosen.reduce((sum, { size }) => sum + size, 0),
    };
  } finally {
    await sizes.close();
  }
}

/** Sectors that an image may have on such a disc, of which `cushion` percent stay free. */
export function freeSectors(medium: Medium, cushion: number): number {
  return Math.floor(freeBytes(medium, undefined, cushion) / SECTOR_BYTES);
}

/** The discs of a set that are not retired, in the order of their numbers. */
export function countingDiscs(catalog: DiscCatalog, set: string): CatalogDisc[] {
  return discsOf(catalog, set)
    .filter(({ state }) => state !== 'retired')
    .sort((a, b) => a.number - b.number);
}

function highestNumber(catalog: DiscCatalog, set: string): number {
  return discsOf(catalog, set).reduce((highest, { number }) => Math.max(highest, number), 0);
}

function discsOf({ builds }: DiscCatalog, set: string): readonly CatalogDisc[] {
  return builds.filter((build) => build.set === set).flatMap(({ discs }) => discs);
}
