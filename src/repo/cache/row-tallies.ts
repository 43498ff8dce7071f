import { ROW_BYTES, type RowTally } from './layout.js';

const ODD = 0x9e3779b1;

/** 32 bits that change with every single word of a row. */
function hashOf(rows: Buffer, at: number): number {
  let hash = 0;
  for (let word = at; word < at + ROW_BYTES; word += 4) {
    hash = Math.imul(hash ^ rows.readInt32LE(word), ODD);
    hash ^= hash >>> 15;
  }
  return hash;
}

const NOTHING: RowTally = { rows: 0, sum: 0 };

/** The tallies of two sets of rows of one pack, taken together. */
export function together(one: RowTally, other: RowTally): RowTally {
  return { rows: one.rows + other.rows, sum: (one.sum + other.sum) >>> 0 };
}

/**
 * The rows met so far of each pack, in any order. Keys and places carry no checksum of their own: that what is found of a
 * pack comes to what its record says is how lost and changed rows are noticed.
 */
export class RowTallies {
  private readonly tallies = new Map<number, { rows: number; sum: number }>();

  /** Counts the row at `at` of `rows`, which lies in the pack of that number. */
  count(pack: number, rows: Buffer, at: number): void {
    const hash = hashOf(rows, at);
    const tally = this.tallies.get(pack);
    if (tally === undefined) {
      this.tallies.set(pack, { rows: 1, sum: hash >>> 0 });
    } else {
      tally.rows++;
      tally.sum = (tally.sum + hash) >>> 0;
    }
  }

  /** Counts what `tally` stands for. */
  add(pack: number, tally: RowTally): void {
    this.tallies.set(pack, together(this.of(pack), tally));
  }

  of(pack: number): RowTally {
    return this.tallies.get(pack) ?? NOTHING;
  }

  /** By the number of the pack. */
  entries(): Iterable<[number, RowTally]> {
    return this.tallies;
  }
}
