import type { ChunkId, ObjectDigest, SessionId } from '../../core/index.js';
import { ChunkIndex } from './chunk-index.js';
import type { Database } from './database.js';
import { type DirectoryPut, type DirectoryState, DirectoryStates } from './directory-states.js';
import { IndexChanges, type NamedSegment, type Segments } from './index-changes.js';
import {
  type CachedPack,
  type CachedSegment,
  type ChunkPlace,
  checked,
  digestKey,
  unchecked,
} from './layout.js';
import { NamedValues } from './named-values.js';
import type { Housing } from './open-housed.js';
import { Packs } from './packs.js';

export interface CacheCounts {
  /** Distinct chunks. */
  readonly chunks: number;
  readonly packs: number;
  readonly segments: number;
  /** Stored bytes of all packs. */
  readonly bytes: number;
}

/**
 * What this machine remembers of a repository (docs/design.md section 7). It may lack what is there, and never has what
 * is not: see Packs and ChunkIndex. Main thread only; every method but the promised ones is synchronous.
 */
export class RepositoryCache {
  private readonly meta: NamedValues;
  private readonly records: NamedValues;
  private readonly packs: Packs;
  private readonly chunks: ChunkIndex;
  private readonly changes: IndexChanges;
  private readonly directories: DirectoryStates;

  constructor(
    private readonly database: Database,
    private readonly housing: Housing,
  ) {
    this.meta = new NamedValues(database, database.tables.meta);
    this.records = new NamedValues(database, database.tables.records);
    this.packs = new Packs(database, this.meta);
    this.chunks = new ChunkIndex(database, this.packs);
    this.changes = new IndexChanges(database, this.meta, this.packs, this.chunks, housing.spillFolder);
    this.directories = new DirectoryStates(database, this.meta);
  }

  /** True while no segment is known: the caller fills the index from the repository. */
  get fresh(): boolean {
    return this.packs.segmentCount === 0;
  }

  /** Whether this is a throw-away cache, because another process holds the lasting one or it cannot be written. */
  get isPrivate(): boolean {
    return this.housing.isPrivate;
  }

  lookup(id: ChunkId): ChunkPlace | undefined {
    return this.chunks.lookup(id);
  }

  has(id: ChunkId): boolean {
    return this.chunks.has(id);
  }

  /** All places of a chunk, that of `lookup` first: where to turn when a pack is damaged. */
  places(id: ChunkId): ChunkPlace[] {
    return this.chunks.places(id);
  }

  /** By number, as places give it; undefined for a pack that was removed. */
  pack(number: number): CachedPack | undefined {
    return this.packs.byNumber(number);
  }

  packNamed(name: ObjectDigest): CachedPack | undefined {
    return this.packs.byName(name);
  }

  /** Sorted. */
  packNames(): ObjectDigest[] {
    return this.packs.names();
  }

  /** Stored bytes of all packs. */
  packSizes(): Iterable<{ readonly name: ObjectDigest; readonly size: number }> {
    return this.packs.sizes();
  }

  /** All of them, from their own records. */
  allPacks(): CachedPack[] {
    return this.packs.all();
  }

  segments(): Map<ObjectDigest, CachedSegment> {
    return this.packs.segments();
  }

  /** All chunk numbers (CachedPack.firstChunk and what follows) are below this. */
  get chunkNumberLimit(): number {
    return this.packs.counters().nextChunk;
  }

  /** Whether some chunk has more than one place. */
  get hasCopies(): boolean {
    return this.database.tables.copies.count > 0;
  }

  counts(): CacheCounts {
    return {
      chunks: this.chunks.count,
      packs: this.database.tables.packs.count,
      segments: this.packs.segmentCount,
      bytes: this.packs.counters().packBytes,
    };
  }

  /** As `addSegments`, for one. */
  addSegment(...segment: NamedSegment): Promise<void> {
    return this.changes.addSegments([segment]);
  }

  /**
   * Adds segments that the cache does not have; their rows must be sorted by id (else FormatError, and the segment is not
   * added). `segments` is consumed one at a time and must not wait for another change of the index. The chunks of a segment
   * exist for `lookup` when the promise resolves, earlier perhaps, but never without their pack. Into an empty index all
   * segments are merged in order: if that is broken off, the index is empty again.
   */
  addSegments(segments: Segments): Promise<void> {
    return this.changes.addSegments(segments);
  }

  /** Removes all segments, and adds others as `addSegments` does into an empty index. */
  replaceSegments(segments: Segments): Promise<void> {
    return this.changes.replaceSegments(segments);
  }

  /**
   * Removes segments with the packs that only they name, and those packs' chunks unless there are copies elsewhere.
   * Look-ups know none of them any more as soon as the change begins, and even if it is killed.
   */
  removeSegments(names: readonly ObjectDigest[]): Promise<void> {
    return this.changes.removeSegments(names);
  }

  /** As `removeSegments`, for packs that are gone from the repository, whatever names them. */
  dropPacks(names: Iterable<ObjectDigest>): Promise<void> {
    return this.changes.dropPacks(names);
  }

  /**
   * Compares the whole chunk index with the checksums it has: for who is about to remove what it does not name. Rejects
   * (internal) when it is damaged; the cache is then built anew by who opens it next.
   */
  verify(): Promise<void> {
    return this.changes.verify();
  }

  /** Whether something in it turned out damaged since it was opened: then nothing may be removed on its word. */
  get isDamaged(): boolean {
    return this.database.isDamaged;
  }

  /** To be called before anything is removed from the repository: a cache that is found so is rebuilt. */
  beginDestructive(): void {
    this.housing.beginDestructive();
  }

  /** To be called when the cache agrees with the repository again. */
  endDestructive(): void {
    this.housing.endDestructive();
  }

  /** Keeps the content of an object; `kind` is any word without NUL. */
  putRecord(kind: string, name: string, bytes: Uint8Array): void {
    this.records.put(kind, name, bytes);
  }

  getRecord(kind: string, name: string): Uint8Array | undefined {
    return this.records.get(kind, name);
  }

  removeRecord(kind: string, name: string): void {
    this.records.remove(kind, name);
  }

  recordNames(kind: string): string[] {
    return this.records.names(kind);
  }

  /** Runs synchronous changes of records, values and verification times as one: many are then much faster. */
  batch(changes: () => void): void {
    this.database.transact(changes);
  }

  /** Of a source root (16 bytes); directories have keys of 16 bytes too. */
  directoryState(rootKey: Uint8Array): DirectoryState {
    return this.directories.of(rootKey);
  }

  /** All or nothing. `puts` may be generated while it is read, but must not call the cache. */
  commitDirectoryState(
    rootKey: Uint8Array,
    snapshot: SessionId,
    puts: Iterable<DirectoryPut>,
    removes: Iterable<Uint8Array> = [],
  ): void {
    this.directories.commit(rootKey, snapshot, puts, removes);
  }

  /** Forgets the states of these roots, or of all: for many at the price of one. */
  clearDirectoryStates(rootKeys?: readonly Uint8Array[]): void {
    this.directories.clear(rootKeys);
  }

  /** The keys of the roots that have a state. */
  roots(): Uint8Array[] {
    return this.directories.roots();
  }

  /** Notes that all bytes of a pack were found right; `seconds` since the epoch. */
  setVerified(pack: ObjectDigest, seconds: number): void {
    const time = Buffer.alloc(8);
    time.writeDoubleLE(seconds);
    const key = digestKey(pack);
    this.database.transact(() => this.database.tables.verified.put(key, checked(key, time)));
  }

  verifiedAt(pack: ObjectDigest): number | undefined {
    const key = digestKey(pack);
    const stored = this.database.tables.verified.get(key);
    return stored && unchecked(key, stored)?.readDoubleLE(0);
  }

  setValue(name: string, value: Uint8Array): void {
    this.meta.put('value', name, value);
  }

  getValue(name: string): Uint8Array | undefined {
    return this.meta.get('value', name);
  }

  /** Waits for changes under way, flushes, and gives the folder free. Nothing may be called afterwards. */
  async close(): Promise<void> {
    await this.changes.settled();
    await this.database.close();
    this.housing.leave(!this.database.isDamaged);
  }

  /** Empties the index and finishes what a killed process left. For `openCache`. */
  async prepare(emptyIndex: boolean): Promise<void> {
    if (emptyIndex) this.changes.clear();
    else await this.changes.resume();
  }
}
