import type { CachedPack, RowStore } from '../../repo/index.js';

/** The tables of a map of copied chunks. */
export type CopyTables = 'data' | 'trees' | 'sessions';

export type CopyStore = RowStore<CopyTables>;

/** Bytes of rows that are kept in memory, written and unwritten ones; with a block of very small chunks a row has 2 MiB. */
const KEPT_BYTES = 48 * 2 ** 20;

interface KeptRow {
  readonly key: Buffer;
  readonly bytes: Buffer;
  isChanged: boolean;
}

/**
 * Something for each chunk of a repository, by its place: a row for each block, with as many bytes for each of its chunks. Rows
 * of neighbouring chunks are written together, which keeps the map small and its growth in order, however many chunks there
 * are. Zeros: nothing is known.
 */
export class IdRows {
  private readonly kept = new Map<number, KeptRow>();
  private keptBytes = 0;

  constructor(
    private readonly store: CopyStore,
    private readonly table: 'data' | 'trees',
    private readonly width: number,
  ) {}

  /** What is known of a chunk, a view to be read at once; undefined: nothing. */
  get(pack: CachedPack, block: number, ordinal: number): Buffer | undefined {
    const { bytes } = this.row(pack, block);
    const at = this.width * ordinal;
    // An id of which the first eight bytes are zeros does not come about.
    return bytes.readUInt32LE(at) === 0 && bytes.readUInt32LE(at + 4) === 0
      ? undefined
      : bytes.subarray(at, at + this.width);
  }

  /** Where to write what is known of a chunk, at once. */
  change(pack: CachedPack, block: number, ordinal: number): Buffer {
    const row = this.row(pack, block);
    row.isChanged = true;
    const at = this.width * ordinal;
    return row.bytes.subarray(at, at + this.width);
  }

  /** Writes what was changed, in the order of keys. */
  flush(): void {
    const changed = [...this.kept.values()].filter(({ isChanged }) => isChanged);
    if (changed.length === 0) return;
    changed.sort((a, b) => a.key.compare(b.key));
    this.store.transact(() => {
      for (const { key, bytes } of changed) this.store.put(this.table, key, bytes);
    });
    for (const row of changed) row.isChanged = false;
  }

  /** Removes the rows of packs that are gone, so many at a time. */
  removeUnless(isThere: (pack: string) => boolean): void {
    this.flush();
    const gone = [...this.store.keys(this.table, Buffer.from([0]))].filter(
      (key) => !isThere(key.toString('hex', 0, 32)),
    );
    this.store.transact(() => {
      for (const key of gone) this.store.remove(this.table, key);
    });
  }

  private row(pack: CachedPack, block: number): KeptRow {
    // Numbers of packs are never given twice while the index is open.
    const number = pack.number * 65_536 + block;
    const known = this.kept.get(number);
    if (known !== undefined) return known;
    if (this.keptBytes > KEPT_BYTES) {
      this.flush();
      this.kept.clear();
      this.keptBytes = 0;
    }
    const key = keyOf(pack, block);
    const size = this.width * pack.blocks[block]!.chunks;
    const stored = this.store.get(this.table, key);
    const bytes = stored?.byteLength === size ? Buffer.from(stored) : Buffer.alloc(size);
    const row = { key, bytes, isChanged: false };
    this.kept.set(number, row);
    this.keptBytes += size + 128;
    return row;
  }
}

/** Name of the pack and number of the block. */
function keyOf(pack: CachedPack, block: number): Buffer {
  const key = Buffer.alloc(34);
  key.write(pack.name, 0, 'hex');
  key.writeUInt16BE(block, 32);
  return key;
}
