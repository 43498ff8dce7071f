import { statSync } from 'node:fs';
import type { CbrError } from '../../core/index.js';
import { type Database, openTables, rowTables, type Table } from './database.js';
import { checked, unchecked } from './layout.js';
import { type CacheOptions, type Housing, openHoused } from './open-housed.js';

/** What a row store keeps, and how it is called. */
export interface RowStoreKind<Name extends string> {
  /** Its folder within that of the cache. */
  readonly folder: string;
  /** In messages: `path index`. */
  readonly what: string;
  /** Raised with every change of its rows: a store of another number is built anew. */
  readonly schema: number;
  /** Beside `meta`. */
  readonly tables: readonly Name[];
  /** How long to wait for another process that has it, in milliseconds, before a private one is made. */
  readonly patienceMs: number;
}

type Tables<Name extends string> = Readonly<Record<Name | 'meta', Table<Buffer>>>;

export interface Row {
  readonly key: Buffer;
  readonly value: Buffer;
}

/**
 * A database of its own beside the cache, under the same guards, for what can be derived from the repository: binary keys, and
 * values each with a checksum over itself and its key. A row that was damaged throws (internal), and the store is built anew by
 * who opens it next. Main thread only; every method but `close` is synchronous.
 */
export class RowStore<Name extends string> {
  constructor(
    private readonly database: Database<Tables<Name>>,
    private readonly housing: Housing,
    private readonly path: string,
  ) {}

  /** Whether this is a throw-away store, because another process holds the lasting one or it cannot be written. */
  get isPrivate(): boolean {
    return this.housing.isPrivate;
  }

  /** Bytes of the data file. */
  get bytes(): number {
    return statSync(this.path).size;
  }

  get(table: Name | 'meta', key: Buffer): Buffer | undefined {
    const stored = this.database.tables[table].get(key);
    return stored && this.sound(table, key, stored);
  }

  /** Rows in the order of their keys, at and after `start`; copies. Not to be changed meanwhile. */
  *rows(table: Name, start: Buffer): Iterable<Row> {
    for (const { key, value } of this.database.tables[table].entries(start))
      yield { key, value: this.sound(table, key, value) };
  }

  *keys(table: Name, start: Buffer): Iterable<Buffer> {
    yield* this.database.tables[table].keys(start);
  }

  count(table: Name): number {
    return this.database.tables[table].count;
  }

  put(table: Name | 'meta', key: Buffer, value: Uint8Array): void {
    this.database.tables[table].put(key, checked(key, value));
  }

  remove(table: Name | 'meta', key: Buffer): void {
    this.database.tables[table].remove(key);
  }

  /** Runs changes as one transaction: when `action` throws, or the process is killed, nothing has changed. */
  transact<T>(action: () => T): T {
    return this.database.transact(action);
  }

  /** The error for rows that contradict each other; the store is not used again. */
  damage(what: string): CbrError {
    return this.database.damage(what);
  }

  /** Flushes, and gives the folder free. Nothing may be called afterwards. */
  async close(): Promise<void> {
    await this.database.close();
    this.housing.leave(!this.database.isDamaged);
  }

  private sound(table: string, key: Uint8Array, stored: Uint8Array): Buffer {
    const value = unchecked(key, stored);
    if (value === undefined) throw this.damage(`a row of ${table}`);
    return value;
  }
}

/** Opens the row store of a cache, whatever state it is in: see `openHoused`. */
export function openRowStore<Name extends string>(
  options: CacheOptions,
  kind: RowStoreKind<Name>,
): Promise<RowStore<Name>> {
  const { what, schema, patienceMs } = kind;
  const names: (Name | 'meta')[] = ['meta', ...kind.tables];
  let dataPath = '';
  return openHoused(options, {
    what,
    schema,
    walkArguments: names,
    patienceMs,
    openDatabase: (path) => {
      dataPath = path;
      return openTables(path, 'write', rowTables(names), what);
    },
    prepare: async (database: Database<Tables<Name>>, housing) => new RowStore(database, housing, dataPath),
  });
}
