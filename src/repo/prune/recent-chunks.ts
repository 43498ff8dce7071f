import { CHUNK_ID_BYTES, type ChunkId } from '../../core/index.js';

/** At most: 8 MiB. As many as a tree of 105,000 files has twice over. */
const MOST_SLOTS = 2 ** 18;

/** Ids met lately: of one that is met again soon nothing has to be looked up. Of bounded size, so it forgets. */
export class RecentChunks {
  /** Bytes, not text: an id that is a part of a longer text would keep all of that. */
  private readonly slots: Buffer;
  private readonly count: number;
  private readonly id = Buffer.alloc(CHUNK_ID_BYTES);

  /** For so many chunks, if that is fewer. */
  constructor(chunks: number) {
    this.count = Math.max(2, Math.min(MOST_SLOTS, chunks));
    this.slots = Buffer.alloc(CHUNK_ID_BYTES * this.count);
    // No id that belongs into the first slot begins so: an empty slot is nobody's, not even that of 32 zeros.
    this.slots.writeUInt32LE(1, 0);
  }

  /** False if the id is known from before. */
  add(id: ChunkId): boolean {
    this.id.write(id, 'latin1');
    // Ids are evenly spread: their own bits choose the slot.
    const at = CHUNK_ID_BYTES * (this.id.readUInt32LE(0) % this.count);
    if (this.id.compare(this.slots, at, at + CHUNK_ID_BYTES) === 0) return false;
    this.id.copy(this.slots, at);
    return true;
  }
}
