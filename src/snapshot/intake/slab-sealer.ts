import { CHUNK_ID_BYTES, chunkIdAt } from '../../core/index.js';
import type { Slab, SlabPool, WorkerPool } from '../../engine/index.js';
import type { FinishedPack, PackStore } from '../../repo/index.js';
import type { ContentItem } from '../entry.js';
import type { IntakeTasks } from './tasks.js';

export interface SealerParts {
  readonly pool: WorkerPool<IntakeTasks>;
  readonly slabs: SlabPool;
  readonly store: PackStore;
}

/** What chunks amount to, in bytes; `newBytes` of them the repository did not have. */
export interface ChunkSums {
  readonly size: number;
  readonly newBytes: number;
}

/** Takes the chunks that the repository does not have out of slabs that were read and cut. */
export class SlabSealer {
  constructor(private readonly parts: SealerParts) {}

  /** Walks rows of a slab's chunk table: passes on content items, gathers the rows of chunks to be stored. */
  collect(
    slab: Slab,
    table: number,
    count: number,
    newRows: number[],
    add: (item: ContentItem) => void,
  ): ChunkSums {
    let size = 0;
    let newBytes = 0;
    for (let row = table; row < table + count; row++) {
      const id = chunkIdAt(slab.ids, row * CHUNK_ID_BYTES);
      const length = slab.lengths[row]!;
      size += length;
      if (this.parts.store.claim(id)) {
        newRows.push(row);
        newBytes += length;
      }
      add({ id, length });
    }
    return { size, newBytes };
  }

  /** Has a worker take the new chunks out of the slab, then frees it. */
  async seal(slab: Slab, rows: readonly number[]): Promise<void> {
    if (rows.length > 0) {
      await this.parts.store.room();
      const input = { slab: slab.number, rows: Uint32Array.from(rows) };
      const { packs } = await this.parts.pool.run('seal', input, { urgent: true });
      this.storePacks(packs);
    }
    this.parts.slabs.release(slab);
  }

  storePacks(packs: readonly FinishedPack[]): void {
    for (const pack of packs) this.parts.store.store(pack);
  }
}
