import { CbrError, type ObjectDigest } from '../../core/index.js';
import type { CachedPack, CatalogBuild, CatalogDisc, Repository } from '../../repo/index.js';
import type { Snapshot } from '../../snapshot/index.js';
import type { DiscLabel } from '../label.js';
import { SECTOR_BYTES } from '../media.js';
import { layoutOf } from './disc-layout.js';
import type { NeededPack, NeededPacks } from './needed-packs.js';
import { type DiscDraft, sharedDraft } from './plan-discs.js';
import { planPack, type SetFacts } from './set-facts.js';
import type { DiscToWrite } from './write-disc.js';

/** What goes on a disc of a stored build. */

export interface StoredBuild {
  readonly build: CatalogBuild;
  /** Those that are still there, oldest first. */
  readonly snapshots: readonly Snapshot[];
}

export interface DiscTime {
  /** Discs of the set that count now. */
  readonly known: readonly CatalogDisc[];
  readonly facts: SetFacts;
  /** Without what is on other discs too, as far as this one is of use without it. */
  readonly isFrugal: boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

/** Rejects with `not-found` when a pack that belongs on it is gone. */
export function discToWrite(
  repository: Repository,
  { build, snapshots }: StoredBuild,
  disc: CatalogDisc,
  { known, facts: { needed, layout }, isFrugal, now }: DiscTime,
): DiscToWrite {
  const capacity = build.sectors * SECTOR_BYTES;
  const data = dataOf(repository, disc);
  // As it was planned: all on the last one, and on the others what is small.
  const isLast = build.discs.every(({ number }) => number <= disc.number);
  const shared = isLast ? undefined : isFrugal ? BARE : sharedDraft(planned());
  const onDisc = new Set<string>(shared?.tree.map(({ name }) => name));
  const tree = shared === undefined ? needed.tree : needed.tree.filter(({ name }) => onDisc.has(name));
  const hasAll = shared === undefined || shared.index === 'all';
  const listed = (): CachedPack[] =>
    eachOnce([...data, ...indexedData(repository, known, needed), ...needed.tree]);
  // A disc that was retired is written again because somebody wants it.
  const discs = [...known.filter(({ id }) => id !== disc.id), disc].sort((a, b) => a.number - b.number);
  const label: DiscLabel = {
    repository: Buffer.from(repository.config.repository).toString('hex'),
    set: build.set,
    disc: disc.id,
    number: disc.number,
    volume: disc.volume,
    medium: build.medium,
    created: new Date(now).toISOString(),
    discs: discs.map(({ id, number, volume, packs }) => ({ disc: id, number, volume, packs })),
  };
  return {
    label,
    together: togetherInWords(build, discs.length),
    snapshots: snapshots.map(({ id }) => id),
    packs: [...data, ...tree],
    indexed: hasAll ? listed() : [...data, ...tree],
    hasCatalog: !isFrugal,
    capacity,
  };

  function planned() {
    const filesOf = (draft: DiscDraft) => layoutOf(draft, layout);
    return { tree: needed.tree.map(planPack), capacity, filesOf };
  }
}

/**
 * What the snapshots need and is on no disc: a prune has put it together out of packs, since the discs were planned, some of which are on discs
 * that are made. Pure.
 */
export function onNoDisc(
  known: readonly Pick<CatalogDisc, 'packs'>[],
  { data }: NeededPacks,
): readonly NeededPack[] {
  const onDiscs = new Set<string>(known.flatMap(({ packs }) => packs.map(({ name }) => name)));
  return data.filter(({ name }) => !onDiscs.has(name));
}

/** What would send a reader to a pack that is on no disc hides where the same chunks are: on those that it was made of. */
function indexedData(
  { cache }: Repository,
  known: readonly CatalogDisc[],
  needed: NeededPacks,
): readonly CachedPack[] {
  const strays = new Set(onNoDisc(known, needed));
  if (strays.size === 0) return needed.data;
  const replaced = known.flatMap(({ packs }) =>
    packs.map(({ name }) => cache.packNamed(name as ObjectDigest)),
  );
  return [
    ...needed.data.filter((pack) => !strays.has(pack)),
    ...replaced.filter((pack) => pack !== undefined),
  ];
}

/** A pack of a disc that is made again may be needed no longer. */
function eachOnce(packs: readonly CachedPack[]): CachedPack[] {
  return [...new Map(packs.map((pack) => [pack.name, pack])).values()];
}

/** What has all needs its own build; anything else may need every disc of the set. */
function togetherInWords({ content, discs }: CatalogBuild, inSet: number): string {
  const numbers = discs.map(({ number }) => number);
  if (content !== 'all') return `${inSet} belong together`;
  if (numbers.length === 1) return 'it needs no other one';
  return `${Math.min(...numbers)} to ${Math.max(...numbers)} belong together`;
}

const BARE: DiscDraft = { data: [], tree: [], index: 'own' };

function dataOf({ cache }: Repository, { volume, packs }: CatalogDisc): CachedPack[] {
  const there = packs.map(({ name }) => cache.packNamed(name as ObjectDigest));
  const found = there.filter((pack) => pack !== undefined);
  const gone = packs.filter((_, i) => there[i] === undefined);
  const [first] = gone;
  if (first === undefined) return found;
  const more = gone.length === 1 ? '' : `, and ${gone.length - 1} more of its packs are`;
  throw new CbrError('not-found', `pack ${first.name}, which belongs on disc ${volume}, is gone${more}`, {
    hint: 'A prune has moved what was needed of it to other packs. Retire the disc (cbr disc retire), and build what is on none: cbr disc build --content new',
  });
}
