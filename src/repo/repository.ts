import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Backend,
  checkNewBackend,
  createBackend,
  lookingFirst,
  parseLocation,
} from '../backends/index.js';
import { CbrError, ownIdentity, type ProcessIdentity, type SessionId, toHex } from '../core/index.js';
import { type Algorithms, loadAlgorithms } from './algorithms/algorithms.js';
import {
  type CacheOptions,
  openCache,
  openRowStore,
  type RepositoryCache,
  type RowStore,
  type RowStoreKind,
} from './cache/index.js';
import { ChunkReader, type ChunkReaderOptions } from './chunk-reader.js';
import {
  checkConfig,
  countingConfig,
  createConfig,
  type FoundConfig,
  type FoundConfigs,
  readConfigs,
} from './config.js';
import { readable, type SyncReport, syncIndex } from './index-sync.js';
import { createKeySlot, type KeySlot, openKeySlots } from './key-slots.js';
import { type Keys, keysFrom } from './keys.js';
import { checkModePin } from './mode-pin.js';
import { mediumOptions, openStore, type Report, type StoreAccess, wrapped } from './open-store.js';
import type { RecordContext } from './record-store.js';
import type { ConfigRecord } from './records.js';
import { hasOutcome } from './session.js';
import { waitingMsOf } from './stored-probe.js';
import { tryNewStore } from './try-store.js';
import { listNames, type RecordMemory, type RepositoryView, readView } from './view.js';

export interface OpenOptions extends StoreAccess {
  /** Asked for only when the repository is encrypted. */
  readonly password: () => Promise<Uint8Array>;
  /** Use no native code of ours, as on a machine without a compiler. */
  readonly portable: boolean;
  readonly host: string;
}

/** The parameters that `cbr init` takes; sizes in bytes. */
export interface InitParameters {
  readonly encrypted: boolean;
  readonly chunkBytes: number;
  /** Where they are not a quarter of the above, and four times as much. */
  readonly chunkMin?: number;
  readonly chunkMax?: number;
  readonly blockBytes: number;
  readonly packBytes: number;
  readonly compression: number;
  readonly pad: boolean;
  /** For how long a prune waits before it removes, where the store makes it wait. */
  readonly waitingSeconds?: number;
}

/** A repository whose key is open. */
export interface Repository {
  readonly backend: Backend;
  readonly config: ConfigRecord;
  readonly configNumber: number;
  readonly keys: Keys;
  readonly algorithms: Algorithms;
  readonly records: RecordContext;
  readonly cache: RepositoryCache;
  /** The key that opened it; undefined without encryption. */
  readonly keySlot: KeySlot | undefined;
  /** This process, under the name of its host. */
  readonly identity: ProcessIdentity;
  readonly portable: boolean;
  /**
   * On a store that silently overwrites: milliseconds that a removal waits, and half of which no writer may sleep
   * (docs/protocol.md, "Without create-only"). Absent where the store writes a name once.
   */
  readonly waitingMs?: number;
  readonly now: () => number;
  readonly report: Report;
  /** Opens a database of its own beside the cache; who opens it closes it, before the repository. */
  openRowStore<Name extends string>(kind: RowStoreKind<Name>): Promise<RowStore<Name>>;
  close(): Promise<void>;
}

/** Opens a repository. Rejects with `no-repository`, `wrong-password`, DamagedError, `newer-format`. */
export async function openRepository(options: OpenOptions): Promise<Repository> {
  const backend = await openStore(options);
  try {
    const found = await readConfigs(backend);
    const algorithms = await loadAlgorithms(options.portable);
    const { repository: repositoryId, encrypted } = found[0].config;
    if (!encrypted) {
      const keys = keysFrom({ repositoryId }, algorithms);
      return await assemble(options, backend, found, algorithms, Promise.resolve({ keys }));
    }
    const unlock = async (password: Uint8Array): Promise<Unlocked> => {
      const { master, slot } = await openKeySlots(backend, repositoryId, password, algorithms);
      return { keys: keysFrom({ repositoryId, master }, algorithms), slot };
    };
    return await assemble(options, backend, found, algorithms, unlock(await options.password()));
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** Makes a repository and opens it. Rejects with `repository-exists`, `not-a-repository`, `usage`. */
export async function initRepository(options: OpenOptions, parameters: InitParameters): Promise<Repository> {
  const { chunkBytes, chunkMin = Math.floor(chunkBytes / 4), chunkMax = 4 * chunkBytes } = parameters;
  const config: ConfigRecord = {
    repository: randomBytes(16),
    created: Math.floor(options.now() / 1000),
    encrypted: parameters.encrypted,
    chunkMin,
    chunkTarget: chunkBytes,
    chunkMax,
    blockBytes: parameters.blockBytes,
    packBytes: parameters.packBytes,
    compression: parameters.compression,
    pad: parameters.pad,
  };
  // Before anything is made and anybody is asked for a password.
  checkConfig(config);
  const algorithms = await loadAlgorithms(options.portable);
  const repositoryId = config.repository;
  const master = parameters.encrypted ? randomBytes(32) : undefined;
  const keys = keysFrom(master === undefined ? { repositoryId } : { repositoryId, master }, algorithms);
  const location = parseLocation(options.location);
  await checkNewBackend(location, mediumOptions(options));
  // Whoever breaks off while asked leaves nothing behind.
  const password = master === undefined ? undefined : await options.password();
  const backend = wrapped(await createBackend(location, mediumOptions(options)), options);
  try {
    const isLocal = location.kind === 'local';
    const tried = await tryNewStore(config, backend, isLocal, parameters.waitingSeconds, options.report);
    let slot: KeySlot | undefined;
    // The key first: a repository exists from the moment it has a config, and must be readable then.
    if (master !== undefined && password !== undefined) {
      const about = { label: options.host, created: config.created };
      slot = await createKeySlot(backend, repositoryId, master, password, about, algorithms);
    }
    await createConfig(backend, tried, keys).catch(async (error: unknown) => {
      // Somebody else's config came first: a key that opens nothing must not stay beside theirs.
      if (slot !== undefined) await backend.remove('keys', slot.id).catch(() => undefined);
      throw error;
    });
    backend.room?.reserve();
    const unlocked = Promise.resolve({ keys, slot });
    return await assemble(options, backend, await readConfigs(backend), algorithms, unlocked);
  } catch (error) {
    await backend.close();
    throw error;
  }
}

interface Unlocked {
  readonly keys: Keys;
  readonly slot?: KeySlot | undefined;
}

/** Opens the cache while the password is stretched, which takes 0.2 s in a thread of its own. */
async function assemble(
  options: OpenOptions,
  backend: Backend,
  found: FoundConfigs,
  algorithms: Algorithms,
  unlocking: Promise<Unlocked>,
): Promise<Repository> {
  const { encrypted } = found[0].config;
  const checkMode = (): void => checkModePin(options.cacheRoot, backend.location, encrypted);
  // Without encryption nothing else tells whether this is the repository that was here before.
  if (!encrypted) checkMode();
  const identity = ownIdentity(options.host);
  const place = cacheOptions(options, identity, backend.location, found[0].config);
  const opening = openRepositoryCache(options, place);
  const [unlocked, opened] = await Promise.allSettled([unlocking, opening]);
  try {
    if (unlocked.status === 'rejected') throw unlocked.reason;
    if (opened.status === 'rejected') throw opened.reason;
    const { keys, slot } = unlocked.value;
    const counting = countingConfig(found, keys);
    if (counting !== found[0]) reportIgnored(found[0], counting, options.report);
    if (encrypted) checkMode();
    return repositoryOf(options, backend, counting, algorithms, keys, slot, place, opened.value);
  } catch (error) {
    if (opened.status === 'fulfilled') await opened.value.close();
    throw error;
  }
}

function reportIgnored(ignored: FoundConfig, counting: FoundConfig, report: Report): void {
  const what = `config/${ignored.number} is no valid config of this repository; config/${counting.number} is used.`;
  report(`${what} Somebody may have put it there. Run: cbr check`, 'notice');
}

function repositoryOf(
  options: OpenOptions,
  backend: Backend,
  { config, number }: FoundConfig,
  algorithms: Algorithms,
  keys: Keys,
  keySlot: KeySlot | undefined,
  place: CacheOptions,
  cache: RepositoryCache,
): Repository {
  const records: RecordContext = {
    keys,
    zstd: algorithms.zstd,
    compression: { zstd: algorithms.zstd, level: config.compression, pad: config.pad },
  };
  const waitingMs = waitingMsOf(config, backend);
  return {
    ...(waitingMs === undefined ? { backend } : { backend: lookingFirst(backend), waitingMs }),
    config,
    configNumber: number,
    keys,
    algorithms,
    records,
    cache,
    keySlot,
    identity: place.identity,
    portable: options.portable,
    now: options.now,
    report: options.report,
    openRowStore: (kind) => openRowStore({ ...place, folder: join(place.folder, kind.folder) }, kind),
    close: async () => {
      await cache.close();
      await backend.close();
    },
  };
}

function cacheOptions(
  options: OpenOptions,
  identity: ProcessIdentity,
  location: string,
  config: ConfigRecord,
): CacheOptions {
  const id = toHex(config.repository);
  const place = createHash('sha256').update(location).digest('hex').slice(0, 16);
  return {
    folder: join(options.cacheRoot, `${id.slice(0, 16)}-${place}`),
    repositoryId: config.repository,
    encrypted: config.encrypted,
    location,
    identity,
    now: options.now,
    report: options.report,
  };
}

async function openRepositoryCache(options: OpenOptions, place: CacheOptions): Promise<RepositoryCache> {
  await mkdir(options.cacheRoot, { recursive: true, mode: 0o700 }).catch(() => undefined);
  return openCache(place);
}

/** Records that never change need not be read twice. */
export function recordMemory(cache: RepositoryCache): RecordMemory {
  return {
    get: (kind, name) => cache.getRecord(kind, name),
    put: (kind, name, stored) => cache.putRecord(kind, name, stored),
  };
}

/** What a command knows of the repository after reading it in the order of rule 8. */
export interface LoadedRepository {
  readonly view: RepositoryView;
  readonly sync: SyncReport;
}

export async function loadRepository(repository: Repository): Promise<LoadedRepository> {
  const { backend, records, cache, waitingMs } = repository;
  for (let readings = 1; ; readings++) {
    const view = await readView(backend, records, recordMemory(cache));
    const sync = await syncIndex({ backend, records, cache }, view, readable(view, waitingMs !== undefined));
    if (readings === MOST_READINGS || !(await isOutdated(repository, view, sync))) return { view, sync };
  }
}

/**
 * Whether something happened while it was read that has to be read again (rule 8): a listed segment was gone when it was to be
 * read, since a prune has merged it into another one; or the author of a segment has ended that had not when the snapshots
 * were listed, and those that were listed later may rely on it.
 */
export async function isOutdated(
  { backend }: Pick<Repository, 'backend'>,
  view: RepositoryView,
  sync: SyncReport,
): Promise<boolean> {
  if (sync.gone > 0) return true;
  // A listing in pages may miss one that came meanwhile, and have another that saw it.
  const missed = new Set([...undecidedAuthors(view, sync), ...view.vanished]);
  for (const session of missed) if (await hasOutcome(backend, session)) return true;
  return false;
}

/** Sessions that wrote segments and had no outcome when it was looked for. */
export function undecidedAuthors(view: RepositoryView, { uncounted }: SyncReport): Set<SessionId> {
  const authors = new Set<SessionId>();
  for (const author of uncounted.values()) {
    if (author.kind !== 'session') continue;
    if (!view.outcomes.has(author.session) && !view.forgotten.has(author.session))
      authors.add(author.session);
  }
  return authors;
}

/** What is listed so often and is not there is not there. */
const MOST_READINGS = 3;

/** A reader of chunks that reads the index again when what it names is gone, as long as the index keeps changing (rule 28). */
export function chunkReader(
  repository: Repository,
  loaded: LoadedRepository,
  options: ChunkReaderOptions = {},
): ChunkReader {
  const { backend, keys, algorithms, cache } = repository;
  let known = fingerprint(loaded.view.segments.keys(), loaded.view.leases.keys());
  const reloadOnce = async (): Promise<boolean> => {
    // Two short lists first: a lost pack makes this ask once for each of its chunks.
    const leases = (await listNames(backend, 'leases')).map(
      (name) => /^prune\/([1-9][0-9]{0,8})$/.exec(name)?.[1],
    );
    const now = fingerprint(
      await listNames(backend, 'index'),
      leases.filter((number) => number !== undefined),
    );
    if (now === known) return false;
    await loadRepository(repository);
    known = now;
    return true;
  };
  let reloading: Promise<boolean> | undefined;
  // Whoever asks while the index is read waits for the end of it: until then it says old and new things.
  const reload = (): Promise<boolean> => {
    reloading ??= reloadOnce().finally(() => {
      reloading = undefined;
    });
    return reloading;
  };
  return new ChunkReader(backend, keys, algorithms, cache, reload, options);
}

/** A reader for a writer: it knows what was there when the session was registered, and nothing later. */
export function fixedChunkReader({ backend, keys, algorithms, cache }: Repository): ChunkReader {
  return new ChunkReader(backend, keys, algorithms, cache, async () => false);
}

function fingerprint(segments: Iterable<string>, leases: Iterable<string | number>): string {
  return `${[...segments].sort().join()} ${[...leases].map(String).sort().join()}`;
}

/** The snapshots that no other one names as seen: what a new snapshot has to name. */
export function unnamedSnapshots(view: RepositoryView): SessionId[] {
  const named = new Set<string>();
  const snapshots: SessionId[] = [];
  for (const [sid, outcome] of view.outcomes) {
    if (outcome instanceof CbrError || outcome.outcome !== 'commit') continue;
    snapshots.push(sid);
    for (const seen of outcome.seen) named.add(toHex(seen));
  }
  return snapshots.filter((sid) => !named.has(sid) && !view.forgotten.has(sid)).sort();
}
