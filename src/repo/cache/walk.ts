import { writeSync } from 'node:fs';
import { messageOf } from '../../core/index.js';
import {
  type ChunkKey,
  type Database,
  FIRST_CHUNK_KEY,
  FIRST_KEY,
  openDatabase,
  openTables,
  rowTables,
  type Table,
} from './database.js';
import {
  type CachedPack,
  decodeCounters,
  decodePack,
  decodeSegment,
  digestOf,
  REBUILD,
  textKey,
  UNFINISHED,
  unchecked,
} from './layout.js';
import { ensure, RowCheck } from './row-check.js';

/**
 * A process of its own: `node walk.js SOURCE TARGET [TABLE...]` reads everything in the data file SOURCE, which a killed process left
 * open, checks it, writes it to the new data file TARGET, and prints `sound`. If SOURCE is damaged it prints an error, or
 * dies; that is why it is not done by the process that wants to use the cache. Since TARGET is written from keys and values alone, no damage to the
 * structure of SOURCE, such as its list of free pages, can live on. With names of tables SOURCE is no cache but a database of
 * those tables, all of checked rows (checked-rows.ts).
 */

/** What is written in one transaction. */
const STEP_BYTES = 16 * 2 ** 20;

/** Copies a table; `check` throws for what is unsound. */
function copyTable<K extends string | Buffer>(
  target: Pick<Database<object>, 'transact'>,
  from: Table<K>,
  to: Table<K>,
  start: K,
  check: (key: K, value: Uint8Array) => void,
  put: (key: K, value: Uint8Array) => boolean = (key, value) => to.append(key, value),
): void {
  const entries = from.entries(start)[Symbol.iterator]();
  let copied = 0;
  for (let entry = entries.next(); !entry.done; ) {
    target.transact(() => {
      for (let bytes = 0; bytes < STEP_BYTES && !entry.done; entry = entries.next()) {
        const { key, value } = entry.value;
        check(key, value);
        ensure(put(key, value), 'the order of its keys');
        bytes += value.byteLength + 64;
        copied++;
      }
    });
  }
  ensure(copied === from.count, 'the number of its entries');
}

class Walk {
  private readonly packs = new Map<number, CachedPack>();

  constructor(
    private readonly source: Database,
    private readonly target: Database,
  ) {}

  private copyChecked(table: 'meta' | 'records' | 'verified' | 'roots' | 'directories'): void {
    copyTable(this.target, this.source.tables[table], this.target.tables[table], FIRST_KEY, (key, value) => {
      ensure(unchecked(key, value), `a value of ${table}`);
    });
  }

  private copyPacks(): void {
    const { source, target } = this;
    copyTable(target, source.tables.packs, target.tables.packs, FIRST_KEY, (key, value) => {
      const number = Buffer.from(key).readUInt32BE(0);
      const pack = decodePack(number, value);
      ensure(pack, 'the record of a pack');
      this.packs.set(number, pack);
    });
    copyTable(this.target, source.tables.packNames, target.tables.packNames, FIRST_KEY, (key, value) => {
      const number = Buffer.from(value).readUInt32BE(0);
      ensure(this.packs.get(number)?.name === digestOf(key), 'the name of a pack');
    });
    ensure(source.tables.packNames.count === this.packs.size, 'the names of the packs');
    copyTable(this.target, source.tables.segments, target.tables.segments, FIRST_KEY, (key, value) => {
      ensure(decodeSegment(key, value), 'the record of an index segment');
    });
  }

  private ownValue(name: string): Buffer | undefined {
    const key = textKey('cache', name);
    const stored = this.source.tables.meta.get(key);
    return stored && unchecked(key, stored);
  }

  run(): void {
    this.copyChecked('meta');
    const limit = decodeCounters(this.ownValue('counters')).nextChunk;
    this.copyPacks();
    const rows = new RowCheck(this.packs, limit);
    const checkPlace = (key: ChunkKey, value: Uint8Array): void => rows.add(key as string, value);
    const { source, target } = this;
    copyTable(this.target, source.tables.chunks, target.tables.chunks, FIRST_CHUNK_KEY, checkPlace);
    copyTable(
      this.target,
      source.tables.copies,
      target.tables.copies,
      FIRST_CHUNK_KEY,
      checkPlace,
      (key, value) => {
        target.tables.copies.put(key, value);
        return true;
      },
    );
    // What was being built has rows still to come, and is emptied when it is opened.
    if (this.ownValue(UNFINISHED)?.toString('latin1') !== REBUILD) rows.finish();
    for (const table of ['records', 'verified', 'roots', 'directories'] as const) this.copyChecked(table);
  }
}

/** What is printed when the target holds all that the source does. */
const SOUND = 'sound\n';

async function walk([sourcePath, targetPath, ...tables]: readonly string[]): Promise<void> {
  if (sourcePath === undefined || targetPath === undefined)
    throw new Error('usage: walk.js SOURCE TARGET [TABLE...]');
  if (tables.length > 0) return walkRows(sourcePath, targetPath, tables);
  const source = await openDatabase(sourcePath, 'read');
  const target = await openDatabase(targetPath, 'write');
  new Walk(source, target).run();
  await source.close();
  await target.close();
}

async function walkRows(sourcePath: string, targetPath: string, names: readonly string[]): Promise<void> {
  const tablesOf = rowTables(names);
  const source = await openTables(sourcePath, 'read', tablesOf, 'data file');
  const target = await openTables(targetPath, 'write', tablesOf, 'data file');
  for (const name of names) {
    copyTable(target, source.tables[name]!, target.tables[name]!, FIRST_KEY, (key, value) => {
      ensure(unchecked(key, value), `a value of ${name}`);
    });
  }
  await source.close();
  await target.close();
}

try {
  await walk(process.argv.slice(2));
  writeSync(1, SOUND);
} catch (error) {
  writeSync(2, `Error: ${messageOf(error)}\n`);
} finally {
  // Not an orderly end: LMDB would tidy up a damaged database, and Node 20 sometimes waits for itself for ever when it
  // ends while code is being compiled. What was printed tells the outcome.
  process.kill(process.pid, 'SIGKILL');
}
