import { CbrError, DamagedError, type ObjectDigest } from '../../core/index.js';
import {
  type CachedPack,
  type ChunkReader,
  ChunkUsage,
  chunkReader,
  isDamage,
  loadRepository,
  type Repository,
} from '../../repo/index.js';
import { type Snapshot, treeWalk } from '../../snapshot/index.js';

/** A data pack, and the position of the first of the snapshots that needs it. */
export type NeededPack = CachedPack & { readonly firstSnapshot: number };

export interface NeededPacks {
  /** Those of one snapshot together, in the order in which they were stored. */
  readonly data: readonly NeededPack[];
  /** In the order in which they were stored. */
  readonly tree: readonly CachedPack[];
}

/** The index may change while trees are read, as long as a prune is at work; more often than this it does not. */
const MOST_READINGS = 3;
/** Plain bytes of blocks of trees that are kept open. */
const KEPT_BYTES = 512 * 256 * 1024;

/**
 * All packs that hold something the snapshots reach. Give the oldest first. Trees that several share are read once. What lies in
 * several packs is needed from one of them, a sound one if there is one.
 *
 * Rejects with DamagedError, naming the snapshot, when something it needs lies in no pack that is there: a disc with holes is
 * not to be made unawares. Rejects with the signal's reason, and when the backend fails.
 */
export async function neededPacks(
  repository: Repository,
  snapshots: readonly Pick<Snapshot, 'id' | 'root'>[],
  signal: AbortSignal,
): Promise<NeededPacks> {
  const { cache } = repository;
  for (let reading = 1; ; reading++) {
    // Packs are listed: what the index names in vain counts as missing.
    const loaded = await loadRepository(repository);
    const reader = chunkReader(repository, loaded, { keptBytes: KEPT_BYTES });
    const usage = new ChunkUsage(cache, ({ name }) => (loaded.sync.unreliable.has(name) ? 1 : 0));
    try {
      const first = await firstNeeds(reader, usage, snapshots, signal);
      const packs = [...first.keys()].map((name) => cache.packNamed(name));
      // A prune has moved something on meanwhile: what was seen before that lies elsewhere now.
      if (packs.every((pack) => pack !== undefined)) return grouped(packs, first);
      if (reading === MOST_READINGS) throw changing();
    } catch (error) {
      if (!(error instanceof Lacking)) throw error;
      if (reading === MOST_READINGS || !(await reader.refresh())) throw error.shown();
    }
  }
}

/** Of every pack that is reached the position of the first snapshot that needs it. */
async function firstNeeds(
  reader: ChunkReader,
  usage: ChunkUsage,
  snapshots: readonly Pick<Snapshot, 'id' | 'root'>[],
  signal: AbortSignal,
): Promise<ReadonlyMap<ObjectDigest, number>> {
  const first = new Map<ObjectDigest, number>();
  const walk = treeWalk();
  for (const [i, { id, root }] of snapshots.entries()) {
    try {
      await walk(root, {
        see: (_kind, reference) => usage.see(reference),
        read: (reference) => {
          signal.throwIfAborted();
          return reader.read('tree', reference.id, reference.length);
        },
      });
    } catch (error) {
      if (!isDamage(error)) throw error;
      throw new Lacking(id, error);
    }
    for (const name of usage.packNames()) if (!first.has(name)) first.set(name, i);
  }
  return first;
}

function grouped(packs: readonly CachedPack[], first: ReadonlyMap<ObjectDigest, number>): NeededPacks {
  const needed = packs.map((pack) => ({ ...pack, firstSnapshot: first.get(pack.name)! }));
  needed.sort((a, b) => a.firstSnapshot - b.firstSnapshot || a.number - b.number);
  const tree = packs.filter(({ kind }) => kind === 'tree').sort((a, b) => a.number - b.number);
  return { data: needed.filter(({ kind }) => kind === 'data'), tree };
}

/** Something that a snapshot needs is not there, or not now. */
class Lacking extends Error {
  constructor(
    private readonly snapshot: string,
    private readonly why: unknown,
  ) {
    super('a snapshot lacks something');
  }

  shown(): DamagedError {
    const { why } = this;
    const reason = why instanceof Error ? why.message : String(why);
    return new DamagedError(`snapshot ${this.snapshot.slice(0, 8)}`, `is not whole: ${reason}`, {
      cause: why,
      hint: 'Discs for it would have holes. Run: cbr check. Or choose other snapshots.',
    });
  }
}

function changing(): CbrError {
  return new CbrError('busy', 'the packs of the repository change all the time', {
    hint: 'A prune is at work. Try again when it has ended.',
  });
}
