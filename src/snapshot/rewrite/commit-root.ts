import { CbrError, type ChunkId, chunkIdBytes, type ObjectDigest, type SessionId } from '../../core/index.js';
import {
  beginSession,
  chunkReader,
  fixedChunkReader,
  type KnownChunks,
  knownChunks,
  type LoadedRepository,
  loadRepository,
  PackStore,
  type Reference,
  type Repository,
  type RunningSession,
  unnamedSnapshots,
  validSnapshots,
} from '../../repo/index.js';
import type { ReadTreeChunk, StoreTreeChunk } from '../content-list.js';
import type { ChunkReference } from '../entry.js';
import { StoredAgain, type WantedChunk } from '../forget/stored-again.js';
import { isLoss } from '../forget/whole-roots.js';
import { walkReachable } from '../prune/reach.js';
import { type AboutSnapshot, encodeAbout, type Snapshot } from '../snapshot-record.js';
import { treeStore } from '../take/tree-store.js';

/** Commits snapshots that are made of what is stored already: those brought back, rewritten and merged. */

/** What a root is made with: it reads what was there when the session was registered, and stores what is new. */
export interface RootParts {
  readonly read: ReadTreeChunk;
  readonly put: StoreTreeChunk;
  /** Whether a snapshot is there, and nobody has forgotten it. */
  readonly isValid: (id: SessionId) => boolean;
}

/** What a run has stored, in bytes. */
export interface StoredForRoot {
  /** Packs and index segments. */
  readonly stored: number;
  /** Plain bytes of chunks that were about to be removed. */
  readonly again: number;
}

export interface MadeRoot {
  readonly root: ChunkReference;
  readonly about: (stored: StoredForRoot) => AboutSnapshot;
}

export interface CommitRequest {
  /** Asked once for each session: it must remember nothing of an earlier one. */
  readonly make: (parts: RootParts) => Promise<MadeRoot>;
  /** The error for what is no longer stored, and what cannot be read. */
  readonly lost: (cause: CbrError) => CbrError;
  readonly signal: AbortSignal;
}

export interface CommittedRoot {
  readonly snapshot: Snapshot;
  readonly storedAgain: number;
}

/** As for a snapshot: after being fenced it starts over; more often than this something else is wrong. */
const MAX_ATTEMPTS = 3;
/** So many chunks are looked for before they are stored again, in the order in which packs hold them. */
const MOST_WANTED = 200_000;

/**
 * Commits a snapshot as a writer (docs/protocol.md rule 13): makes its root, then looks up every chunk that this reaches, and
 * stores again those that are condemned. Starts over as a new session when it was fenced, and when something was gone because a
 * prune has moved it. Rejects with what `lost` says when something is not stored, and with the signal's reason; nothing is
 * committed then.
 */
export async function commitRoot(repository: Repository, request: CommitRequest): Promise<CommittedRoot> {
  for (let attempt = 1; ; attempt++) {
    const run = new Attempt(repository, request);
    try {
      return await run.commit();
    } catch (error) {
      if (attempt < MAX_ATTEMPTS) {
        if (error instanceof CbrError && error.code === 'fenced') {
          repository.report('Another machine held this run for dead: starting over.', 'notice');
          continue;
        }
        if (isLoss(error) && (await run.isOutdated())) continue;
      }
      throw run.isWriting && isLoss(error) ? request.lost(error) : error;
    }
  }
}

/** One session. */
class Attempt {
  private readonly stores: PackStore[] = [];
  private loaded: LoadedRepository | undefined;

  constructor(
    private readonly repository: Repository,
    private readonly its: CommitRequest,
  ) {}

  /** It has read the index: what is lost from then on is something that the snapshot needs. */
  get isWriting(): boolean {
    return this.loaded !== undefined;
  }

  async commit(): Promise<CommittedRoot> {
    const session = await beginSession(this.repository);
    try {
      this.loaded = await loadRepository(this.repository);
      return await this.commitIn(session, this.loaded);
    } catch (error) {
      await this.giveUp(session, error);
      throw error;
    } finally {
      session.stop();
    }
  }

  /** Whether the index has changed since it was read: what was gone may be elsewhere (rule 28). */
  async isOutdated(): Promise<boolean> {
    return this.loaded !== undefined && chunkReader(this.repository, this.loaded).refresh();
  }

  private async commitIn(session: RunningSession, loaded: LoadedRepository): Promise<CommittedRoot> {
    const { its, repository } = this;
    const known = knownChunks(repository.cache, loaded.sync.unreliable);
    const valid = validSnapshots(loaded.view);
    const made = await this.makeRoot(session, known, (id) => valid.has(id));
    const { root } = made;
    const storedAgain = await this.storeReachable(session, known, root);
    its.signal.throwIfAborted();
    const about = made.about({
      stored: this.stores.reduce((sum, { totals }) => sum + totals.stored, 0),
      again: storedAgain,
    });
    const segments = this.stores.flatMap(({ segmentNames }) => segmentNames);
    // Invariants I1 to I4: every chunk is named by a segment that counts, or by one of these, which are durable.
    await session.commit({
      root: { id: chunkIdBytes(root.id), length: root.length },
      segments: segments.map((name) => Buffer.from(name, 'hex')),
      seen: unnamedSnapshots(loaded.view).map((sid) => Buffer.from(sid, 'hex')),
      about: encodeAbout(about),
    });
    return { snapshot: { id: session.id, root, about }, storedAgain };
  }

  /** Resolves when all that is new is durable and named by segments of this session. */
  private async makeRoot(
    session: RunningSession,
    known: KnownChunks,
    isValid: RootParts['isValid'],
  ): Promise<MadeRoot> {
    const store = this.newStore(session, known);
    const trees = treeStore(this.repository, store);
    try {
      // It relies on what it read when it registered, and on nothing later (W2).
      const reader = fixedChunkReader(this.repository);
      const read: ReadTreeChunk = ({ id, length }) => {
        this.its.signal.throwIfAborted();
        return reader.read('tree', id, length);
      };
      const made = await this.its.make({ read, put: trees.put, isValid });
      trees.finish();
      await store.finish();
      return made;
    } catch (error) {
      trees.abandon();
      throw error;
    }
  }

  /** Looks up what the root reaches; returns the plain bytes that had to be stored again. */
  private async storeReachable(
    session: RunningSession,
    known: KnownChunks,
    root: Reference,
  ): Promise<number> {
    const { signal } = this.its;
    const store = this.newStore(session, known);
    const again = new StoredAgain(this.repository, store);
    const reader = fixedChunkReader(this.repository);
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
      await store.finish();
      return again.bytes;
    } catch (error) {
      again.abandon();
      throw error;
    }
  }

  private newStore(session: RunningSession, known: KnownChunks): PackStore {
    const { backend, records } = this.repository;
    const author = { kind: 'session', session: session.id } as const;
    const store = new PackStore({ backend, records, known, author, clock: () => performance.now() });
    this.stores.push(store);
    return store;
  }

  /** Ends the session by a fence that names what was stored. What goes wrong here must not hide why. */
  private async giveUp(session: RunningSession, error: unknown): Promise<void> {
    if (error instanceof CbrError && error.code === 'fenced') return;
    try {
      const segments: ObjectDigest[] = [];
      for (const store of this.stores) segments.push(...(await store.salvage()));
      await session.abort(segments);
    } catch {
      // The next run of this host ends the session, since its process is gone by then.
    }
  }
}
