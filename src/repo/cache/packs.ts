import type { ObjectDigest } from '../../core/index.js';
import type { Author, IndexSegment } from '../index-segment.js';
import { type Database, FIRST_KEY } from './database.js';
import {
  type CachedPack,
  type CachedSegment,
  type Counters,
  chunksOf,
  decodeCounters,
  decodePack,
  decodeSegment,
  digestKey,
  digestOf,
  encodeCounters,
  encodePack,
  encodeSegment,
  packSize,
  type StoredPack,
  u32Key,
} from './layout.js';
import type { NamedValues } from './named-values.js';
import { ensure } from './row-check.js';
import { RowTallies, together } from './row-tallies.js';

/** A segment that was given its numbers and is not yet in the cache. */
export interface PlannedSegment {
  readonly name: ObjectDigest;
  readonly author: Author;
  readonly number: number;
  /** For every pack of the segment's table its number. */
  readonly packNumbers: Uint32Array;
  /** For every pack of the segment's table 1 if it is new to the cache here. */
  readonly isNew: Uint8Array;
  readonly packs: readonly Omit<StoredPack, 'tally'>[];
  /** The rows written of packs that have no record yet. */
  readonly written: RowTallies;
  /** The first number that is given to packs of this segment. */
  readonly firstNumber: number;
}

/**
 * The packs and the segments that name them. The record of a pack is what makes its chunks exist: a place that names a
 * pack without a record says nothing, and numbers are never given twice. So writing and removing pack records are the
 * moments at which chunks come and go, all at once, whatever is left to be tidied up in the chunk index.
 */
export class Packs {
  /** By number; null where there is no such pack. */
  private readonly memo = new Map<number, CachedPack | null>();

  constructor(
    private readonly database: Database,
    private readonly meta: NamedValues,
  ) {}

  counters(): Counters {
    return decodeCounters(this.meta.get('cache', 'counters'));
  }

  private setCounters(counters: Counters): void {
    this.meta.put('cache', 'counters', encodeCounters(counters));
  }

  byNumber(number: number): CachedPack | undefined {
    const known = this.memo.get(number);
    if (known !== undefined) return known ?? undefined;
    const stored = this.database.tables.packs.view(u32Key(number));
    const pack = stored === undefined ? null : decodePack(number, stored);
    if (pack === undefined) throw this.database.damage(`the record of pack ${number}`);
    this.memo.set(number, pack);
    return pack ?? undefined;
  }

  byName(name: ObjectDigest): CachedPack | undefined {
    const number = this.numberOf(name);
    return number === undefined ? undefined : this.byNumber(number);
  }

  private numberOf(name: ObjectDigest): number | undefined {
    return this.database.tables.packNames.get(digestKey(name))?.readUInt32BE(0);
  }

  /** Sorted. */
  names(): ObjectDigest[] {
    return [...this.database.tables.packNames.keys(FIRST_KEY)].map(digestOf);
  }

  /** By name. */
  segments(): Map<ObjectDigest, CachedSegment> {
    const segments = new Map<ObjectDigest, CachedSegment>();
    for (const { key, value } of this.database.tables.segments.entries(FIRST_KEY)) {
      const segment = decodeSegment(key, value);
      if (segment === undefined) throw this.database.damage('the record of an index segment');
      segments.set(digestOf(key), segment);
    }
    return segments;
  }

  get segmentCount(): number {
    return this.database.tables.segments.count;
  }

  hasSegment(name: ObjectDigest): boolean {
    return this.database.tables.segments.peek(digestKey(name)) !== undefined;
  }

  /** Gives the segment and those packs of it that are new their numbers, for good. Inside a transaction. */
  plan(name: ObjectDigest, segment: IndexSegment): PlannedSegment {
    const counters = this.counters();
    const number = counters.nextSegment;
    const packNumbers = new Uint32Array(segment.packs.length);
    const isNew = new Uint8Array(segment.packs.length);
    const packs: Omit<StoredPack, 'tally'>[] = [];
    const met = new Map<ObjectDigest, number>();
    let nextChunk = counters.nextChunk;
    segment.packs.forEach((pack, position) => {
      const first = met.get(pack.name) ?? position;
      met.set(pack.name, first);
      const known = this.byName(pack.name);
      if (first < position) {
        packNumbers[position] = packNumbers[first]!;
        packs.push(packs[first]!);
      } else if (known !== undefined) {
        packNumbers[position] = known.number;
        packs.push({ ...known, segments: [...known.segments, number] });
      } else {
        packNumbers[position] = counters.nextPack + position;
        isNew[position] = 1;
        packs.push({ ...pack, segments: [number], firstChunk: nextChunk });
        nextChunk += chunksOf(pack);
      }
    });
    const nextPack = counters.nextPack + segment.packs.length;
    this.setCounters({ ...counters, nextPack, nextSegment: number + 1, nextChunk });
    const { author } = segment;
    const written = new RowTallies();
    return { name, author, number, packNumbers, isNew, packs, firstNumber: counters.nextPack, written };
  }

  private put(number: number, pack: StoredPack): void {
    this.database.tables.packs.put(u32Key(number), encodePack(number, pack));
    this.memo.delete(number);
  }

  /**
   * Notes rows that this transaction wrote: where a pack has a record, in that, so that the two always agree; else in
   * `pending`, for who writes it.
   */
  countRows(added: RowTallies, pending?: RowTallies): void {
    for (const [number, tally] of added.entries()) {
      const pack = this.byNumber(number);
      if (pack !== undefined) this.put(number, { ...pack, tally: together(pack.tally, tally) });
      else pending?.add(number, tally);
    }
  }

  /** Writes the records of a planned segment: from the end of this transaction on its chunks exist. */
  commit(planned: PlannedSegment): void {
    const { packNames, segments } = this.database.tables;
    const counters = this.counters();
    let { packBytes } = counters;
    planned.packs.forEach((pack, position) => {
      const number = planned.packNumbers[position]!;
      this.put(number, { ...pack, tally: this.byNumber(number)?.tally ?? planned.written.of(number) });
      if (planned.isNew[position] === 0) return;
      packNames.put(digestKey(pack.name), u32Key(number));
      packBytes += pack.size;
    });
    const { number, author } = planned;
    const key = digestKey(planned.name);
    segments.put(key, encodeSegment(key, { number, author }));
    this.setCounters({ ...counters, packBytes });
  }

  /** Removes packs and the segments themselves; packs that other segments name too stay. Inside a transaction. */
  removeSegments(names: readonly ObjectDigest[]): void {
    const { segments } = this.database.tables;
    const known = this.segments();
    const gone = new Set<number>();
    for (const name of names) {
      const segment = known.get(name);
      if (segment === undefined) continue;
      gone.add(segment.number);
      segments.remove(digestKey(name));
    }
    if (gone.size === 0) return;
    const touched = this.all().filter((pack) => pack.segments.some((number) => gone.has(number)));
    const left = touched.map((pack) => ({
      ...pack,
      segments: pack.segments.filter((number) => !gone.has(number)),
    }));
    for (const pack of left) {
      if (pack.segments.length > 0) this.put(pack.number, pack);
    }
    this.removeRecords(left.filter((pack) => pack.segments.length === 0));
  }

  /** Removes packs whatever names them. Inside a transaction. */
  removeNamed(names: Iterable<ObjectDigest>): void {
    const found = [...names].map((name) => this.byName(name)).filter((pack) => pack !== undefined);
    this.removeRecords(found);
  }

  private removeRecords(gone: readonly CachedPack[]): void {
    const { packs, packNames, verified } = this.database.tables;
    const counters = this.counters();
    let { packBytes } = counters;
    for (const pack of gone) {
      packs.remove(u32Key(pack.number));
      packNames.remove(digestKey(pack.name));
      verified.remove(digestKey(pack.name));
      packBytes -= pack.size;
    }
    this.setCounters({ ...counters, packBytes });
  }

  *sizes(): Generator<{ readonly name: ObjectDigest; readonly size: number }> {
    for (const { key, value } of this.database.tables.packs.entries(FIRST_KEY)) {
      const found = packSize(key, value);
      if (found === undefined) throw this.database.damage('the record of a pack');
      yield found;
    }
  }

  /** All records by number. Throws an Error unless each one is found by its name, too. */
  checkedRecords(): Map<number, CachedPack> {
    const records = new Map(this.all().map((pack) => [pack.number, pack]));
    for (const { name, number } of records.values())
      ensure(this.numberOf(name) === number, 'the name of a pack');
    ensure(this.database.tables.packNames.count === records.size, 'the names of the packs');
    return records;
  }

  /** By their records. */
  all(): CachedPack[] {
    const found: CachedPack[] = [];
    for (const { key, value } of this.database.tables.packs.entries(FIRST_KEY)) {
      const number = Buffer.from(key).readUInt32BE(0);
      const pack = decodePack(number, value);
      if (pack === undefined) throw this.database.damage(`the record of pack ${number}`);
      found.push(pack);
    }
    return found;
  }

  /** Forgets when packs were verified that have no record any more. Inside a transaction. */
  tidyVerified(): void {
    const { verified, packNames } = this.database.tables;
    const gone = [...verified.keys(FIRST_KEY)].filter((key) => packNames.peek(key) === undefined);
    for (const key of gone) verified.remove(key);
  }

  /** To be called after every transaction that wrote or removed records, also when it failed. */
  forget(): void {
    this.memo.clear();
  }

  /** Removes all records. Inside a transaction. */
  clear(): void {
    const { packs, packNames, segments } = this.database.tables;
    for (const table of [packs, packNames, segments]) table.clear();
    this.setCounters({ ...this.counters(), packBytes: 0 });
  }
}
