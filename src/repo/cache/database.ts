import type { Database as LmdbDatabase, RootDatabase } from 'lmdb';
import { CbrError, messageOf } from '../../core/index.js';
import { CHUNK_KEY_BYTES } from './layout.js';

/**
 * The LMDB environment of a cache, with binary keys and values only. All of it belongs to the main thread. Nothing is
 * flushed while it runs: the mark of an open cache (open-mark.ts) stands for that.
 */

/** A chunk id as text or as bytes; only its first 20 bytes are the key. */
export type ChunkKey = string | Buffer;

const chunkKeys = {
  writeKey(id: ChunkKey, target: Buffer, at: number): number {
    if (typeof id === 'string') return at + target.write(id, at, CHUNK_KEY_BYTES, 'latin1');
    return at + id.copy(target, at, 0, CHUNK_KEY_BYTES);
  },
  readKey(source: Buffer, start: number, end: number): string {
    return source.toString('latin1', start, end);
  },
};

const APPEND = { append: true };
const NEW_ONLY = { noOverwrite: true };
const NEW_VALUE_ONLY = { noDupData: true };

/** LMDB's own errors (MDB_CORRUPTED and its like) are numbers far below zero; errno values are positive. */
function isDamage(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'number' && code <= -30_000;
}

export class Table<K extends string | Buffer> {
  constructor(
    private readonly store: LmdbDatabase<Buffer, K>,
    private readonly owner: Pick<Database<object>, 'failure'>,
  ) {}

  /**
   * The bytes of the value at the front of a buffer that is longer, valid only until the next read of this database: for
   * values of a fixed length, at the price of no allocation.
   */
  peek(key: K): Uint8Array | undefined {
    try {
      return this.store.getBinaryFast(key);
    } catch (error) {
      throw this.owner.failure(error);
    }
  }

  /** A view of the value, valid only until the next read of this database. */
  view(key: K): Uint8Array | undefined {
    const found = this.peek(key);
    if (found === undefined) return undefined;
    // lmdb-js gives its one buffer a false `length`, or (16 MiB and above) the mapped file itself: that one is copied,
    // because touching it after the database was closed would end the process.
    const value = found.subarray(0, found.length);
    return (found as { isGlobal?: boolean }).isGlobal === true ? value : Uint8Array.from(value);
  }

  /** A copy of the value. */
  get(key: K): Buffer | undefined {
    const found = this.view(key);
    return found && Buffer.from(found);
  }

  put(key: K, value: Uint8Array): void {
    this.store.putSync(key, value as Buffer);
  }

  /** Writes unless the key is there; says whether it wrote. Inside a transaction only. */
  putNew(key: K, value: Uint8Array): boolean {
    return (this.store.putSync(key, value as Buffer, NEW_ONLY) as unknown) === true;
  }

  /** Writes behind all other keys: fast, dense, and false when the key does not belong there. Inside a transaction only. */
  append(key: K, value: Uint8Array): boolean {
    return (this.store.putSync(key, value as Buffer, APPEND) as unknown) === true;
  }

  /** Of a table that keeps several values a key: says whether this one is new. Inside a transaction only. */
  addValue(key: K, value: Uint8Array): boolean {
    return (this.store.putSync(key, value as Buffer, NEW_VALUE_ONLY) as unknown) === true;
  }

  remove(key: K): void {
    this.store.removeSync(key);
  }

  /** Of a table that keeps several values a key: says whether it was there. Inside a transaction only. */
  removeValue(key: K, value: Uint8Array): boolean {
    return (this.store.removeSync(key, value as Buffer) as unknown) === true;
  }

  /** Of a table that keeps several values a key: copies of all of them. */
  values(key: K): Buffer[] {
    try {
      return [...this.store.getValues(key)].map((value) => Buffer.from(value));
    } catch (error) {
      throw this.owner.failure(error);
    }
  }

  /** Entries in the order of their keys, at and after `start`; keys and values are copies. Not to be changed meanwhile. */
  *entries(
    start: K,
    limit = Number.MAX_SAFE_INTEGER,
  ): Iterable<{ readonly key: K; readonly value: Uint8Array }> {
    try {
      yield* this.store.getRange({ start, limit });
    } catch (error) {
      throw this.owner.failure(error);
    }
  }

  *keys(start: K, limit = Number.MAX_SAFE_INTEGER): Iterable<K> {
    try {
      yield* this.store.getKeys({ start, limit });
    } catch (error) {
      throw this.owner.failure(error);
    }
  }

  /** Number of entries; each value of a key counts. */
  get count(): number {
    return (this.store.getStats() as { entryCount: number }).entryCount;
  }

  clear(): void {
    this.store.clearSync();
  }
}

/** The start of a range over all keys of a table. */
export const FIRST_KEY = Buffer.from([0]);
export const FIRST_CHUNK_KEY = '\0';

/** What opens the tables of a database. */
export interface TableOpener {
  /** Binary keys; of a text, its UTF-8 bytes. */
  table(name: string): Table<Buffer>;
  /** Keys are the beginnings of chunk ids; `dupSort`: several values a key. */
  chunkTable(name: string, dupSort: boolean): Table<ChunkKey>;
}

function openerOf<T extends object>(root: RootDatabase, owner: Database<T>): TableOpener {
  const open = <K extends string | Buffer>(name: string, options: object): Table<K> => {
    const store = root.openDB<Buffer, K>(name, { encoding: 'binary', ...options }) as
      | LmdbDatabase<Buffer, K>
      | undefined;
    if (store === undefined) throw new Error('it lacks a table'); // only where it may not be made
    return new Table(store, owner);
  };
  return {
    table: (name) => open<Buffer>(name, { keyEncoding: 'binary' }),
    // lmdb-js takes a key encoder, though its types do not say so.
    chunkTable: (name, dupSort) => open<ChunkKey>(name, { dupSort, keyEncoder: chunkKeys }),
  };
}

type CacheTables = ReturnType<typeof cacheTables>;

/** The tables of the cache. */
export function cacheTables({ table, chunkTable }: TableOpener) {
  return {
    meta: table('meta'),
    /** id prefix -> place */
    chunks: chunkTable('chunks', false),
    /** id prefix -> places beyond the first */
    copies: chunkTable('copies', true),
    packs: table('packs'),
    packNames: table('pack-names'),
    segments: table('segments'),
    verified: table('verified'),
    records: table('records'),
    roots: table('roots'),
    directories: table('directories'),
  };
}

/** Tables of binary keys alone. */
export function rowTables<Name extends string>(names: readonly Name[]) {
  return ({ table }: TableOpener) =>
    Object.fromEntries(names.map((name) => [name, table(name)])) as Readonly<Record<Name, Table<Buffer>>>;
}

export class Database<T extends object = CacheTables> {
  readonly tables: T;
  private damaged = false;
  private inTransaction = false;

  constructor(
    private readonly root: RootDatabase,
    access: 'read' | 'write',
    tablesOf: (opener: TableOpener) => T,
    /** What it is, for messages. */
    private readonly what: string,
  ) {
    const openAll = (): T => tablesOf(openerOf(root, this));
    // One transaction, so that a process killed here leaves all tables or none.
    this.tables = access === 'write' ? this.transact(openAll) : openAll();
  }

  /** Runs `action` as one transaction, or as part of the one it is called in: when that throws nothing has changed. */
  transact<T>(action: () => T): T {
    if (this.inTransaction) return action();
    this.inTransaction = true;
    try {
      return this.root.transactionSync(action);
    } catch (error) {
      throw this.failure(error);
    } finally {
      this.inTransaction = false;
    }
  }

  /** Whether something unsound was read: such a database must not be used again. */
  get isDamaged(): boolean {
    return this.damaged;
  }

  /** Notes that a value is unsound. */
  noteDamage(): void {
    this.damaged = true;
  }

  /** The error for an unsound value. */
  damage(what: string): CbrError {
    this.damaged = true;
    return new CbrError('internal', `the ${this.what} is damaged: ${what}`, {
      hint: `run the command again: the ${this.what} is rebuilt from the repository`,
    });
  }

  /** What to throw for an error that LMDB raised; other errors pass unchanged. */
  failure(error: unknown): unknown {
    if (isDamage(error)) return this.damage(messageOf(error));
    if (typeof (error as { code?: unknown } | null)?.code !== 'number') return error;
    return new CbrError('internal', `the ${this.what} cannot be written: ${messageOf(error)}`, {
      hint: 'make room in the cache folder, or choose another one with --cache-dir',
      cause: error,
    });
  }

  async close(): Promise<void> {
    await this.root.close();
  }
}

/** Address space for the file to grow into; it is reserved, not used. 100 million chunks take some 15 GiB. */
const MAP_BYTES = 2 ** 40;
const TABLES = 16;

/** Opens the data file at `path`, creating it if need be. Whether it is safe to open is for the caller to know. */
export function openDatabase(path: string, access: 'read' | 'write'): Promise<Database> {
  return openTables(path, access, cacheTables, 'cache');
}

/** As `openDatabase`, for a data file with tables of its own. */
export async function openTables<T extends object>(
  path: string,
  access: 'read' | 'write',
  tablesOf: (opener: TableOpener) => T,
  what: string,
): Promise<Database<T>> {
  const { open } = await import('lmdb');
  const flags = { noSubdir: true, noSync: true, overlappingSync: false, readOnly: access === 'read' };
  const options = { path, maxDbs: TABLES, encoding: 'binary', keyEncoding: 'binary', ...flags } as const;
  let root: RootDatabase;
  try {
    root = open({ ...options, mapSize: MAP_BYTES });
  } catch {
    root = open(options); // where address space is limited LMDB starts small and maps again as it grows
  }
  try {
    return new Database(root, access, tablesOf, what);
  } catch (error) {
    await root.close();
    throw error;
  }
}
