import type { ChunkId } from '../../core/index.js';

/** Some 14 MB when full. Of a tree of 105,000 files, snapshot after snapshot, nine of ten repeated chunks are still there. */
const SLOTS = 2 ** 18;

/** Ids met lately: of one that is met again soon nothing has to be looked up. Of bounded size, so it forgets. */
export class RecentChunks {
  private readonly slots = new Array<ChunkId | undefined>(SLOTS).fill(undefined);

  /** False if the id is known from before. */
  add(id: ChunkId): boolean {
    // Ids are evenly spread: their own bits choose the slot.
    const slot = (id.charCodeAt(0) | (id.charCodeAt(1) << 8) | (id.charCodeAt(2) << 16)) % SLOTS;
    if (this.slots[slot] === id) return false;
    this.slots[slot] = id;
    return true;
  }
}
