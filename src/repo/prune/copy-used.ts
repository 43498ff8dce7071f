import type { ChunkId, ObjectDigest } from '../../core/index.js';
import { judgePack } from '../bad-packs.js';
import type { CachedPack } from '../cache/index.js';
import { isDamage } from '../damage.js';
import { isOutOfRoom } from '../out-of-room.js';
import { readPackTable } from '../pack-reader.js';
import { PackStore, type StoredTotals } from '../pack-store.js';
import type { FinishedPack } from '../pack-writer.js';
import type { Repository } from '../repository.js';
import { type BlockSealer, type BlocksToSeal, sealerHere } from './block-sealer.js';
import type { ChunkUsage } from './chunk-usage.js';
import { type PruneRun, stopIfAborted } from './prune-run.js';
import { usedBlocks, wantedBlocks } from './used-blocks.js';

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
  const workers = bytes < FEW_BYTES ? undefined : run.workers();
  const sealer = workers?.sealer() ?? sealerHere(repository);
  const copying = new Copying(sealer, store);
  try {
    const reads = usedBlocks(repository, packs, usage, {
      begin: (done) => {
        stopIfAborted(run);
        run.options.onProgress?.({ step: 'rewriting packs', done, total: packs.length });
      },
      // From now on it must be stored, or the copying fails.
      isWanted: (id) => store.claim(id),
      foundDamage: ({ name }) => copying.noteDamage(name),
    });
    for await (const blocks of reads) await copying.add(blocks);
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
    // What is known now of a pack was not when this began: everything has to be counted again.
    if (copying.damaged !== undefined || !isOutOfRoom(error)) throw error;
    // A pack that is stored and that no segment names goes with the next prune.
    const uncopied: CachedPack[] = [];
    for (const pack of packs) if (!(await isCopied(repository, pack, usage, has))) uncopied.push(pack);
    return { segments, totals: store.totals, uncopied };
  }
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

  noteDamage(pack: ObjectDigest): void {
    this.damaged ??= pack;
  }

  /** Resolves when further blocks may follow; rejects when one has failed. */
  async add(blocks: BlocksToSeal): Promise<void> {
    const work = this.sealer
      .seal(blocks)
      .then((packs) => this.keep(packs))
      .catch((error: unknown) => {
        if (isDamage(error)) this.noteDamage(blocks.pack);
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
