import { CbrError } from '../../dist/core/index.js';
import type { Database } from '../../dist/repo/cache/database.js';

/** The database of a cache (src/repo/cache/database.ts) on Maps: the same behaviour without LMDB's files, and it can be copied. */

const CHUNK_KEY_BYTES = 20;

type Key = string | Buffer;
type Undo = () => void;

class MemoryTable {
  /** Values by key, keys as latin1 text; several values a key only where that is allowed. */
  private readonly values_: Map<string, readonly Buffer[]>;
  private sorted: string[] | undefined;

  constructor(
    private readonly owner: MemoryDatabase,
    private readonly keyedByChunk: boolean,
    private readonly manyValues: boolean,
    content?: ReadonlyMap<string, readonly Buffer[]>,
  ) {
    this.values_ = new Map(content);
  }

  copyFor(owner: MemoryDatabase): MemoryTable {
    return new MemoryTable(owner, this.keyedByChunk, this.manyValues, this.values_);
  }

  private textOf(key: Key): string {
    if (typeof key === 'string') return this.keyedByChunk ? key.slice(0, CHUNK_KEY_BYTES) : key;
    return key.toString('latin1', 0, this.keyedByChunk ? CHUNK_KEY_BYTES : key.length);
  }

  private keyOf(text: string): Key {
    return this.keyedByChunk ? text : Buffer.from(text, 'latin1');
  }

  private replace(text: string, values: readonly Buffer[] | undefined): void {
    const before = this.values_.get(text);
    this.owner.noteUndo(() => this.set(text, before));
    this.set(text, values);
  }

  private set(text: string, values: readonly Buffer[] | undefined): void {
    if (values === undefined) {
      if (this.values_.delete(text)) this.sorted = undefined;
    } else {
      if (!this.values_.has(text)) this.sorted = undefined;
      this.values_.set(text, values);
    }
  }

  private order(): readonly string[] {
    this.sorted ??= [...this.values_.keys()].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
    return this.sorted;
  }

  peek(key: Key): Uint8Array | undefined {
    return this.values_.get(this.textOf(key))?.[0];
  }

  view(key: Key): Uint8Array | undefined {
    return this.peek(key);
  }

  get(key: Key): Buffer | undefined {
    const found = this.peek(key);
    return found && Buffer.from(found);
  }

  put(key: Key, value: Uint8Array): void {
    const text = this.textOf(key);
    const own = Buffer.from(value);
    const before = this.manyValues ? (this.values_.get(text) ?? []) : [];
    if (before.some((each) => each.equals(own))) return;
    this.replace(text, before.length === 0 ? [own] : [...before, own].sort(Buffer.compare));
  }

  putNew(key: Key, value: Uint8Array): boolean {
    if (this.values_.has(this.textOf(key))) return false;
    this.put(key, value);
    return true;
  }

  append(key: Key, value: Uint8Array): boolean {
    const last = this.order().at(-1);
    if (last !== undefined && this.textOf(key) <= last) return false;
    this.put(key, value);
    return true;
  }

  remove(key: Key): void {
    const text = this.textOf(key);
    if (this.values_.has(text)) this.replace(text, undefined);
  }

  addValue(key: Key, value: Uint8Array): boolean {
    const before = this.values_.get(this.textOf(key)) ?? [];
    if (before.some((each) => Buffer.compare(each, value) === 0)) return false;
    this.put(key, value);
    return true;
  }

  removeValue(key: Key, value: Uint8Array): boolean {
    const text = this.textOf(key);
    const before = this.values_.get(text) ?? [];
    const left = before.filter((each) => Buffer.compare(each, value) !== 0);
    if (left.length === before.length) return false;
    this.replace(text, left.length === 0 ? undefined : left);
    return true;
  }

  values(key: Key): Buffer[] {
    return (this.values_.get(this.textOf(key)) ?? []).map((value) => Buffer.from(value));
  }

  *entries(
    start: Key,
    limit = Number.MAX_SAFE_INTEGER,
  ): Iterable<{ readonly key: Key; readonly value: Uint8Array }> {
    const from = this.textOf(start);
    let left = limit;
    for (const text of this.order()) {
      if (text < from) continue;
      for (const value of this.values_.get(text) ?? []) {
        if (left-- <= 0) return;
        yield { key: this.keyOf(text), value: Buffer.from(value) };
      }
    }
  }

  *keys(start: Key, limit = Number.MAX_SAFE_INTEGER): Iterable<Key> {
    const from = this.textOf(start);
    let left = limit;
    for (const text of this.order()) {
      if (text < from) continue;
      if (left-- <= 0) return;
      yield this.keyOf(text);
    }
  }

  get count(): number {
    if (!this.manyValues) return this.values_.size;
    let count = 0;
    for (const values of this.values_.values()) count += values.length;
    return count;
  }

  clear(): void {
    for (const text of [...this.values_.keys()]) this.replace(text, undefined);
  }
}

const TABLES = [
  'meta',
  'chunks',
  'copies',
  'packs',
  'packNames',
  'segments',
  'verified',
  'records',
  'roots',
  'directories',
] as const;
type TableName = (typeof TABLES)[number];

export class MemoryDatabase {
  readonly tables: Readonly<Record<TableName, MemoryTable>>;
  private undo: Undo[] | undefined;
  private damaged = false;

  constructor(from?: MemoryDatabase) {
    this.tables = Object.fromEntries(
      TABLES.map((name) => {
        const byChunk = name === 'chunks' || name === 'copies';
        return [name, from?.tables[name].copyFor(this) ?? new MemoryTable(this, byChunk, name === 'copies')];
      }),
    ) as Record<TableName, MemoryTable>;
  }

  /** As what a killed process leaves behind: its later changes do not show. */
  copy(): MemoryDatabase {
    return new MemoryDatabase(this);
  }

  noteUndo(undo: Undo): void {
    this.undo?.push(undo);
  }

  transact<T>(action: () => T): T {
    if (this.undo !== undefined) return action();
    this.undo = [];
    try {
      return action();
    } catch (error) {
      for (const undo of this.undo.reverse()) undo();
      throw error;
    } finally {
      this.undo = undefined;
    }
  }

  get isDamaged(): boolean {
    return this.damaged;
  }

  noteDamage(): void {
    this.damaged = true;
  }

  damage(what: string): CbrError {
    this.damaged = true;
    return new CbrError('internal', `the cache is damaged: ${what}`);
  }

  failure(error: unknown): unknown {
    return error;
  }

  async close(): Promise<void> {}

  /** What a cache is opened with. */
  asDatabase(): Database {
    return this as unknown as Database;
  }
}
