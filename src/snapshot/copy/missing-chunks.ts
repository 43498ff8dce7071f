import type { ChunkId } from '../../core/index.js';
import { type CachedPack, ChunkUsage, type Reference } from '../../repo/index.js';
import { treeWalk } from '../prune/reach.js';
import type { CopiedIds } from './copied-ids.js';
import type { CopySource } from './copy-source.js';

/** What the target has, as far as a copy may rely on it. */
export interface TargetContents {
  /** Whether a chunk is stored, by its id in the target. */
  has(id: ChunkId): boolean;
  /** Whether a session has copied all that its trees name, and that is still there. */
  isProven(session: number): boolean;
}

/** Content that has to be read in the source. */
export class MissingChunks {
  readonly usage: ChunkUsage;
  /** Plain bytes. */
  bytes = 0;

  constructor(
    private readonly source: CopySource,
    private readonly ids: CopiedIds,
    private readonly target: TargetContents,
  ) {
    this.usage = new ChunkUsage(source.repository.cache, source.rankOf);
  }

  /**
   * Adds what a snapshot needs and the target is not known to have. Only trees that may lack something are read. Rejects as
   * `ChunkReader.read` does, and with the signal's reason.
   */
  async add(root: Reference, signal: AbortSignal): Promise<void> {
    const { ids, source, target, usage } = this;
    await treeWalk()(root, {
      see: (kind, reference) => {
        const { id } = reference;
        if (kind === 'tree') {
          const copied = ids.tree(id);
          if (copied !== undefined && target.isProven(copied.session) && target.has(copied.reference.id))
            return false;
          return usage.see(reference);
        }
        const newId = ids.dataId(id);
        if ((newId === undefined || !target.has(newId)) && usage.see(reference))
          this.bytes += reference.length;
        return true;
      },
      read: ({ id, length }) => {
        signal.throwIfAborted();
        return source.reader.read('tree', id, length);
      },
    });
  }

  /** The packs of the source that hold it, in the order in which they came. */
  packs(): CachedPack[] {
    const { cache } = this.source.repository;
    return cache.allPacks().filter((pack) => pack.kind === 'data' && this.usage.use(pack) !== undefined);
  }

  /** Stored bytes of the blocks that hold some of it. */
  storedBytes(packs: readonly CachedPack[]): number {
    let bytes = 0;
    for (const pack of packs) {
      const plain = this.usage.use(pack)?.plain;
      pack.blocks.forEach(({ stored }, block) => {
        if (plain?.[block]) bytes += stored;
      });
    }
    return bytes;
  }
}
