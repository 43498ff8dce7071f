import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { localFailure } from '../../backends/index.js';
import { CbrError } from '../../core/index.js';
import {
  addBuild,
  addDiscEvent,
  type CatalogBuild,
  type CatalogDisc,
  type DiscCatalog,
  type PlannedCatalogBuild,
  type Repository,
  readDiscCatalog,
} from '../../repo/index.js';
import { listSnapshots, type Snapshot } from '../../snapshot/index.js';
import { partOf } from '../xorriso/publish-image.js';
import { withBuildLock } from './build-lock.js';
import { DiscIndexes } from './disc-index.js';
import type { RestoreSources } from './disc-layout.js';
import { discToWrite, onNoDisc, type StoredBuild } from './disc-to-write.js';
import { refuseOtherImage } from './image-there.js';
import { countingDiscs } from './plan-set.js';
import { gatherSetFacts, type SetFacts } from './set-facts.js';
import { type DiscToWrite, type DiscWriting, writeDisc } from './write-disc.js';

/** Builds the images of a disc set, one after another. */

export interface BuildOptions {
  /** The folder of the images. */
  readonly out: string;
  readonly restore: RestoreSources;
  readonly by: string;
  /** Milliseconds since 1970. */
  readonly now: () => number;
  readonly signal: AbortSignal;
  readonly onProgress?: (progress: DiscProgress) => void;
  /** Takes each disc as soon as it is committed. */
  readonly onBuilt?: (built: BuiltDisc) => void;
  /** Takes how many packs the snapshots need that are on no disc of the set, and their bytes: a prune has made them since. */
  readonly onLacking?: (packs: number, bytes: number) => void;
}

export interface DiscProgress {
  readonly volume: string;
  /** Position in the build, from 0. */
  readonly position: number;
  readonly total: number;
  /** Of its image: written so far, and all. */
  readonly bytes: number;
  readonly totalBytes: number;
}

export interface BuiltDisc {
  readonly disc: CatalogDisc;
  readonly image: string;
  readonly bytes: number;
}

export interface BuildReport {
  readonly build: CatalogBuild;
  /** Those that this run has made. */
  readonly built: readonly BuiltDisc[];
}

/** Makes the folder of the images, if it is not there. Rejects with BackendError when that cannot be. */
export async function makeImageFolder(out: string): Promise<void> {
  try {
    await mkdir(out, { recursive: true });
  } catch (error) {
    throw localFailure(`cannot make the folder ${out}`, error);
  }
}

/** The build of a set that a run before has begun and not ended; undefined when there is none. */
export function unfinishedBuild({ builds }: DiscCatalog, set: string): CatalogBuild | undefined {
  return builds.findLast(
    (build) => build.set === set && build.discs.some(({ state }) => state === 'planned'),
  );
}

/** A catalog as it will be when a build is given up. Pure. */
export function givenUp(catalog: DiscCatalog, { id }: CatalogBuild): DiscCatalog {
  const retired = (disc: CatalogDisc): CatalogDisc =>
    disc.state === 'planned' ? { ...disc, state: 'retired' } : disc;
  const builds = catalog.builds.map((build) =>
    build.id === id ? { ...build, discs: build.discs.map(retired) } : build,
  );
  return { ...catalog, builds };
}

/** Gives up the discs of a build that are only planned. */
export async function giveUpBuild(
  repository: Repository,
  build: CatalogBuild,
  { by, now }: Pick<BuildOptions, 'by' | 'now'>,
): Promise<void> {
  for (const { id, state } of build.discs) {
    if (state === 'planned') await addDiscEvent(repository, id, 'retired', by, Math.floor(now() / 1000));
  }
}

/** Stores a plan: from now on a run that is interrupted can be taken up again. */
export async function storePlan(
  repository: Repository,
  build: PlannedCatalogBuild,
  { by, now }: Pick<BuildOptions, 'by' | 'now'>,
): Promise<void> {
  await addBuild(repository, build, by, Math.floor(now() / 1000));
}

/**
 * Makes the images of all discs of a stored build that are not made yet, in the order of their numbers. Each is committed for itself: what was
 * made before something fails stays made. `planned`: what the plan was made of, if it was made just now. Rejects as `writeDisc` and `withBuildLock`, and with `not-found` when a snapshot or a pack that the build is of is gone.
 */
export async function buildDiscs(
  repository: Repository,
  buildId: string,
  options: BuildOptions,
  planned?: SetFacts,
): Promise<BuildReport> {
  const its = await plannedBuild(repository, buildId);
  const todo = its.build.discs.filter(({ state }) => state === 'planned');
  return makeDiscs(
    repository,
    { ...its, ...(planned === undefined ? {} : { facts: planned }) },
    todo,
    options,
  );
}

/**
 * Makes the image of one disc again, with the same packs; also of one that was retired, which counts again then. Rejects as `buildDiscs`.
 */
export async function rebuildDisc(
  repository: Repository,
  disc: CatalogDisc,
  options: BuildOptions,
): Promise<BuildReport> {
  const its = await plannedBuild(repository, disc.build);
  return makeDiscs(repository, its, [disc], options, writeAsFarAsItFits);
}

/** Writes a disc; `drafted` makes it out of what is asked of it beside its packs. */
type DiscWriter = (
  repository: Repository,
  drafted: (isFrugal: boolean) => DiscToWrite,
  writing: DiscWriting,
) => Promise<number>;

const writeAsPlanned: DiscWriter = (repository, drafted, writing) =>
  writeDisc(repository, drafted(false), writing);

/** The catalog has grown since the disc was planned, as the program that restores may have: its packs matter more. */
const writeAsFarAsItFits: DiscWriter = async (repository, drafted, writing) => {
  try {
    return await writeDisc(repository, drafted(false), writing);
  } catch (error) {
    if (!(error instanceof CbrError) || error.code !== 'limit') throw error;
  }
  try {
    return await writeDisc(repository, drafted(true), writing);
  } catch (error) {
    if (!(error instanceof CbrError) || error.code !== 'limit') throw error;
    throw new CbrError('limit', error.message, {
      hint: 'What is on every disc has grown since this one was planned. Retire it, and build what is on none: cbr disc build --content new',
      cause: error,
    });
  }
};

async function plannedBuild(repository: Repository, id: string): Promise<StoredBuild> {
  const { builds } = await readDiscCatalog(repository);
  const build = builds.find((each) => each.id === id);
  if (build === undefined) throw new CbrError('not-found', `the catalog has no build ${id}`);
  const listed = await listSnapshots(repository);
  const byId = new Map<string, Snapshot>(listed.snapshots.map((snapshot) => [snapshot.id, snapshot]));
  const snapshots = build.snapshots.flatMap((each) => byId.get(each) ?? []);
  if (snapshots.length === 0) {
    throw new CbrError('not-found', `no snapshot is left of those that the discs of ${build.set} are of`, {
      hint: 'Plan others: cbr disc build --restart. A disc that was made for them can only be retired.',
    });
  }
  return { build, snapshots };
}

async function makeDiscs(
  repository: Repository,
  its: BuildToMake,
  todo: readonly CatalogDisc[],
  options: BuildOptions,
  write = writeAsPlanned,
): Promise<BuildReport> {
  const { out } = options;
  await makeImageFolder(out);
  return withBuildLock(out, repository.identity, () => makeIn(repository, its, todo, options, write));
}

/** What a run that was killed has begun to write may be as large as a disc, and nobody goes on with it. */
async function dropUnfinished(out: string, { builds }: DiscCatalog, set: string): Promise<void> {
  for (const { volume } of builds.filter((build) => build.set === set).flatMap(({ discs }) => discs))
    await rm(partOf(join(out, `${volume}.iso`)), { force: true });
}

/** `facts`: where they are known already, for all trees are read for them. */
type BuildToMake = StoredBuild & { readonly facts?: SetFacts };

async function makeIn(
  repository: Repository,
  { build, snapshots, facts: planned }: BuildToMake,
  todo: readonly CatalogDisc[],
  options: BuildOptions,
  write: DiscWriter,
): Promise<BuildReport> {
  const { out, restore, signal, by, now } = options;
  const workFolder = join(out, '.cbr-disc');
  const catalog = await readDiscCatalog(repository);
  await dropUnfinished(out, catalog, build.set);
  const counting = countingDiscs(catalog, build.set);
  const facts =
    planned ??
    (await gatherSetFacts(repository, {
      snapshots,
      known: counting.map(({ packs }) => ({ packs: packs.length })),
      mostDiscs: () => build.discs.length,
      restore,
      signal,
    }));
  const strays = onNoDisc([...counting, ...todo], facts.needed);
  if (strays.length > 0) {
    options.onLacking?.(
      strays.length,
      strays.reduce((sum, { size }) => sum + size, 0),
    );
  }
  const indexes = new DiscIndexes(repository, signal);
  const built: BuiltDisc[] = [];
  try {
    for (const [i, disc] of todo.entries()) {
      signal.throwIfAborted();
      const known = countingDiscs(await readDiscCatalog(repository), build.set);
      const image = join(out, `${disc.volume}.iso`);
      await refuseOtherImage(image, disc);
      const bytes = await write(
        repository,
        (isFrugal) =>
          discToWrite(repository, { build, snapshots }, disc, { known, facts, isFrugal, now: now() }),
        {
          image,
          workFolder,
          restore,
          indexes,
          time: Math.floor(now() / 1000),
          signal,
          onProgress: (bytes, totalBytes) =>
            options.onProgress?.({ volume: disc.volume, position: i, total: todo.length, bytes, totalBytes }),
        },
      );
      await addDiscEvent(repository, disc.id, 'built', by, Math.floor(now() / 1000));
      const done = { disc, image, bytes };
      built.push(done);
      options.onBuilt?.(done);
    }
  } finally {
    await rm(workFolder, { recursive: true, force: true });
  }
  return { build, built };
}
