import { randomBytes } from 'node:crypto';
import {
  CHUNK_ID_BYTES,
  type ChunkId,
  chunkIdAt,
  type SessionId,
  sameBytes,
  toHex,
} from '../../core/index.js';
import type { CachedPack, Repository, RowStoreKind } from '../../repo/index.js';
import type { ChunkReference } from '../entry.js';
import { type CopyStore, type CopyTables, IdRows } from './id-rows.js';

/**
 * Which chunk of the source became which of the target: kept beside the target's cache, so that the next copy reads only what
 * is new. It never says that the target has a chunk; that says its index alone.
 */

/** id 32 · plain length u32 · number of the session that copied it with all below it u32. */
const TREE_WIDTH = CHUNK_ID_BYTES + 8;

const TOKEN = Buffer.from('cache');
const NEXT = Buffer.from('next session');
/** The value of the target's cache that ties the map to it. */
const CACHE_VALUE = 'copied chunks';
/** A map with more rows than this above twice those of the source is cleared of packs that are gone. */
const SPARE_ROWS = 4096;

function kindOf(source: Repository): RowStoreKind<CopyTables> {
  return {
    folder: `copied-from-${toHex(source.config.repository).slice(0, 16)}`,
    what: 'map of copied chunks',
    schema: 1,
    tables: ['data', 'trees', 'sessions'],
    patienceMs: 5000,
  };
}

/** What a tree, a page of one, or a content list has become. */
export interface CopiedTree {
  readonly reference: ChunkReference;
  /** The session that copied it with all below it; 0: none. */
  readonly session: number;
}

/** A session of the target that copied trees. */
export interface CopySession {
  readonly id: SessionId;
  /** Of the target's index when it began: see `isStateCurrent`. */
  readonly generation: number;
}

export class CopiedIds {
  /** Of repositories that name content alike: the map is the identity, and nothing is written down. */
  readonly areSame: boolean;
  private readonly data: IdRows;
  private readonly trees: IdRows;
  private hasCopies: boolean | undefined;

  private constructor(
    private readonly source: Repository,
    private readonly store: CopyStore,
    /** Whether sessions are told apart for good. */
    private readonly isLasting: boolean,
    areSame: boolean,
  ) {
    this.areSame = areSame;
    this.data = new IdRows(store, 'data', CHUNK_ID_BYTES);
    this.trees = new IdRows(store, 'trees', TREE_WIDTH);
  }

  static async open(source: Repository, target: Repository): Promise<CopiedIds> {
    const store = await target.openRowStore(kindOf(source));
    try {
      // What a process alone knows of the index must not be taken for what all of them know.
      const isLasting = !target.cache.isPrivate && !store.isPrivate;
      if (isLasting) tie(store, target);
      return new CopiedIds(source, store, isLasting, !source.keys.encrypted && !target.keys.encrypted);
    } catch (error) {
      await store.close();
      throw error;
    }
  }

  /** The id that content has in the target; undefined where it is not known. Whether it is there says the target's index. */
  dataId(id: ChunkId): ChunkId | undefined {
    if (this.areSame) return id;
    const { cache } = this.source;
    const place = cache.lookup(id);
    const pack = place && cache.pack(place.pack);
    if (place === undefined || pack === undefined) return undefined;
    const found = this.data.get(pack, place.block, place.ordinal) ?? this.dataOfCopy(id);
    return found && chunkIdAt(found);
  }

  /** Of a chunk that lies in several packs, any of the places may have been read. */
  private dataOfCopy(id: ChunkId): Buffer | undefined {
    const { cache } = this.source;
    // Asked once: it takes long, and what comes while this runs is only read again.
    this.hasCopies ??= cache.hasCopies;
    if (!this.hasCopies) return undefined;
    for (const { pack: number, block, ordinal } of cache.places(id)) {
      const pack = cache.pack(number);
      const found = pack && this.data.get(pack, block, ordinal);
      if (found !== undefined) return found;
    }
    return undefined;
  }

  setData(pack: CachedPack, block: number, ordinal: number, newId: Uint8Array): void {
    if (!this.areSame) this.data.change(pack, block, ordinal).set(newId);
  }

  tree(id: ChunkId): CopiedTree | undefined {
    const { cache } = this.source;
    const place = cache.lookup(id);
    const pack = place && cache.pack(place.pack);
    if (place === undefined || pack === undefined) return undefined;
    const row = this.trees.get(pack, place.block, place.ordinal);
    if (row === undefined) return undefined;
    return {
      reference: { id: chunkIdAt(row), length: row.readUInt32LE(CHUNK_ID_BYTES) },
      session: row.readUInt32LE(CHUNK_ID_BYTES + 4),
    };
  }

  setTree(id: ChunkId, { reference, session }: CopiedTree): void {
    const { cache } = this.source;
    const place = cache.lookup(id);
    const pack = place && cache.pack(place.pack);
    if (place === undefined || pack === undefined) return;
    const row = this.trees.change(pack, place.block, place.ordinal);
    row.write(reference.id, 0, 'latin1');
    row.writeUInt32LE(reference.length, CHUNK_ID_BYTES);
    row.writeUInt32LE(session, CHUNK_ID_BYTES + 4);
  }

  /** The number under which trees name a session that begins; it counts for something only if the session commits. */
  addSession({ id, generation }: CopySession): number {
    const { store } = this;
    return store.transact(() => {
      const number = store.get('meta', NEXT)?.readUInt32LE(0) ?? 1;
      const value = Buffer.alloc(20);
      value.write(id, 0, 'hex');
      value.writeUInt32LE(generation, 16);
      // What a private cache has seen is not what the shared one will have.
      if (this.isLasting) store.put('sessions', numberKey(number), value);
      store.put('meta', NEXT, u32(number + 1));
      return number;
    });
  }

  /** Undefined where what it says could not be told from what another cache says. */
  session(number: number): CopySession | undefined {
    if (!this.isLasting) return undefined;
    const value = this.store.get('sessions', numberKey(number));
    if (value?.byteLength !== 20) return undefined;
    return { id: value.toString('hex', 0, 16) as SessionId, generation: value.readUInt32LE(16) };
  }

  flush(): void {
    this.data.flush();
    this.trees.flush();
  }

  /** Forgets what was known of packs that the source has no more, when there is much of it. */
  tidy(): void {
    const { cache } = this.source;
    this.flush();
    const rows = this.store.count('data') + this.store.count('trees');
    const packs = cache.allPacks();
    const blocks = packs.reduce((sum, pack) => sum + pack.blocks.length, 0);
    if (rows <= 2 * blocks + SPARE_ROWS) return;
    const names = new Set<string>(packs.map(({ name }) => name));
    for (const each of [this.data, this.trees]) each.removeUnless((name) => names.has(name));
  }

  async close(): Promise<void> {
    await this.store.close();
  }
}

/** A cache that was built anew counts from the start again what has gone: what sessions said before it is void. */
function tie(store: CopyStore, { cache }: Repository): void {
  let token = cache.getValue(CACHE_VALUE);
  if (token === undefined) {
    token = randomBytes(16);
    cache.setValue(CACHE_VALUE, token);
  }
  const tied = store.get('meta', TOKEN);
  if (tied !== undefined && sameBytes(tied, token)) return;
  const old = [...store.keys('sessions', Buffer.from([0]))];
  const value = token;
  store.transact(() => {
    for (const key of old) store.remove('sessions', key);
    store.put('meta', TOKEN, value);
  });
}

function u32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value, 0);
  return bytes;
}

function numberKey(number: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(number, 0);
  return key;
}
