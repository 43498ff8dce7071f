import type { ChunkId } from '../../core/index.js';

/** At most: some 14 MB when full. As many as a tree of 105,000 files has twice over. */
const MOST_SLOTS = 2 ** 18;

/** Ids met lately: of one that is met again soon nothing has to be looked up. Of bounded size, so it forgets. */
export class RecentChunks {
  private readonly slots: (ChunkId | undefined)[];

  /** For so many chunks, if that is fewer. */
  constructor(chunks: number) {
    this.slots = new Array<ChunkId | undefined>(Math.max(1, Math.min(MOST_SLOTS, chunks))).fill(undefined);
  }

  /** False if the id is known from before. */
  add(id: ChunkId): boolean {
    // Ids are evenly spread: their own bits choose the slot.
    const slot = (id.charCodeAt(0) | (id.charCodeAt(1) << 8) | (id.charCodeAt(2) << 16)) % this.slots.length;
    if (this.slots[slot] === id) return false;
    this.slots[slot] = id;
    return true;
  }
}
