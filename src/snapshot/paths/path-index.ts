import { MessagePackWriter, type SessionId } from '../../core/index.js';
import type { EntryPair } from '../compare-trees.js';
import type { Snapshot } from '../snapshot-record.js';
import { type IndexedSnapshot, IndexedSnapshots } from './indexed-snapshots.js';
import { EventCursor, eventKey, type PathEvent } from './path-events.js';
import type { PathIndexStore } from './path-index-store.js';
import { idOf, isWholeKey, pathKey, pathOfKey, pathOfRow, pathRow, rangeStart } from './path-key.js';
import { encodeState, isSameState, stateOf } from './path-state.js';
import { sweep } from './sweep.js';

export interface IndexedPath {
  /** Raw, without '/' in front. */
  readonly path: string;
  readonly key: Buffer;
}

/** The start of a range over all keys. */
const FIRST = Buffer.alloc(1);
/** Changes of one transaction: a first snapshot may have millions. */
const STEP = 50_000;

/**
 * The database from a path to its versions (docs/design.md, section 7). Disposable, of this machine, proportional to paths and
 * changes: a snapshot costs what differs from the one that was taken in before it in its chain. Main thread only.
 */
export class PathIndex {
  readonly snapshots: IndexedSnapshots;
  private readonly cursor: EventCursor;
  /** Numbers for paths of the transaction that runs. */
  private freePaths = { next: 0, left: 0 };
  private readonly writer = new MessagePackWriter(256);

  constructor(private readonly store: PathIndexStore) {
    this.snapshots = new IndexedSnapshots(store);
    this.cursor = new EventCursor(store);
  }

  /** Bytes of its file. */
  get bytes(): number {
    return this.store.bytes;
  }

  get counts(): { readonly paths: number; readonly events: number } {
    return { paths: this.store.count('paths'), events: this.store.count('events') };
  }

  /** Whether it goes when it is closed: another process has the lasting one, or it cannot be written. */
  get isPrivate(): boolean {
    return this.store.isPrivate;
  }

  close(): Promise<void> {
    return this.store.close();
  }

  /**
   * Takes in a snapshot: in `chain`, behind the last one there, from which it differs by `pairs`; without a chain in a new one,
   * and then `pairs` is all that it holds. Killed or failed, it is as if it had not begun. `pairs` must not use the index.
   */
  async add(
    snapshot: Snapshot,
    chain: number | undefined,
    pairs: AsyncIterable<readonly EntryPair[]>,
  ): Promise<void> {
    let added: IndexedSnapshot | undefined;
    let waiting: EntryPair[] = [];
    const put = (isWhole: boolean): void =>
      this.store.transact(() => {
        const its = added ?? this.begin(snapshot, chain);
        const fresh = waiting.filter(({ before }) => before === undefined).length;
        this.freePaths = { next: this.snapshots.take('path', fresh), left: fresh };
        for (const { path, before, after } of waiting) this.putEvent(its.number, path, before, after);
        waiting = [];
        // Until all of it is there it does not count, and whoever finds it so removes it.
        added = { ...its, isDropped: !isWhole };
        this.snapshots.put(added);
      });
    this.cursor.reset();
    for await (const batch of pairs) {
      waiting.push(...batch);
      if (waiting.length >= STEP) put(false);
    }
    put(true);
  }

  private begin(snapshot: Snapshot, chain: number | undefined): IndexedSnapshot {
    const number = this.snapshots.take('snapshot', 1);
    return { id: snapshot.id, chain: chain ?? this.snapshots.newChain(snapshot), number, isDropped: true };
  }

  private putEvent(
    number: number,
    path: string,
    before: EntryPair['before'],
    after: EntryPair['after'],
  ): void {
    const state = after && stateOf(after, this.writer);
    // A folder differs in its tree when anything below it does: that is told where it happened.
    if (before !== undefined && isSameState(stateOf(before, this.writer), state)) return;
    const key = pathKey(path);
    const row = this.store.get('paths', key);
    const id = row === undefined ? this.newPath() : idOf(row);
    if (row === undefined) this.store.put('paths', key, pathRow(id, path));
    this.store.put('events', eventKey({ path: id, number }), encodeState(state, this.writer));
  }

  private newPath(): number {
    if (this.freePaths.left === 0) return this.snapshots.take('path', 1);
    this.freePaths.left--;
    return this.freePaths.next++;
  }

  /**
   * The paths that begin with `prefix`, raw and without '/' in front, in the order of a walk. With `words`, those that may have
   * one of them in a name.
   */
  *paths(prefix: string, words: readonly string[] = []): Iterable<IndexedPath> {
    const start = rangeStart(prefix);
    const wanted = words.map((word) => Buffer.from(word, 'latin1'));
    const mayHaveWord = (key: Buffer): boolean =>
      wanted.length === 0 || !isWholeKey(key) || wanted.some((word) => key.includes(word));
    for (const key of this.store.keys('paths', start.length === 0 ? FIRST : start)) {
      if (start.length > 0 && !key.subarray(0, start.length).equals(start)) return;
      if (!mayHaveWord(key)) continue;
      const path = isWholeKey(key) ? pathOfKey(key) : pathOfRow(this.rowOf(key));
      if (path.startsWith(prefix)) yield { path, key };
    }
  }

  /** Undefined when no snapshot that was taken in had such a path; the root, which has no entry, is none. */
  path(path: string): IndexedPath | undefined {
    if (path === '') return undefined;
    const key = pathKey(path);
    return this.store.get('paths', key) === undefined ? undefined : { path, key };
  }

  private rowOf(key: Buffer): Buffer {
    const row = this.store.get('paths', key);
    if (row === undefined) throw this.store.damage('a path');
    return row;
  }

  /**
   * The events of paths, by the numbers of their snapshots. Those of paths that are asked for one after the other in the order
   * of `paths` lie near each other, and are then read in one go.
   */
  eventsOf(path: IndexedPath): PathEvent[] {
    return this.cursor.of(idOf(this.rowOf(path.key)));
  }

  /**
   * Drops the snapshots that are not among `living`, chains of none, and the events that none of those left needs. Killed, it is
   * finished by the next call; nothing may be taken in before.
   */
  compact(living: ReadonlySet<SessionId>): void {
    this.store.transact(() => {
      for (const each of this.snapshots.all())
        if (!living.has(each.id) && !each.isDropped) this.snapshots.put({ ...each, isDropped: true });
    });
    this.cursor.reset();
    sweep(this.store, this.snapshots.all());
    this.store.transact(() => this.snapshots.removeDropped());
  }
}
