import { CbrError, chunkIdBytes, FormatError, type ObjectDigest, type SessionId } from '../../core/index.js';
import {
  beginSession,
  type KnownChunks,
  knownChunks,
  type LoadedRepository,
  loadRepository,
  type OutcomeRecord,
  PackStore,
  type Repository,
  type RunningSession,
  unnamedSnapshots,
  validSnapshots,
} from '../../repo/index.js';
import type { ChunkReference } from '../entry.js';
import { withCopyOf } from '../snapshot-extensions.js';
import { type AboutSnapshot, encodeAbout, parentOf, type Snapshot, snapshotOf } from '../snapshot-record.js';
import { treeStore } from '../take/tree-store.js';
import type { CopiedIds } from './copied-ids.js';
import { type CopiesThere, knownAs, repositoryName } from './copies-there.js';
import { copyContent } from './copy-content.js';
import type { CopySource } from './copy-source.js';
import type { CopyWorkers } from './copy-workers.js';
import { MissingChunks, type TargetContents } from './missing-chunks.js';
import { TreeCopier } from './tree-copier.js';

export interface AttemptParts {
  readonly source: CopySource;
  readonly target: Repository;
  readonly ids: CopiedIds;
  readonly workers: CopyWorkers;
  readonly there: CopiesThere;
  /** Plain bytes that were read, and how many there are in all. */
  readonly progress: (done: number, total: number) => void;
  readonly signal: AbortSignal;
}

export interface AttemptResult {
  readonly snapshot: Snapshot;
  /** False when another copy has brought it meanwhile. */
  readonly isNew: boolean;
  readonly bytes: { readonly read: number; readonly new: number; readonly stored: number };
}

/** What the target has at the time that a session relies on: what it read when it was registered (W2), and nothing later. */
export function contentsOf(
  known: KnownChunks,
  { view, sync }: LoadedRepository,
  ids: CopiedIds,
): TargetContents {
  const valid = validSnapshots(view);
  const proven = new Map<number, boolean>();
  const prove = (number: number): boolean => {
    const session = ids.session(number);
    return session !== undefined && session.generation === sync.generation && valid.has(session.id);
  };
  return {
    has: (id) => known.has(id),
    isProven: (number) => {
      // What is missing has to be found, to be stored again.
      if (!sync.isSound || number === 0) return false;
      let isProven = proven.get(number);
      if (isProven === undefined) {
        isProven = prove(number);
        proven.set(number, isProven);
      }
      return isProven;
    },
  };
}

/** What cannot be read may be anything, and is told about elsewhere. */
function addTo(there: CopiesThere, id: SessionId, outcome: OutcomeRecord): void {
  try {
    there.add(snapshotOf(id, outcome));
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
}

/** Copies one snapshot in one session of the target: a writer like any other (docs/protocol.md, rules 9 to 12). */
export class CopyAttempt {
  /** The pack of the source of which something could not be read. */
  damagedPack: ObjectDigest | undefined;
  /** It has begun to read the source: what is lost from then on is the source's. */
  isReading = false;
  private store: PackStore | undefined;

  constructor(
    private readonly its: AttemptParts,
    private readonly from: Snapshot,
  ) {}

  async commit(): Promise<AttemptResult> {
    const { target } = this.its;
    const session = await beginSession(target);
    try {
      const loaded = await loadRepository(target);
      const there = this.broughtMeanwhile(loaded);
      if (there !== undefined) {
        await session.abort([]);
        return { snapshot: there, isNew: false, bytes: { read: 0, new: 0, stored: 0 } };
      }
      return await this.commitIn(session, loaded);
    } catch (error) {
      await this.giveUp(session, error);
      throw error;
    } finally {
      session.stop();
    }
  }

  /** Those that were there before have been looked at. */
  private broughtMeanwhile({ view }: LoadedRepository): Snapshot | undefined {
    const { source, there } = this.its;
    for (const [id, outcome] of validSnapshots(view)) if (there.isNews(id)) addTo(there, id, outcome);
    const found = there.of(knownAs(repositoryName(source.repository), this.from));
    return found !== undefined && view.outcomes.has(found.id) && !view.forgotten.has(found.id)
      ? found
      : undefined;
  }

  private async commitIn(session: RunningSession, loaded: LoadedRepository): Promise<AttemptResult> {
    const { ids, signal, target } = this.its;
    const { backend, records, cache } = target;
    const known = knownChunks(cache, loaded.sync.unreliable);
    const author = { kind: 'session', session: session.id } as const;
    const store = new PackStore({ backend, records, known, author, clock: () => performance.now() });
    this.store = store;
    const contents = contentsOf(known, loaded, ids);
    this.isReading = true;
    const bytes = await this.copyContent(store, contents);
    const number = ids.addSession({ id: session.id, generation: loaded.sync.generation });
    const root = await this.copyTrees(store, contents, number);
    await store.finish();
    signal.throwIfAborted();
    ids.flush();
    const about = this.aboutIn(session);
    // Invariants I1 to I4: every chunk is named by a segment that counts, or by one of these, which are durable.
    await session.commit({
      root: { id: chunkIdBytes(root.id), length: root.length },
      segments: store.segmentNames.map((name) => Buffer.from(name, 'hex')),
      seen: unnamedSnapshots(loaded.view).map((sid) => Buffer.from(sid, 'hex')),
      about: encodeAbout(about),
    });
    const snapshot = { id: session.id, root, about };
    return { snapshot, isNew: true, bytes: { ...bytes, stored: store.totals.stored } };
  }

  private async copyContent(store: PackStore, contents: TargetContents) {
    const { source, ids, workers, signal, progress } = this.its;
    const missing = new MissingChunks(source, ids, contents);
    await missing.add(this.from.root, signal);
    const bytes = { read: 0, new: 0 };
    progress(0, missing.bytes);
    await copyContent(missing, {
      source,
      ids,
      workers,
      store,
      signal,
      progress: (done, stored) => {
        bytes.read += done;
        bytes.new += stored;
        progress(bytes.read, missing.bytes);
      },
      foundDamage: (pack) => {
        this.damagedPack ??= pack;
      },
    });
    return bytes;
  }

  private async copyTrees(
    store: PackStore,
    contents: TargetContents,
    session: number,
  ): Promise<ChunkReference> {
    const { source, target, ids, signal } = this.its;
    const trees = treeStore(target, store);
    try {
      const copier = new TreeCopier({
        read: ({ id, length }) => source.reader.read('tree', id, length),
        put: trees.put,
        ids,
        target: contents,
        store,
        session,
        signal,
      });
      const root = await copier.tree(this.from.root);
      trees.finish();
      return root;
    } catch (error) {
      trees.abandon();
      throw error;
    }
  }

  /** All that it says of itself, as far as it means something in the target, and what it is a copy of. */
  private aboutIn({ id }: RunningSession): AboutSnapshot {
    const { source, target, there } = this.its;
    const { parent: _, ...about } = this.from.about;
    const parent = parentOf(this.from.about);
    const names = repositoryName(source.repository);
    const copied = parent && there.of([{ repository: names, snapshot: parent }]);
    const said = copied === undefined ? about : { ...about, parent: Buffer.from(copied.id, 'hex') };
    const self = { repository: repositoryName(target), snapshot: id };
    return withCopyOf(said, [self, ...knownAs(names, this.from)]);
  }

  /** Ends the session by a fence that names what was stored. What goes wrong here must not hide why. */
  private async giveUp(session: RunningSession, error: unknown): Promise<void> {
    if (error instanceof CbrError && error.code === 'fenced') return;
    try {
      await session.abort((await this.store?.salvage()) ?? []);
      this.its.ids.flush();
    } catch {
      // The next run of this host ends the session, since its process is gone by then.
    }
  }
}
