import { MessagePackWriter } from '../../core/index.js';
import type { Row } from '../../repo/index.js';
import type { IndexedSnapshot } from './indexed-snapshots.js';
import { type EventPlace, eventKey, eventPlace } from './path-events.js';
import type { PathIndexStore } from './path-index-store.js';
import { idOf } from './path-key.js';
import { encodeState } from './path-state.js';

/** Rows that are looked at, and changed, in one go. */
const STEP = 20_000;
const FIRST = Buffer.alloc(1);
/** What a path is before it was ever there. */
const NOTHING = encodeState(undefined, new MessagePackWriter(8));

/** Where an event of a path has to be for the snapshots that are left. */
interface Move {
  readonly from: EventPlace;
  /** Undefined: nowhere, no snapshot needs it. */
  readonly to: EventPlace | undefined;
  readonly value: Buffer;
}

/**
 * Removes the events that no snapshot needs but those that are dropped, and moves others to the first that does; then the paths
 * without events. Can be broken off anywhere and begun again: what the others are stays the same in each transaction.
 */
export function sweep(store: PathIndexStore, snapshots: readonly IndexedSnapshot[]): void {
  const chains = new Chains(snapshots);
  const empty = new Set<number>();
  for (let start: Buffer | undefined = FIRST; start !== undefined; ) {
    const { rows, next } = rowsOfPaths(store, start);
    const moves = rows.flatMap((its) => movesOf(its, chains, empty));
    store.transact(() => {
      for (const { from, to, value } of moves) {
        store.remove('events', eventKey(from));
        if (to !== undefined) store.put('events', eventKey(to), value);
      }
    });
    start = next;
  }
  if (empty.size > 0) removePaths(store, empty);
}

/** The numbers of snapshots by chain: those that count, in their order. */
class Chains {
  private readonly chainOf = new Map<number, number>();
  private readonly counting = new Map<number, number[]>();

  constructor(snapshots: readonly IndexedSnapshot[]) {
    for (const { chain, number, isDropped } of snapshots) {
      this.chainOf.set(number, chain);
      const list = this.counting.get(chain) ?? [];
      this.counting.set(chain, list);
      if (!isDropped) list.push(number);
    }
    for (const list of this.counting.values()) list.sort((a, b) => a - b);
  }

  of(number: number): number | undefined {
    return this.chainOf.get(number);
  }

  /** The first that counts at or after `number`, if it comes before `end`. */
  firstIn(chain: number, number: number, end: number): number | undefined {
    const list = this.counting.get(chain)!;
    let [low, high] = [0, list.length];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (list[middle]! < number) low = middle + 1;
      else high = middle;
    }
    const found = list[low];
    return found !== undefined && found < end ? found : undefined;
  }
}

/** Some rows of events, path by path, and where to go on. */
function rowsOfPaths(store: PathIndexStore, start: Buffer) {
  const rows: Row[][] = [];
  let count = 0;
  let last: number | undefined;
  for (const row of store.rows('events', start)) {
    const { path } = eventPlace(row.key);
    if (path !== last) {
      if (count >= STEP) return { rows, next: row.key };
      rows.push([]);
      last = path;
    }
    rows.at(-1)!.push(row);
    count++;
  }
  return { rows, next: undefined };
}

/** What has to be moved or removed of the events of one path; `empty` takes its number when nothing stays. */
function movesOf(rows: readonly Row[], chains: Chains, empty: Set<number>): Move[] {
  const byChain = new Map<number | undefined, Row[]>();
  for (const row of rows) {
    const chain = chains.of(eventPlace(row.key).number);
    const same = byChain.get(chain);
    if (same === undefined) byChain.set(chain, [row]);
    else same.push(row);
  }
  const moves: Move[] = [];
  let kept = 0;
  for (const [chain, events] of byChain) {
    let last = NOTHING;
    for (const [i, { key, value }] of events.entries()) {
      const from = eventPlace(key);
      const following = events[i + 1];
      const end = following === undefined ? Number.POSITIVE_INFINITY : eventPlace(following.key).number;
      const needed = chain === undefined ? undefined : chains.firstIn(chain, from.number, end);
      // What lay between may be gone, so that it is no change any more.
      const isChange = needed !== undefined && !value.equals(last);
      if (isChange) {
        last = value;
        kept++;
      }
      if (isChange && needed === from.number) continue;
      moves.push({ from, to: isChange ? { path: from.path, number: needed } : undefined, value });
    }
  }
  if (kept === 0) empty.add(eventPlace(rows[0]!.key).path);
  return moves;
}

function removePaths(store: PathIndexStore, empty: ReadonlySet<number>): void {
  for (let start: Buffer | undefined = FIRST; start !== undefined; ) {
    const keys: Buffer[] = [];
    let next: Buffer | undefined;
    for (const { key, value } of store.rows('paths', start)) {
      if (keys.length === STEP) {
        next = key;
        break;
      }
      if (empty.has(idOf(value))) keys.push(key);
    }
    store.transact(() => {
      for (const key of keys) store.remove('paths', key);
    });
    start = next;
  }
}
