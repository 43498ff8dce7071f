import { createHash, randomBytes } from 'node:crypto';
import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Backend,
  checkNewBackend,
  createBackend,
  lookingFirst,
  parseLocation,
  withPackCache,
} from '../backends/index.js';
import { ownIdentity, type ProcessIdentity, toHex } from '../core/index.js';
import { type Algorithms, loadAlgorithms } from './algorithms/algorithms.js';
import {
  type CacheOptions,
  openCache,
  openRowStore,
  type RepositoryCache,
  type RowStore,
  type RowStoreKind,
} from './cache/index.js';
import { checkConfig, countingConfig, createConfig, type FoundConfig, readConfigs } from './config.js';
import { createKeySlot, type KeySlot } from './key-slots.js';
import { type Keys, keysFrom } from './keys.js';
import { checkModePin } from './mode-pin.js';
import { mediumOptions, openStore, type Report, type StoreAccess, wrapped } from './open-store.js';
import { RecentView } from './recent-view.js';
import type { RecordContext } from './record-store.js';
import type { ConfigRecord } from './records.js';
import {
  areListed,
  asReader,
  keepOpening,
  nothingNoted,
  notingOpening,
  notingWrites,
  type OpeningObjects,
  type OpeningReader,
  rememberedOpening,
} from './remembered-opening.js';
import { waitingMsOf } from './stored-probe.js';
import { tryNewStore } from './try-store.js';
import { type Unlocking, unlock } from './unlock.js';

/** Packs of trees that are kept of a repository on another machine: those of some ten million files. */
const PACK_CACHE_BYTES = 2 ** 30;

export interface OpenOptions extends StoreAccess {
  /** Asked for only when the repository is encrypted. */
  readonly password: () => Promise<Uint8Array>;
  /** Nobody has to type it: it may be asked for before the store has answered. */
  readonly passwordIsAtHand?: boolean;
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
  readonly recentView: RecentView;
  /** Opens a database of its own beside the cache; who opens it closes it, before the repository. */
  openRowStore<Name extends string>(kind: RowStoreKind<Name>): Promise<RowStore<Name>>;
  close(): Promise<void>;
}

/** Opens a repository. Rejects with `no-repository`, `wrong-password`, DamagedError, `newer-format`. */
export async function openRepository(options: OpenOptions): Promise<Repository> {
  const { kind, text } = parseLocation(options.location);
  const remembered = kind === 'local' ? undefined : rememberedOpening(options.cacheRoot, cacheSuffix(text));
  let asked: Promise<Uint8Array> | undefined;
  const password = (): Promise<Uint8Array> => {
    asked ??= options.password();
    return asked;
  };
  const unlockBy = (reader: OpeningReader): Promise<Unlocking> => unlock(reader, password, options.portable);
  // Begun before the store is asked, and counts only if that lists the same.
  const early =
    remembered !== undefined && options.passwordIsAtHand ? unlockBy(asReader(remembered, text)) : undefined;
  early?.catch(() => undefined);
  const backend = await openStore(options);
  try {
    if (remembered !== undefined && (await areListed(backend, remembered)))
      return await assemble(options, backend, await (early ?? unlockBy(asReader(remembered, text))));
    const objects = nothingNoted();
    const unlocking = await unlockBy(notingOpening(backend, objects));
    const opened = await assemble(options, backend, unlocking);
    const { damagedKeys } = await unlocking.unlocked;
    const [highest] = unlocking.found;
    // What was passed over may be mended under its name: it has to be read again.
    const isAllUsed = damagedKeys === 0 && unlocking.found.length === objects.config.size;
    if (kind !== 'local' && isAllUsed && opened.configNumber === highest.number)
      rememberOpening(options, opened, text, objects);
    return opened;
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
    const objects = nothingNoted();
    const noting = notingWrites(backend, objects);
    let slot: KeySlot | undefined;
    // The key first: a repository exists from the moment it has a config, and must be readable then.
    if (master !== undefined && password !== undefined) {
      const about = { label: options.host, created: config.created };
      slot = await createKeySlot(noting, repositoryId, master, password, about, algorithms);
    }
    await createConfig(noting, tried, keys).catch(async (error: unknown) => {
      // Somebody else's config came first: a key that opens nothing must not stay beside theirs.
      if (slot !== undefined) await backend.remove('keys', slot.id).catch(() => undefined);
      throw error;
    });
    backend.room?.reserve();
    const unlocked = Promise.resolve({ keys, slot });
    const found = await readConfigs(backend);
    const made = await assemble(options, backend, { found, algorithms, unlocked });
    if (location.kind !== 'local') rememberOpening(options, made, location.text, objects);
    return made;
  } catch (error) {
    await backend.close();
    throw error;
  }
}

/** Opens the cache while the password is stretched. */
async function assemble(
  options: OpenOptions,
  backend: Backend,
  { found, algorithms, unlocked: unlocking }: Unlocking,
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
    const folder = join(place.folder, 'packs');
    const cached = backend.isRemote
      ? withPackCache(backend, { folder, mostBytes: PACK_CACHE_BYTES, now: options.now })
      : backend;
    return repositoryOf(options, cached, counting, algorithms, keys, slot, place, opened.value);
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
    recentView: new RecentView(),
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
  return {
    folder: cacheFolder(options, config, location),
    repositoryId: config.repository,
    encrypted: config.encrypted,
    location,
    identity,
    now: options.now,
    report: options.report,
  };
}

/** Not where a name can be written twice: two machines that note something at the same time would keep different configs for ever. */
function rememberOpening(
  options: OpenOptions,
  { config, waitingMs }: Repository,
  location: string,
  objects: OpeningObjects,
): void {
  if (waitingMs === undefined) keepOpening(cacheFolder(options, config, location), objects);
}

function cacheFolder({ cacheRoot }: OpenOptions, { repository }: ConfigRecord, location: string): string {
  return join(cacheRoot, `${toHex(repository).slice(0, 16)}${cacheSuffix(location)}`);
}

/** Ends the names of the caches of all repositories that were ever at that location. */
function cacheSuffix(location: string): string {
  return `-${createHash('sha256').update(location).digest('hex').slice(0, 16)}`;
}

async function openRepositoryCache(options: OpenOptions, place: CacheOptions): Promise<RepositoryCache> {
  await mkdir(options.cacheRoot, { recursive: true, mode: 0o700 }).catch(() => undefined);
  return openCache(place);
}
