import { CHUNK_ID_BYTES, type ChunkId, FormatError } from '../../core/index.js';
import type { ChunkColumns, IndexSegment } from '../index-segment.js';
import { type ChunkKey, type Database, FIRST_CHUNK_KEY } from './database.js';
import {
  CHUNK_KEY_BYTES,
  type ChunkPlace,
  liesIn,
  PLACE_BYTES,
  packOf,
  ROW_BYTES,
  readPlace,
  writePlace,
} from './layout.js';
import type { Packs, PlannedSegment } from './packs.js';
import { RowTallies } from './row-tallies.js';
import type { MergedRuns } from './sorted-runs.js';

/** Entries looked at in one step of a sweep. */
const SWEEP_STEP = 20_000;

/**
 * From chunk ids to places. A place counts only while its pack has a record (see Packs): lookups check that, so rows may
 * be written before their pack's record and be tidied up after its removal, in transactions of any size.
 */
export class ChunkIndex {
  private readonly row = Buffer.alloc(ROW_BYTES);
  private readonly key = this.row.subarray(0, CHUNK_KEY_BYTES);
  private readonly place = this.row.subarray(CHUNK_KEY_BYTES);

  constructor(
    private readonly database: Database,
    private readonly packs: Packs,
  ) {}

  private lives(place: Uint8Array): boolean {
    return this.packs.byNumber(packOf(place)) !== undefined;
  }

  lookup(id: ChunkId): ChunkPlace | undefined {
    const found = this.database.tables.chunks.peek(id);
    if (found === undefined) return undefined;
    const place = readPlace(found);
    const pack = this.packs.byNumber(place.pack);
    if (pack === undefined) return this.copies(id)[0];
    if (!liesIn(place, pack)) throw this.database.damage('the place of a chunk');
    return place;
  }

  has(id: ChunkId): boolean {
    const found = this.database.tables.chunks.peek(id);
    return found !== undefined && (this.lives(found) || this.copies(id).length > 0);
  }

  private copies(id: ChunkKey): ChunkPlace[] {
    return this.database.tables.copies
      .values(id)
      .filter((place) => this.lives(place))
      .map(readPlace);
  }

  /** All places of a chunk; the first is the one that `lookup` gives. */
  places(id: ChunkId): ChunkPlace[] {
    const found = this.database.tables.chunks.peek(id);
    if (found === undefined) return [];
    const first = readPlace(found);
    const rest = this.copies(id);
    return this.packs.byNumber(first.pack) === undefined ? rest : [first, ...rest];
  }

  /**
   * Writes the rows `from` to `to` of a planned segment, and returns those that were not there. Inside a transaction. Of
   * packs that the cache has already most rows are there, but another segment need not have named them all.
   */
  addRows(segment: IndexSegment, planned: PlannedSegment, from: number, to: number): RowTallies {
    const { chunks } = this.database.tables;
    const { place, key } = this;
    const added = new RowTallies();
    for (let row = from; row < to; row++) {
      const pack = numberOfRow(segment, planned, row);
      segment.chunks.ids.copy(key, 0, row * CHUNK_ID_BYTES, row * CHUNK_ID_BYTES + CHUNK_KEY_BYTES);
      writePlace(place, pack, segment.chunks.blocks[row]!, segment.chunks.ordinals[row]!);
      if (chunks.putNew(key, place) || this.addBeside(planned.firstNumber)) added.count(pack, this.row, 0);
    }
    return added;
  }

  /** Adds the current row, whose key has a place, unless it is there; says whether it was not. */
  private addBeside(firstNumber: number): boolean {
    const { chunks, copies } = this.database.tables;
    const { place, key } = this;
    const other = chunks.peek(key)!;
    if (isSamePlace(other, place)) return false;
    // The other place is of this very segment, or it counts, or it is what a removed pack left.
    if (packOf(other) >= firstNumber || this.lives(other)) return copies.addValue(key, place);
    chunks.put(key, place);
    return !copies.removeValue(key, place);
  }

  /**
   * Writes up to `most` merged rows into an index that holds nothing beyond them, and adds them to `written`. Inside a
   * transaction.
   */
  append(rows: MergedRuns, most: number, written: RowTallies): void {
    const { chunks, copies } = this.database.tables;
    const { place, key, row } = this;
    for (let done = 0; done < most && !rows.atEnd; done++, rows.next()) {
      rows.rows.copy(row, 0, rows.offset, rows.offset + ROW_BYTES);
      if (!chunks.append(key, place)) {
        const other = chunks.peek(key);
        if (other === undefined) throw new FormatError('an index segment is not sorted by chunk id');
        if (isSamePlace(other, place) || !copies.addValue(key, place)) continue;
      }
      written.count(packOf(place), row, 0);
    }
  }

  /**
   * One step of tidying up: removes entries of packs that have no record, from `start` on, and promotes copies in their
   * stead. Returns where the next step starts, or undefined at the end. `done` is called within the step's transaction.
   */
  sweepChunks(start: string, done: (next: string | undefined) => void): string | undefined {
    const { chunks, copies } = this.database.tables;
    const dead: { readonly key: string; readonly heir: Buffer | undefined }[] = [];
    let last = start;
    let seen = 0;
    for (const { key, value } of chunks.entries(start, SWEEP_STEP)) {
      last = key as string;
      seen++;
      if (!this.lives(value)) dead.push({ key: last, heir: undefined });
    }
    const heirs = dead.map(({ key }) => ({ key, heir: copies.values(key).find((each) => this.lives(each)) }));
    const next = seen === SWEEP_STEP ? last : undefined;
    this.database.transact(() => {
      for (const { key, heir } of heirs) {
        if (heir === undefined) {
          chunks.remove(key);
        } else {
          chunks.put(key, heir);
          copies.removeValue(key, heir);
        }
      }
      done(next);
    });
    return next;
  }

  /** Removes the further copies that lie in packs without a record. */
  sweepCopies(): void {
    const { copies } = this.database.tables;
    const dead = [...copies.entries(FIRST_CHUNK_KEY)].filter(({ value }) => !this.lives(value));
    this.database.transact(() => {
      for (const { key, value } of dead) copies.removeValue(key, value);
    });
  }

  /** Distinct chunks. */
  get count(): number {
    return this.database.tables.chunks.count;
  }

  /** Removes everything. Inside a transaction. */
  clear(): void {
    this.database.tables.chunks.clear();
    this.database.tables.copies.clear();
  }
}

/** `other` may be longer than a place. */
function isSamePlace(other: Uint8Array, place: Buffer): boolean {
  return place.compare(other, 0, PLACE_BYTES) === 0;
}

/** The number of the pack that the row lies in; rejects rows that lie nowhere. */
function numberOfRow({ packs, chunks }: IndexSegment, planned: PlannedSegment, row: number): number {
  const pack = packs[chunks.packs[row]!];
  const block = pack?.blocks[chunks.blocks[row]!];
  if (block === undefined || chunks.ordinals[row]! >= block.chunks) {
    throw new FormatError(`index segment ${planned.name} places a chunk outside of its packs`);
  }
  return planned.packNumbers[chunks.packs[row]!]!;
}

/** The rows of a planned segment as one sorted run. */
export function runOf(segment: IndexSegment, planned: PlannedSegment): Buffer {
  const { ids, blocks, ordinals, count }: ChunkColumns = segment.chunks;
  const run = Buffer.allocUnsafe(count * ROW_BYTES);
  const place = Buffer.alloc(PLACE_BYTES);
  let used = 0;
  for (let row = 0; row < count; row++) {
    const pack = numberOfRow(segment, planned, row);
    writePlace(place, pack, blocks[row]!, ordinals[row]!);
    ids.copy(run, used, row * CHUNK_ID_BYTES, row * CHUNK_ID_BYTES + CHUNK_KEY_BYTES);
    place.copy(run, used + CHUNK_KEY_BYTES);
    used += ROW_BYTES;
  }
  const rows = run.subarray(0, used);
  for (let at = ROW_BYTES; at < used; at += ROW_BYTES) {
    if (rows.compare(rows, at - ROW_BYTES, at - ROW_BYTES + CHUNK_KEY_BYTES, at, at + CHUNK_KEY_BYTES) < 0) {
      throw new FormatError(`index segment ${planned.name} is not sorted by chunk id`);
    }
  }
  return rows;
}
