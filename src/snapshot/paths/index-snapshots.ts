import {
  type CbrError,
  DamagedError,
  FormatError,
  ObjectNotFoundError,
  type SessionId,
} from '../../core/index.js';
import { chunkReader, loadForReading, type Repository } from '../../repo/index.js';
import { compareTrees, type EntryPair } from '../compare-trees.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { ProgressEvent } from '../events.js';
import type { ListedSnapshots } from '../list-snapshots.js';
import type { Snapshot } from '../snapshot-record.js';
import { groupOf, type IndexedSnapshot } from './indexed-snapshots.js';
import { PathIndex } from './path-index.js';
import { PATH_INDEX } from './path-index-store.js';

export interface IndexOptions {
  /** Aborts between two batches of changes; what was not finished is as if it had not begun. */
  readonly signal?: AbortSignal | undefined;
  /** Is told how far it is, snapshot by snapshot. */
  readonly onProgress?: ((event: ProgressEvent) => void) | undefined;
}

export interface IndexReport {
  /** How many snapshots were taken in. */
  readonly added: number;
  /** Changes that were found in them. */
  readonly changes: number;
  /** How much the file of the index grew, in bytes. */
  readonly grown: number;
  /** Snapshots that cannot be taken in, because a tree of theirs is damaged or gone. */
  readonly failed: readonly { readonly snapshot: Snapshot; readonly error: CbrError }[];
}

/**
 * Opens the path index of this machine and brings it up to date: what was forgotten does not count any more, and of `wanted`
 * those that it does not have are taken in, oldest first, reading only what differs from one to the next. `listed`: all
 * snapshots of the repository. Who opens the index closes it.
 */
export async function openPathIndex(
  repository: Repository,
  listed: ListedSnapshots,
  wanted: readonly Snapshot[],
  options: IndexOptions = {},
): Promise<{ readonly index: PathIndex; readonly report: IndexReport }> {
  const index = new PathIndex(await repository.openRowStore(PATH_INDEX));
  try {
    const report = await updatePathIndex(index, listed, wanted, () => treeReader(repository), options);
    return { index, report };
  } catch (error) {
    await index.close();
    throw error;
  }
}

/** Forgotten snapshots cost room, and a look at all events to be rid of. */
const FEW = 16;
const MOST_SHARE = 1 / 8;

/** As `openPathIndex`, for an index that is open; `openReader` is called when something has to be read. */
export async function updatePathIndex(
  index: PathIndex,
  listed: ListedSnapshots,
  wanted: readonly Snapshot[],
  openReader: () => Promise<ReadTreeChunk>,
  options: IndexOptions = {},
): Promise<IndexReport> {
  const bytesBefore = index.bytes;
  // A record that cannot be opened may be that of a snapshot, as long as it is there.
  const living = new Set<SessionId>([...listed.snapshots, ...listed.damaged].map(({ id }) => id));
  compactIfNeeded(index, living);
  const missing = wanted.filter(({ id }) => index.snapshots.get(id) === undefined);
  const failed: { snapshot: Snapshot; error: CbrError }[] = [];
  let changes = 0;
  if (missing.length > 0) {
    const read = await openReader();
    const byId = new Map(listed.snapshots.map((each) => [each.id, each]));
    const event = { type: 'progress', phase: 'index', bytes: 0 } as const;
    for (const [done, snapshot] of missing.entries()) {
      options.signal?.throwIfAborted();
      const counted = async function* (pairs: AsyncIterable<readonly EntryPair[]>) {
        for await (const batch of pairs) {
          options.signal?.throwIfAborted();
          changes += batch.length;
          const current = `/${batch.at(-1)!.path}`;
          options.onProgress?.({ ...event, files: done, totalFiles: missing.length, current });
          yield batch;
        }
      };
      const error = await addSnapshot(index, snapshot, byId, living, read, counted);
      if (error !== undefined) failed.push({ snapshot, error });
    }
  }
  const added = missing.length - failed.length;
  return { added, changes, grown: Math.max(0, index.bytes - bytesBefore), failed };
}

function compactIfNeeded(index: PathIndex, living: ReadonlySet<SessionId>): void {
  const all = index.snapshots.all();
  const dead = all.filter(({ id }) => !living.has(id)).length;
  if (index.snapshots.isUnfinished || (dead > FEW && dead > MOST_SHARE * all.length)) index.compact(living);
}

async function treeReader(repository: Repository): Promise<ReadTreeChunk> {
  const reader = chunkReader(repository, await loadForReading(repository));
  return (reference) => reader.read('tree', reference.id, reference.length);
}

type Counted = (pairs: AsyncIterable<readonly EntryPair[]>) => AsyncIterable<readonly EntryPair[]>;

/** Resolves to why the snapshot cannot be taken in, or undefined. */
async function addSnapshot(
  index: PathIndex,
  snapshot: Snapshot,
  byId: ReadonlyMap<SessionId, Snapshot>,
  living: ReadonlySet<SessionId>,
  read: ReadTreeChunk,
  counted: Counted,
): Promise<CbrError | undefined> {
  const last = lastOf(index, snapshot, living);
  const before = last && byId.get(last.id);
  if (last !== undefined && before !== undefined) {
    const pairs = compareTrees(before.root, snapshot.root, read);
    const failure = await failureOf(index.add(snapshot, last.chain, counted(pairs)));
    if (failure === undefined) return undefined;
    if (index.snapshots.isUnfinished) index.compact(living);
  }
  // The one before cannot be read: then this one begins a chain of its own.
  const pairs = compareTrees(undefined, snapshot.root, read);
  return failureOf(index.add(snapshot, undefined, counted(pairs)));
}

/** What the next snapshot of the same host and paths is compared with, if there is any. */
function lastOf(
  index: PathIndex,
  snapshot: Snapshot,
  living: ReadonlySet<SessionId>,
): IndexedSnapshot | undefined {
  const group = groupOf(snapshot);
  const last = index.snapshots.lastOf(group);
  // Of one that was forgotten, or not taken in to its end, the tree may be gone, and what it changed must not stand between
  // the last that counts and what follows.
  if (last === undefined || (living.has(last.id) && !index.snapshots.isUnfinished)) return last;
  index.compact(living);
  return index.snapshots.lastOf(group);
}

/** Damage of what the repository holds; all other failures reject. */
async function failureOf(adding: Promise<unknown>): Promise<CbrError | undefined> {
  try {
    await adding;
    return undefined;
  } catch (error) {
    const isDamage =
      error instanceof DamagedError || error instanceof FormatError || error instanceof ObjectNotFoundError;
    if (!isDamage) throw error;
    return error;
  }
}
