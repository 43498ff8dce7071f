import { CHUNK_ID_BYTES, type ChunkId, chunkIdAt } from '../../core/index.js';

/**
 * Every place of every chunk, by chunk id, in memory: 45 bytes a place and 8 to 16 of a hash table, so 60 MB for a million
 * chunks. Check uses it instead of the chunk index in LMDB, which is one of the things it judges.
 */

const PAGE_ROWS = 1 << 14;
const PAGE_SHIFT = 14;
const PAGE_MASK = PAGE_ROWS - 1;

interface Page {
  readonly ids: Buffer;
  readonly packs: Uint32Array;
  readonly blocks: Uint16Array;
  readonly ordinals: Uint16Array;
  readonly lengths: Uint32Array;
  readonly flags: Uint8Array;
}

function newPage(): Page {
  return {
    ids: Buffer.allocUnsafeSlow(PAGE_ROWS * CHUNK_ID_BYTES),
    packs: new Uint32Array(PAGE_ROWS),
    blocks: new Uint16Array(PAGE_ROWS),
    ordinals: new Uint16Array(PAGE_ROWS),
    lengths: new Uint32Array(PAGE_ROWS),
    flags: new Uint8Array(PAGE_ROWS),
  };
}

/** What was learned of the chunk at a place. */
export const FLAG = Object.freeze({
  /** Its pack was read, and it is there. */
  found: 1,
  /** It cannot be read there, or its pack does not hold it. */
  lost: 2,
  /** It was read as part of a tree, of a content list, as an attribute. */
  tree: 4,
  list: 8,
  attribute: 16,
  /** Nothing that it reaches is damaged. */
  clean: 32,
});

/** Rows are numbered from 0 in the order in which they were added. */
export class ChunkTable {
  private readonly pages: Page[] = [];
  /** Row + 1 by hash, linear probing; 0: nothing. At most half full. */
  private slots = new Uint32Array(1 << 12);
  private rows = 0;
  private different = 0;

  get size(): number {
    return this.rows;
  }

  /** Ids without repetition. */
  get distinct(): number {
    return this.different;
  }

  /** Adds a place of the chunk whose id stands at `at`; false when it is there already. */
  add(ids: Buffer, at: number, pack: number, block: number, ordinal: number, length: number): boolean {
    if (2 * this.rows >= this.slots.length) this.grow();
    const mask = this.slots.length - 1;
    let slot = ids.readUInt32LE(at) & mask;
    let isNew = true;
    for (let row = this.slots[slot]! - 1; row >= 0; row = this.slots[slot]! - 1) {
      if (this.sameIdBytes(row, ids, at)) {
        isNew = false;
        if (this.isAt(row, pack, block, ordinal)) return false;
      }
      slot = (slot + 1) & mask;
    }
    const row = this.rows++;
    this.slots[slot] = row + 1;
    if (isNew) this.different++;
    const page = this.pages[row >>> PAGE_SHIFT] ?? this.addPage();
    const index = row & PAGE_MASK;
    ids.copy(page.ids, index * CHUNK_ID_BYTES, at, at + CHUNK_ID_BYTES);
    page.packs[index] = pack;
    page.blocks[index] = block;
    page.ordinals[index] = ordinal;
    page.lengths[index] = length;
    return true;
  }

  private addPage(): Page {
    const page = newPage();
    this.pages.push(page);
    return page;
  }

  private grow(): void {
    this.slots = new Uint32Array(2 * this.slots.length);
    const mask = this.slots.length - 1;
    for (let row = 0; row < this.rows; row++) {
      let slot = this.page(row).ids.readUInt32LE((row & PAGE_MASK) * CHUNK_ID_BYTES) & mask;
      while (this.slots[slot] !== 0) slot = (slot + 1) & mask;
      this.slots[slot] = row + 1;
    }
  }

  /** The first row of an id that `accepts`, or -1. */
  find(id: ChunkId, accepts: (row: number) => boolean): number {
    const mask = this.slots.length - 1;
    const hash =
      id.charCodeAt(0) | (id.charCodeAt(1) << 8) | (id.charCodeAt(2) << 16) | (id.charCodeAt(3) << 24);
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const row = this.slots[slot]! - 1;
      if (row < 0) return -1;
      if (this.sameId(row, id) && accepts(row)) return row;
    }
  }

  private sameId(row: number, id: ChunkId): boolean {
    const { ids } = this.page(row);
    const at = (row & PAGE_MASK) * CHUNK_ID_BYTES;
    for (let i = 0; i < CHUNK_ID_BYTES; i++) if (ids[at + i] !== id.charCodeAt(i)) return false;
    return true;
  }

  private sameIdBytes(row: number, from: Buffer, start: number): boolean {
    const { ids } = this.page(row);
    const at = (row & PAGE_MASK) * CHUNK_ID_BYTES;
    for (let i = 0; i < CHUNK_ID_BYTES; i++) if (ids[at + i] !== from[start + i]) return false;
    return true;
  }

  private page(row: number): Page {
    return this.pages[row >>> PAGE_SHIFT]!;
  }

  id(row: number): ChunkId {
    return chunkIdAt(this.page(row).ids, (row & PAGE_MASK) * CHUNK_ID_BYTES);
  }

  isAt(row: number, pack: number, block: number, ordinal: number): boolean {
    return this.pack(row) === pack && this.block(row) === block && this.ordinal(row) === ordinal;
  }

  pack(row: number): number {
    return this.page(row).packs[row & PAGE_MASK]!;
  }

  block(row: number): number {
    return this.page(row).blocks[row & PAGE_MASK]!;
  }

  /** Position within the block. */
  ordinal(row: number): number {
    return this.page(row).ordinals[row & PAGE_MASK]!;
  }

  /** Plain length in bytes. */
  length(row: number): number {
    return this.page(row).lengths[row & PAGE_MASK]!;
  }

  has(row: number, flag: number): boolean {
    return (this.page(row).flags[row & PAGE_MASK]! & flag) !== 0;
  }

  set(row: number, flag: number): void {
    const { flags } = this.page(row);
    flags[row & PAGE_MASK] = flags[row & PAGE_MASK]! | flag;
  }
}
