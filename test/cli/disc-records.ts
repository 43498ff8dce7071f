import { randomBytes } from 'node:crypto';
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { neededPacks } from '../../dist/disc/index.js';
import {
  addBuild,
  addDiscEvent,
  type CatalogEvent,
  type CatalogPack,
  openRepository,
  type PlannedCatalogBuild,
  type Repository,
} from '../../dist/repo/index.js';
import { listSnapshots } from '../../dist/snapshot/index.js';
import { randomContent } from '../snapshot/random-content.js';
import { type Place, plainPlace } from './run.js';

/** A repository with three snapshots, each with a pack of its own, and what the catalog says of discs for them. */

export interface Shelf {
  readonly its: Place;
  /** Ids, oldest first. */
  readonly snapshots: readonly string[];
  /** The data pack that each of them brought. */
  readonly packs: readonly CatalogPack[];
}

export const newId = (): string => randomBytes(16).toString('hex');

export async function use<T>(its: Place, action: (repository: Repository) => Promise<T>): Promise<T> {
  const repository = await openRepository({
    location: its.repo,
    password: async () => Buffer.from(''),
    cacheRoot: join(its.root, 'cache of the library'),
    portable: false,
    host: 'dove',
    now: () => Date.now(),
    report: () => undefined,
  });
  try {
    return await action(repository);
  } finally {
    await repository.close();
  }
}

/** The data packs that the snapshots need, or one of them. */
export function packsOf(its: Place, snapshot?: string): Promise<CatalogPack[]> {
  return use(its, async (repository) => {
    const { snapshots } = await listSnapshots(repository);
    const chosen = snapshots.filter(({ id }) => snapshot === undefined || id === snapshot);
    const { data } = await neededPacks(repository, chosen, new AbortController().signal);
    return data.map(({ name, size }) => ({ name, size }));
  });
}

/** Each snapshot has what the one before has, and a file more. */
export async function shelf(): Promise<Shelf> {
  const its = await plainPlace();
  const snapshots: string[] = [];
  for (const seed of [1, 2, 3]) {
    writeFileSync(join(its.source, `file ${seed}`), randomContent(seed, 100_000));
    snapshots.push((await its.json(['snapshot', its.source])).summary.snapshot as string);
  }
  const packs = await packsOf(its);
  if (packs.length !== 3) throw new Error(`${packs.length} packs, one for each snapshot expected`);
  return { its, snapshots, packs };
}

/** A build of those discs, given as the packs on each; `first`: the number of the first. */
export function buildOf(
  discs: readonly (readonly CatalogPack[])[],
  { first = 1, ...changes }: Partial<PlannedCatalogBuild> & { readonly first?: number } = {},
): PlannedCatalogBuild {
  const set = changes.set ?? 'home';
  return {
    id: newId(),
    set,
    content: 'all',
    medium: 'dvd+r',
    sectors: 2_295_104,
    snapshots: [],
    discs: discs.map((packs, i) => ({
      id: newId(),
      number: first + i,
      volume: `${set.toUpperCase()}_${first + i}`,
      packs,
    })),
    ...changes,
  };
}

/** Plans the build, and has each of its discs become what `events` says. */
export async function store(
  its: Place,
  build: PlannedCatalogBuild,
  ...events: readonly (CatalogEvent | undefined)[]
): Promise<void> {
  await use(its, async (repository) => {
    await addBuild(repository, build, 'ann@dove', 1_800_000_000);
    for (const [i, event] of events.entries()) {
      const { id } = build.discs[i]!;
      if (event !== undefined) await addDiscEvent(repository, id, event, 'ann@dove', 1_800_000_100 + i);
    }
  });
}

/** Puts something into the place of the record of that number. */
export function overwrite(its: Place, number: number, content: string): void {
  const file = join(its.repo, 'catalog', String(number));
  rmSync(file, { force: true });
  writeFileSync(file, content);
}
