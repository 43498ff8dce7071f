import {
  CHUNK_ID_BYTES,
  type ChunkId,
  DamagedError,
  errnoOf,
  type ObjectDigest,
  toLatin1,
} from '../../core/index.js';
import { judgePack } from '../bad-packs.js';
import type { CachedPack } from '../cache/index.js';
import { HEADER_BYTES } from '../object-header.js';
import { blockOffsets, readPackTable } from '../pack-reader.js';
import { PackStore, type StoredTotals } from '../pack-store.js';
import type { PackTable } from '../pack-table.js';
import type { FinishedPack } from '../pack-writer.js';
import type { Repository } from '../repository.js';
import { type BlockSealer, type BlockToSeal, sealerHere } from './block-sealer.js';
import type { ChunkUsage } from './chunk-usage.js';
import { isDamage } from './damage.js';
import { type PruneRun, stopIfAborted } from './prune-run.js';

/** Blocks that stand one behind the other are read at once, up to so many bytes. */
const READ_BYTES = 16 * 2 ** 20;
/** Below so many stored bytes threads of their own would take longer to start than to work. */
const FEW_BYTES = 16 * 2 ** 20;

export interface Copied {
  /** Names of the segments that list the copies: durable, as all they name. */
  readonly segments: readonly ObjectDigest[];
  readonly totals: StoredTotals;
  /** Packs of which some chunk in use has no copy yet, because there was no more room. */
  readonly uncopied: readonly CachedPack[];
}

/**
 * P4: copies those chunks of the given packs that are in use and that no pack holds which may be relied on. Resolves when
 * all copies are durable and named by segments of the epoch, which are added to `own`, or when there is no more room: then
 * with those that are. A pack that turns out damaged is remembered as such.
 */
export async function copyUsed(
  run: PruneRun,
  epoch: number,
  packs: readonly CachedPack[],
  usage: ChunkUsage,
  isAvoided: (pack: CachedPack) => boolean,
  own: Set<ObjectDigest>,
): Promise<Copied> {
  const { repository } = run;
  const { cache, backend, records } = repository;
  const has = (id: ChunkId): boolean =>
    cache.places(id).some(({ pack }) => isHeldBy(cache.pack(pack), isAvoided));
  const store = new PackStore({
    backend,
    records,
    known: {
      has,
      addSegment: (name, segment) => cache.addSegment(name, segment),
    },
    author: { kind: 'prune', epoch },
    clock: () => performance.now(),
  });
  const bytes = packs.reduce((sum, { size }) => sum + size, 0);
  const { startSealer } = run.options;
  const sealer =
    bytes < FEW_BYTES || startSealer === undefined ? sealerHere(repository) : startSealer(repository);
  const copying = new Copying(sealer, store);
  try {
    for (const [done, pack] of packs.entries()) {
      stopIfAborted(run);
      run.options.onProgress?.({ step: 'rewriting packs', done, total: packs.length });
      await copyPack(repository, pack, usage, store, copying);
    }
    await copying.finish();
    const segments = await store.finish();
    for (const name of segments) own.add(name);
    return { segments, totals: store.totals, uncopied: [] };
  } catch (error) {
    await copying.abandon();
    if (copying.damaged !== undefined) judgePack(cache, copying.damaged, false);
    // What is durable by now need not be copied again, whatever becomes of this prune.
    const segments = await store.salvage();
    for (const name of segments) own.add(name);
    if (!isOutOfRoom(error)) throw error;
    // A pack that is stored and that no segment names goes with the next prune.
    const uncopied: CachedPack[] = [];
    for (const pack of packs) if (!(await isCopied(repository, pack, usage, has))) uncopied.push(pack);
    return { segments, totals: store.totals, uncopied };
  }
}

/** What the system said may be the cause of what a backend made of it. */
function isOutOfRoom(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '') || isOutOfRoom(error.cause);
}

async function isCopied(
  { backend, keys, algorithms }: Repository,
  pack: CachedPack,
  usage: ChunkUsage,
  has: (id: ChunkId) => boolean,
): Promise<boolean> {
  const { table } = await readPackTable(backend, pack.name, keys, algorithms.zstd);
  return wantedBlocks(pack, table, usage, (id) => !has(id)).length === 0;
}

function isHeldBy(pack: CachedPack | undefined, isAvoided: (pack: CachedPack) => boolean): boolean {
  return pack !== undefined && !isAvoided(pack);
}

/** Blocks under way to new packs, and those to the store. */
class Copying {
  /** The pack of which a block is not what the index says. */
  damaged: ObjectDigest | undefined;
  private readonly underWay = new Set<Promise<void>>();
  private failure: { readonly error: unknown } | undefined;

  constructor(
    private readonly sealer: BlockSealer,
    private readonly store: PackStore,
  ) {}

  /** Resolves when a further block may follow; rejects when one has failed. */
  async add(pack: ObjectDigest, block: BlockToSeal): Promise<void> {
    const work = this.sealer
      .seal(block)
      .then((packs) => this.keep(packs))
      .catch((error: unknown) => {
        if (isDamage(error)) this.damaged = pack;
        this.failure ??= { error };
      })
      .finally(() => this.underWay.delete(work));
    this.underWay.add(work);
    while (this.failure === undefined && this.underWay.size > this.sealer.concurrency)
      await Promise.race(this.underWay);
    if (this.failure !== undefined) throw this.failure.error;
    await this.store.room();
  }

  async finish(): Promise<void> {
    await Promise.all(this.underWay);
    if (this.failure !== undefined) throw this.failure.error;
    this.keep(await this.sealer.finish());
  }

  async abandon(): Promise<void> {
    await Promise.all(this.underWay);
    await this.sealer.abandon();
  }

  private keep(packs: readonly FinishedPack[]): void {
    for (const pack of packs) this.store.store(pack);
  }
}

/** The chunks to copy of one block. */
interface BlockCopy {
  readonly block: number;
  /** Position of its first chunk in the table. */
  readonly first: number;
  readonly chunks: number;
  /** Positions within the block. */
  readonly wanted: readonly number[];
}

async function copyPack(
  { backend, keys, algorithms }: Repository,
  pack: CachedPack,
  usage: ChunkUsage,
  store: PackStore,
  copying: Copying,
): Promise<void> {
  const object = `packs/${pack.name}`;
  try {
    const { table } = await readPackTable(backend, pack.name, keys, algorithms.zstd);
    // From here on what was claimed must be stored, or the pack is not copied.
    const copies = wantedBlocks(pack, table, usage, (id) => store.claim(id));
    if (copies.length === 0) return;
    const header = await backend.read('packs', pack.name, { offset: 0, length: HEADER_BYTES });
    const offsets = blockOffsets(pack.blocks);
    for (const group of neighbours(copies, pack)) {
      const start = offsets[group[0]!.block]!;
      const last = group.at(-1)!.block;
      const length = offsets[last]! + pack.blocks[last]!.stored - start;
      const bytes = await backend.read('packs', pack.name, { offset: start, length });
      for (const { block, first, chunks, wanted } of group) {
        const from = offsets[block]! - start;
        await copying.add(pack.name, {
          kind: pack.kind,
          object,
          header,
          block,
          // A copy: a part of a larger buffer would cross to another thread with all of it.
          stored: Uint8Array.from(bytes.subarray(from, from + pack.blocks[block]!.stored)),
          ids: table.ids.slice(CHUNK_ID_BYTES * first, CHUNK_ID_BYTES * (first + chunks)),
          lengths: table.lengths.slice(first, first + chunks),
          wanted: Uint32Array.from(wanted),
        });
      }
    }
  } catch (error) {
    if (isDamage(error)) copying.damaged ??= pack.name;
    throw error;
  }
}

/** The chunks in use that `isWanted`. */
function wantedBlocks(
  pack: CachedPack,
  table: PackTable,
  usage: ChunkUsage,
  isWanted: (id: ChunkId) => boolean,
): BlockCopy[] {
  const isSame =
    table.blocks.length === pack.blocks.length &&
    table.blocks.every(
      ({ chunks, stored }, i) => chunks === pack.blocks[i]!.chunks && stored === pack.blocks[i]!.stored,
    );
  if (!isSame) {
    throw new DamagedError(`packs/${pack.name}`, 'its table is not what the index says of it', {
      hint: 'Nothing was removed. Run: cbr check',
    });
  }
  const copies: BlockCopy[] = [];
  for (const [block, { chunks }] of pack.blocks.entries()) {
    const first = pack.blockStarts[block]!;
    const wanted: number[] = [];
    for (let ordinal = 0; ordinal < chunks; ordinal++) {
      if (usage.isUsed(pack, block, ordinal) && isWanted(idAt(table, first + ordinal))) wanted.push(ordinal);
    }
    if (wanted.length > 0) copies.push({ block, first, chunks, wanted });
  }
  return copies;
}

function idAt({ ids }: PackTable, row: number): ChunkId {
  return toLatin1(ids.subarray(CHUNK_ID_BYTES * row, CHUNK_ID_BYTES * (row + 1))) as ChunkId;
}

/** Groups of blocks that one read fetches. */
function neighbours(copies: readonly BlockCopy[], pack: CachedPack): BlockCopy[][] {
  const groups: BlockCopy[][] = [];
  let bytes = 0;
  for (const copy of copies) {
    const { stored } = pack.blocks[copy.block]!;
    const group = groups.at(-1);
    if (group !== undefined && group.at(-1)!.block === copy.block - 1 && bytes + stored <= READ_BYTES) {
      group.push(copy);
      bytes += stored;
    } else {
      groups.push([copy]);
      bytes = stored;
    }
  }
  return groups;
}
