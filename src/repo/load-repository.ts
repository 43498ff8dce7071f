import { CbrError, type SessionId, toHex } from '../core/index.js';
import type { RepositoryCache } from './cache/index.js';
import { ChunkReader, type ChunkReaderOptions } from './chunk-reader.js';
import { readable, type SyncReport, syncIndex } from './index-sync.js';
import type { Repository } from './repository.js';
import { hasOutcome } from './session.js';
import { listNames, type RecordMemory, type RepositoryView, readView } from './view.js';

/** Records that never change need not be read twice. */
export function recordMemory(cache: RepositoryCache): RecordMemory {
  return {
    get: (kind, name) => cache.getRecord(kind, name),
    put: (kind, name, stored) => cache.putRecord(kind, name, stored),
  };
}

/** As `recordMemory`, for what an outcome or an epoch is judged by. */
export function memoryFor({ cache, waitingMs }: Pick<Repository, 'cache' | 'waitingMs'>): RecordMemory {
  return { ...recordMemory(cache), changes: waitingMs !== undefined };
}

/** What a command knows of the repository after reading it in the order of rule 8. */
export interface LoadedRepository {
  readonly view: RepositoryView;
  readonly sync: SyncReport;
}

/** Reads the repository and brings the chunk index in line with it. Whoever writes does so after it has registered (W2). */
export async function loadRepository(repository: Repository): Promise<LoadedRepository> {
  return load(repository, undefined, false);
}

/**
 * As `loadRepository`, for those who only read: what was read a moment ago, to choose a snapshot, counts, and packs are listed only
 * when a read fails, or something that the index names has gone.
 */
export async function loadForReading(repository: Repository): Promise<LoadedRepository> {
  return load(repository, repository.recentView.take(repository.now()), true);
}

async function load(
  repository: Repository,
  recent: RepositoryView | undefined,
  isReader: boolean,
): Promise<LoadedRepository> {
  const { backend, records, cache, waitingMs } = repository;
  for (let readings = 1; ; readings++) {
    const isRecent = readings === 1 && recent !== undefined;
    const view = isRecent ? recent : await readView(backend, records, memoryFor(repository));
    const counts = readable(view, waitingMs !== undefined);
    const sync = await syncIndex({ backend, records, cache }, view, counts, { isReader });
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
  let { arePacksListed } = loaded.sync;
  const reloadOnce = async (): Promise<boolean> => {
    // Two short lists first: a lost pack makes this ask once for each of its chunks.
    const leases = (await listNames(backend, 'leases')).map(
      (name) => /^prune\/([1-9][0-9]{0,8})$/.exec(name)?.[1],
    );
    const now = fingerprint(
      await listNames(backend, 'index'),
      leases.filter((number) => number !== undefined),
    );
    // As long as they are not listed nobody knows which packs the index names in vain, and what else has their chunks.
    if (now === known && arePacksListed) return false;
    await loadRepository(repository);
    known = now;
    arePacksListed = true;
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
