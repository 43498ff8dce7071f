import {
  CbrError,
  type ChunkId,
  chunkIdBytes,
  messageOf,
  type ObjectDigest,
  type SessionId,
} from '../../core/index.js';
import {
  beginSession,
  fixedChunkReader,
  knownChunks,
  type LoadedRepository,
  loadRepository,
  PackStore,
  type Reference,
  type Repository,
  type RunningSession,
  readNotes,
  recordMemory,
  unnamedSnapshots,
} from '../../repo/index.js';
import { annotateSnapshot, isPinned, withNote } from '../notes.js';
import { walkReachable } from '../prune/reach.js';
import { listSnapshots } from '../select-snapshot.js';
import { encodeAbout, type Snapshot } from '../snapshot-record.js';
import { contentIdentity } from './content-identity.js';
import { readForgotten } from './forgotten-snapshots.js';
import { StoredAgain, type WantedChunk } from './stored-again.js';
import { isLoss } from './whole-roots.js';

export interface UnforgetOptions {
  /** Who does it, at most 1024 bytes; asked for when a pin is set again. */
  readonly by: string;
  readonly nowSeconds: number;
  readonly signal: AbortSignal;
}

export interface Unforgotten {
  /** An id of its own, all else as it was. */
  readonly snapshot: Snapshot;
  /** False when it had been brought back before, and is still there. */
  readonly isNew: boolean;
  /** Plain bytes of chunks that were about to be removed and were stored again. */
  readonly storedAgain: number;
}

/** As for a snapshot: after being fenced it starts over; more often than this something else is wrong. */
const MAX_ATTEMPTS = 3;
/** So many chunks are looked for before they are stored again, in the order in which packs hold them. */
const MOST_WANTED = 200_000;

/**
 * Brings a forgotten snapshot back, as a writer (docs/protocol.md rule 13): commits a new snapshot of its root after looking up
 * every chunk that this reaches, and storing again those that are condemned. Tags, comment and pin are those it had last. Done
 * again it makes no second one.
 * Rejects with `not-found` when it was not forgotten and when its packs were swept, with DamagedError when its record cannot
 * be opened, and with the signal's reason; nothing is committed then.
 */
export async function unforgetSnapshot(
  repository: Repository,
  id: SessionId,
  options: UnforgetOptions,
): Promise<Unforgotten> {
  for (let attempt = 1; ; attempt++) {
    try {
      const old = await lastKnown(repository, id);
      const there = await broughtBack(repository, old);
      const { snapshot, storedAgain } =
        there === undefined
          ? await unforgetOnce(repository, old, options.signal)
          : { snapshot: there, storedAgain: 0 };
      await pinAgain(repository, snapshot, options);
      return { snapshot, isNew: there === undefined, storedAgain };
    } catch (error) {
      const isFenced = error instanceof CbrError && error.code === 'fenced';
      if (!isFenced || attempt === MAX_ATTEMPTS) throw error;
      repository.report('Another machine held this run for dead: starting over.', 'notice');
    }
  }
}

/** What has brought it back before and is there; with its pin, which a run that was killed may not have set any more. */
async function broughtBack(repository: Repository, old: Snapshot): Promise<Snapshot | undefined> {
  const { backend, records, cache } = repository;
  const identity = contentIdentity(old);
  const { snapshots } = await listSnapshots(repository);
  const found = snapshots.find((each) => contentIdentity(each) === identity);
  if (found === undefined || old.pin === undefined) return found;
  const notes = await readNotes({ backend, records, memory: recordMemory(cache) }, new Set([found.id]));
  return notes.has(found.id) ? found : { ...found, pin: old.pin };
}

async function unforgetOnce(
  repository: Repository,
  old: Snapshot,
  signal: AbortSignal,
): Promise<Omit<Unforgotten, 'isNew'>> {
  const session = await beginSession(repository);
  let store: PackStore | undefined;
  try {
    const loaded = await loadRepository(repository);
    const { backend, records, cache } = repository;
    const known = knownChunks(cache, loaded.sync.unreliable);
    const author = { kind: 'session', session: session.id } as const;
    store = new PackStore({ backend, records, known, author, clock: () => performance.now() });
    const { storedAgain, segments } = await storeReachable(repository, store, old, signal);
    signal.throwIfAborted();
    // Invariants I1 to I4: every chunk is named by a segment that counts, or by one of these, which are durable.
    await commit(session, loaded, old, segments);
    return { snapshot: { ...old, id: session.id }, storedAgain };
  } catch (error) {
    await giveUp(session, store, error);
    throw error;
  } finally {
    session.stop();
  }
}

/** The snapshot is back by now, so that what fails here is only told. */
async function pinAgain(
  repository: Repository,
  snapshot: Snapshot,
  { by, nowSeconds }: UnforgetOptions,
): Promise<void> {
  const { id, pin } = snapshot;
  if (pin === undefined || !isPinned(snapshot, nowSeconds)) return;
  try {
    await annotateSnapshot(repository, snapshot, { pin }, by, nowSeconds);
  } catch (error) {
    const what = `Snapshot ${id.slice(0, 8)} is back, but its pin could not be set again`;
    repository.report(`${what}: ${messageOf(error)}.`, 'notice');
  }
}

/** The forgotten snapshot with what its notes changed, as long as those are there. */
async function lastKnown({ backend, records, cache }: Repository, id: SessionId): Promise<Snapshot> {
  const { snapshot } = await readForgotten({ backend, records }, id);
  const notes = await readNotes({ backend, records, memory: recordMemory(cache) }, new Set([id]));
  return withNote(snapshot, notes.get(id));
}

async function storeReachable(
  repository: Repository,
  store: PackStore,
  { id, root }: Snapshot,
  signal: AbortSignal,
): Promise<{ readonly storedAgain: number; readonly segments: readonly ObjectDigest[] }> {
  const again = new StoredAgain(repository, store);
  // It relies on what it read when it registered, and on nothing later (W2).
  const reader = fixedChunkReader(repository);
  const trees = new Set<ChunkId>();
  let wanted: WantedChunk[] = [];
  const storeWanted = async (): Promise<void> => {
    const chunks = wanted;
    wanted = [];
    await again.add(chunks, signal);
  };
  try {
    await walkReachable(root, {
      see: (kind, reference: Reference) => {
        if (kind === 'tree') {
          if (trees.has(reference.id)) return false;
          trees.add(reference.id);
        }
        if (store.claim(reference.id)) wanted.push({ kind, reference });
        return true;
      },
      read: async (reference) => {
        signal.throwIfAborted();
        if (wanted.length >= MOST_WANTED) await storeWanted();
        return reader.read('tree', reference.id, reference.length);
      },
    });
    await storeWanted();
    again.finish();
    return { storedAgain: again.bytes, segments: await store.finish() };
  } catch (error) {
    again.abandon();
    throw isLoss(error) ? swept(id, error) : error;
  }
}

function swept(id: SessionId, cause: CbrError): CbrError {
  const reason = `not all that it holds is still stored, because a prune has removed it or is just doing so (${cause.message})`;
  return new CbrError('not-found', `snapshot ${id.slice(0, 8)} cannot be brought back: ${reason}`, {
    cause,
    hint: 'Where no prune has run since it was forgotten, something is damaged: run cbr check',
  });
}

async function commit(
  session: RunningSession,
  { view }: LoadedRepository,
  { root, about }: Snapshot,
  segments: readonly ObjectDigest[],
): Promise<void> {
  await session.commit({
    root: { id: chunkIdBytes(root.id), length: root.length },
    segments: segments.map((name) => Buffer.from(name, 'hex')),
    seen: unnamedSnapshots(view).map((sid) => Buffer.from(sid, 'hex')),
    about: encodeAbout(about),
  });
}

/** Ends the session by a fence that names what was stored. What goes wrong here must not hide why. */
async function giveUp(session: RunningSession, store: PackStore | undefined, error: unknown): Promise<void> {
  if (error instanceof CbrError && error.code === 'fenced') return;
  try {
    await session.abort(store === undefined ? [] : await store.salvage());
  } catch {
    // The next run of this host ends the session, since its process is gone by then.
  }
}
