import { type CachedPack, CHUNK_KEY_BYTES, liesIn, PLACE_BYTES, ROW_BYTES, readPlace } from './layout.js';
import { RowTallies } from './row-tallies.js';

/** Throws an Error unless `sound`. */
export function ensure(sound: unknown, what: string): asserts sound {
  if (sound === undefined || sound === false) throw new Error(`${what} is damaged`);
}

/**
 * Compares rows with the records of packs, which carry checksums where rows have none: each lies in its pack, no two in the
 * same place, and the rows of a pack come to its tally.
 */
export class RowCheck {
  /** One bit for every chunk number. */
  private readonly taken: Uint8Array;
  private readonly tallies = new RowTallies();
  private readonly row = Buffer.alloc(ROW_BYTES);

  /** By number. `limit`: all chunk numbers are below it. */
  constructor(
    private readonly packs: ReadonlyMap<number, CachedPack>,
    limit: number,
  ) {
    this.taken = new Uint8Array(Math.ceil(limit / 8));
  }

  /** Takes a row, its key as latin1 text. Throws when it is unsound. */
  add(key: string, value: Uint8Array): void {
    ensure(key.length === CHUNK_KEY_BYTES && value.byteLength === PLACE_BYTES, 'the place of a chunk');
    const place = readPlace(value);
    const pack = this.packs.get(place.pack);
    if (pack === undefined) return; // left by a change that was killed: it does not count, and is tidied up later
    ensure(liesIn(place, pack), 'the place of a chunk');
    const number = pack.firstChunk + pack.blockStarts[place.block]! + place.ordinal;
    const [byte, bit] = [Math.floor(number / 8), 1 << (number % 8)];
    ensure(byte < this.taken.length && (this.taken[byte]! & bit) === 0, 'the place of a chunk');
    this.taken[byte]! |= bit;
    this.row.write(key, 0, CHUNK_KEY_BYTES, 'latin1');
    this.row.set(value, CHUNK_KEY_BYTES);
    this.tallies.count(place.pack, this.row, 0);
  }

  /** When all rows were taken. Throws when some are missing or changed. */
  finish(): void {
    for (const [number, { tally }] of this.packs) {
      const { rows, sum } = this.tallies.of(number);
      ensure(rows === tally.rows && sum === tally.sum, 'the number of chunks of a pack');
    }
  }
}
