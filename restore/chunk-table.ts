/**
 * Where chunks lie: from the first 8 bytes of an id to pack, block and ordinal. Open addressing over flat columns: about 25 bytes a
 * chunk, so that the index of a terabyte fits into memory. What is found is verified by its whole id when it is read.
 */

export interface ChunkPlace {
  readonly pack: number;
  readonly block: number;
  readonly ordinal: number;
}

const EMPTY = 0xffffffff;

export class ChunkTable {
  private count = 0;
  private high = new Uint32Array(1024);
  private low = new Uint32Array(1024);
  private packs = new Uint32Array(1024);
  private blocks = new Uint16Array(1024);
  private ordinals = new Uint16Array(1024);
  private slots = new Uint32Array(2048).fill(EMPTY);

  /** A place that is known already is not added again. */
  add(id: Uint8Array, pack: number, block: number, ordinal: number): void {
    const [high, low] = beginningOf(id);
    let slot = this.firstSlot(high, low);
    for (let row = this.slots[slot]; row !== EMPTY && row !== undefined; row = this.slots[slot]) {
      if (
        this.high[row] === high &&
        this.low[row] === low &&
        this.packs[row] === pack &&
        this.blocks[row] === block &&
        this.ordinals[row] === ordinal
      ) {
        return;
      }
      slot = (slot + 1) % this.slots.length;
    }
    if (this.count === this.high.length) {
      this.grow();
      slot = this.freeSlot(high, low);
    }
    const row = this.count++;
    this.high[row] = high;
    this.low[row] = low;
    this.packs[row] = pack;
    this.blocks[row] = block;
    this.ordinals[row] = ordinal;
    this.slots[slot] = row;
  }

  /** All places where a chunk of that id may lie. */
  find(id: Uint8Array): ChunkPlace[] {
    const [high, low] = beginningOf(id);
    const found: ChunkPlace[] = [];
    let slot = this.firstSlot(high, low);
    for (let row = this.slots[slot]; row !== EMPTY && row !== undefined; row = this.slots[slot]) {
      if (this.high[row] === high && this.low[row] === low) {
        found.push({
          pack: this.packs[row] ?? 0,
          block: this.blocks[row] ?? 0,
          ordinal: this.ordinals[row] ?? 0,
        });
      }
      slot = (slot + 1) % this.slots.length;
    }
    return found;
  }

  /** Ids are digests: their bits are as good as those of any hash. */
  private firstSlot(high: number, low: number): number {
    return ((high ^ (low << 7)) >>> 0) % this.slots.length;
  }

  private freeSlot(high: number, low: number): number {
    let slot = this.firstSlot(high, low);
    while (this.slots[slot] !== EMPTY) slot = (slot + 1) % this.slots.length;
    return slot;
  }

  private grow(): void {
    const size = 2 * this.high.length;
    this.high = larger(this.high, new Uint32Array(size));
    this.low = larger(this.low, new Uint32Array(size));
    this.packs = larger(this.packs, new Uint32Array(size));
    this.blocks = larger(this.blocks, new Uint16Array(size));
    this.ordinals = larger(this.ordinals, new Uint16Array(size));
    this.slots = new Uint32Array(2 * size).fill(EMPTY);
    for (let row = 0; row < this.count; row++) {
      this.slots[this.freeSlot(this.high[row] ?? 0, this.low[row] ?? 0)] = row;
    }
  }
}

function larger<T extends Uint32Array | Uint16Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

function beginningOf(id: Uint8Array): [high: number, low: number] {
  const view = new DataView(id.buffer, id.byteOffset, 8);
  return [view.getUint32(0), view.getUint32(4)];
}
