import { CbrError } from '../../core/index.js';
import { type Fit, type FitItem, fillDisc } from '../fit.js';
import { SECTOR_BYTES } from '../media.js';
import { type DiscFile, estimateBytes, inSectors } from './disc-file.js';

/** Which packs go on which disc of a build. Pure but for `measure`. */

/** A pack that is to go on discs. */
export interface PlanPack {
  /** 64 hexadecimal digits. */
  readonly name: string;
  /** Stored bytes. */
  readonly size: number;
  readonly chunks: number;
  readonly blocks: number;
}

/** A data pack; those with the same number are needed together. */
export interface GroupedPack extends PlanPack {
  readonly group: number;
}

/** What one disc is to hold beside what is on every disc. */
export interface DiscDraft {
  readonly data: readonly GroupedPack[];
  readonly tree: readonly PlanPack[];
  /** `own`: of its own packs; `all`: of all that the snapshots need. */
  readonly index: 'own' | 'all';
}

export interface PlannedDisc extends DiscDraft {
  /** Bytes of the image. */
  readonly imageBytes: number;
}

export interface PlanRequest {
  /** What goes on one of the discs each, in the order in which it should. */
  readonly data: readonly GroupedPack[];
  /** A disc is made even for no packs: something else has to get on one. */
  readonly needsDisc: boolean;
  /** What goes on every disc as far as it fits, and all of it on the last. */
  readonly tree: readonly PlanPack[];
  /** Bytes of an image. */
  readonly capacity: number;
  readonly fit: Fit;
  /** All files of a disc. */
  readonly filesOf: (draft: DiscDraft) => readonly DiscFile[];
  /** The exact bytes of an image with these files. */
  readonly measure: (files: readonly DiscFile[]) => Promise<number>;
}

/** Of a disc that is not the last one: what is on others too may take so much. */
export const SHARED_SHARE = 0.1;
/** A disc is measured so often until it is full. */
const MOST_ATTEMPTS = 6;

/**
 * Divides packs among as few discs as the fit needs. Each disc takes the packs of the first snapshot that has some left, then those of the
 * next, so that what is needed together stays together. No image is larger than `capacity`, and on all but the last one no pack that is
 * left would have fitted. No disc at all for no packs, unless one is needed. Rejects with `usage` when something does not fit on a disc at all.
 */
export async function planDiscs(request: PlanRequest): Promise<PlannedDisc[]> {
  const discs: PlannedDisc[] = [];
  if (request.data.length === 0 && !request.needsDisc) return discs;
  for (let left = request.data; ; ) {
    const last = await lastDisc(left, request);
    if (last !== undefined) return [...discs, last];
    if (left.length === 0) throw tooLarge('what a restore needs beside the content of files', request);
    const disc = await fullDisc(left, request);
    const taken = new Set<PlanPack>(disc.data);
    left = left.filter((pack) => !taken.has(pack));
    discs.push(disc);
  }
}

/** All that is left on one disc, with all that the last disc has to have; undefined when that is too much. */
async function lastDisc(
  data: readonly GroupedPack[],
  request: PlanRequest,
): Promise<PlannedDisc | undefined> {
  const draft: DiscDraft = { data, tree: request.tree, index: 'all' };
  const bytes = [...data, ...request.tree].reduce((sum, { size }) => sum + inSectors(size), 0);
  if (bytes > request.capacity) return undefined;
  const imageBytes = await request.measure(request.filesOf(draft));
  return imageBytes <= request.capacity ? { ...draft, imageBytes } : undefined;
}

async function fullDisc(left: readonly GroupedPack[], request: PlanRequest): Promise<PlannedDisc> {
  const { capacity, filesOf, measure } = request;
  const shared = sharedDraft(request);
  const overhead = estimateBytes(filesOf({ ...shared, data: [] }));
  let budget = capacity - overhead;
  let best: PlannedDisc | undefined;
  for (let attempt = 0; attempt < MOST_ATTEMPTS; attempt++) {
    const draft = { ...shared, data: fillInGroups(left, budget, request.fit) };
    if (draft.data.length === 0) break;
    const imageBytes = await measure(filesOf(draft));
    if (imageBytes > capacity) {
      budget -= imageBytes - capacity;
      continue;
    }
    if (best === undefined || imageBytes > best.imageBytes) best = { ...draft, imageBytes };
    // By the estimate nothing else fitted; by what it is exactly something may.
    const used = draft.data.reduce((sum, pack) => sum + costOf(pack), 0);
    const next = used + (capacity - imageBytes);
    if (draft.data.length === left.length || !left.some((pack) => costOf(pack) <= next - used)) break;
    if (next <= budget) break;
    budget = next;
  }
  if (best !== undefined) return best;
  throw tooLarge(`a pack of ${Math.max(...left.map(({ size }) => size))} bytes`, request);
}

/** What a disc that is not the last one gets: the whole index where it is small, and then tree packs as long as they are small together. */
export function sharedDraft({
  tree,
  capacity,
  filesOf,
}: Pick<PlanRequest, 'tree' | 'capacity' | 'filesOf'>): DiscDraft {
  const most = capacity * SHARED_SHARE;
  const bare = estimateBytes(filesOf({ data: [], tree: [], index: 'own' }));
  const costOfDraft = (draft: DiscDraft): number => estimateBytes(filesOf(draft)) - bare;
  const index = costOfDraft({ data: [], tree: [], index: 'all' }) <= most ? 'all' : 'own';
  const taken: PlanPack[] = [];
  let used = costOfDraft({ data: [], tree: [], index });
  for (const pack of tree) {
    if (used + costOf(pack) > most) continue;
    used += costOf(pack);
    taken.push(pack);
  }
  return { data: [], tree: taken, index };
}

/** Fills one disc group by group. */
function fillInGroups(left: readonly GroupedPack[], budget: number, fit: Fit): GroupedPack[] {
  const taken: GroupedPack[] = [];
  let free = budget;
  for (const group of groupsOf(left)) {
    const items: (FitItem & { readonly pack: GroupedPack })[] = group.map((pack) => ({
      name: pack.name,
      size: costOf(pack),
      pack,
    }));
    const filled = fillDisc(items, free, fit);
    free -= filled.used;
    taken.push(...filled.items.map(({ pack }) => pack));
  }
  return taken;
}

function groupsOf(packs: readonly GroupedPack[]): GroupedPack[][] {
  const groups = new Map<number, GroupedPack[]>();
  for (const pack of packs) {
    const group = groups.get(pack.group) ?? [];
    group.push(pack);
    groups.set(pack.group, group);
  }
  return [...groups].sort(([a], [b]) => a - b).map(([, group]) => group);
}

/** Its sectors, its entries in two folders that may be its alone, and its line in SHA256SUMS. */
function costOf({ size }: PlanPack): number {
  return inSectors(size) + 2 * SECTOR_BYTES + 160;
}

function tooLarge(what: string, { capacity }: PlanRequest): CbrError {
  return new CbrError('usage', `${what} does not fit on a disc, which holds ${capacity} bytes`, {
    hint: 'Choose larger media, or a smaller --cushion.',
  });
}
