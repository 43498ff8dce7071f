import { stat } from 'node:fs/promises';
import type { CachedPack, Repository } from '../../repo/index.js';
import type { Snapshot } from '../../snapshot/index.js';
import type { MappedFile } from '../xorriso/image-writer.js';
import type { DiscFile } from './disc-file.js';
import { type LayoutFacts, type RestoreSources, restoreFiles } from './disc-layout.js';
import { type NeededPacks, neededPacks } from './needed-packs.js';
import type { GroupedPack, PlanPack } from './plan-discs.js';
import { sharedObjects } from './shared-objects.js';

/** What is known of the discs of a build before they are planned: what its snapshots need, and what is on each of them. */
export interface SetFacts {
  readonly needed: NeededPacks;
  readonly layout: LayoutFacts;
}

/** A disc that may be named on the label of another. */
export interface KnownDisc {
  readonly packs: number;
}

export interface FactsRequest {
  readonly snapshots: readonly Snapshot[];
  /** Discs of the set that count already. */
  readonly known: readonly KnownDisc[];
  /** At most so many discs are planned. */
  readonly mostDiscs: (data: readonly CachedPack[]) => number;
  readonly restore: RestoreSources;
  readonly signal: AbortSignal;
}

/** Bytes that a label has at most: for itself, for each disc, and for each pack on one. */
const LABEL = { own: 2500, disc: 220, pack: 88 } as const;
/** Of a catalog record. */
const RECORD = { own: 600, disc: 140, pack: 64, snapshot: 24, event: 1500 } as const;

/** Rejects as `neededPacks`. */
export async function gatherSetFacts(repository: Repository, request: FactsRequest): Promise<SetFacts> {
  const { snapshots, known, mostDiscs, restore, signal } = request;
  const needed = await neededPacks(repository, snapshots, signal);
  const all = [...needed.data, ...needed.tree];
  const discs = mostDiscs(needed.data);
  const shared: DiscFile[] = await sharedObjects(
    repository.backend,
    new Set(snapshots.map(({ id }) => id)),
    signal,
  );
  const labelled = known.reduce((sum, disc) => sum + disc.packs, needed.data.length);
  const build =
    RECORD.own + RECORD.snapshot * snapshots.length + RECORD.disc * discs + RECORD.pack * needed.data.length;
  return {
    needed,
    layout: {
      shared: [
        ...shared,
        ...(await sizesOf(restoreFiles(restore))),
        // What is to be noted while the discs are made.
        { to: 'catalog/999999999999999', size: build },
        ...Array.from({ length: discs }, (_, i) => ({
          to: `catalog/${99_999_999_999_999 - i}`,
          size: RECORD.event,
        })),
      ],
      indexed: all.map(planPack),
      isPadded: repository.config.pad,
      labelBytes: LABEL.own + LABEL.disc * (known.length + discs) + LABEL.pack * labelled,
    },
  };
}

async function sizesOf(files: readonly MappedFile[]): Promise<DiscFile[]> {
  return Promise.all(files.map(async ({ from, to }) => ({ to, size: (await stat(from)).size })));
}

export function planPack({ name, size, blocks }: CachedPack): PlanPack {
  return {
    name,
    size,
    blocks: blocks.length,
    chunks: blocks.reduce((sum, { chunks }) => sum + chunks, 0),
  };
}

/** Those that are needed by the same snapshot first have its number. */
export function groupedPack(pack: NeededPacks['data'][number]): GroupedPack {
  return { ...planPack(pack), group: pack.firstSnapshot };
}
