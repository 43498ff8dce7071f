import {
  decode,
  encode,
  int,
  LIMITS,
  list,
  rawText,
  record,
  type SessionId,
  text,
} from '../../core/index.js';
import type { Snapshot } from '../snapshot-record.js';
import type { PathIndexStore } from './path-index-store.js';

/** Which snapshots are in the path index, and how: all of it is in memory while the index is open. */

/** A snapshot in the index. Of a chain those with higher numbers came later, whatever their times. */
export interface IndexedSnapshot {
  readonly id: SessionId;
  readonly chain: number;
  /** Never given twice. */
  readonly number: number;
  /** Whether it does not count: it is being taken in, or was forgotten, and what only it needs is to be removed. */
  readonly isDropped: boolean;
}

const row = record({ chain: int(0, 0xffffffff), number: int(0, 0xffffffff), dropped: int(0, 1) });
const chainRow = record({ host: text(1024), paths: list(rawText(LIMITS.name)) });

/** What the snapshots of one chain have in common; there may be several chains of it. */
export function groupOf({ about }: Pick<Snapshot, 'about'>): string {
  return JSON.stringify([about.host, about.paths]);
}

const FIRST = Buffer.alloc(1);
const MOST = 0xffff_ffff;
const COUNTERS = Buffer.from('counters');

function u32(value: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(value);
  return key;
}

export class IndexedSnapshots {
  private readonly byId = new Map<SessionId, IndexedSnapshot>();
  private readonly groups = new Map<number, string>();

  constructor(private readonly store: PathIndexStore) {
    for (const { key, value } of store.rows('chains', FIRST)) {
      const { host, paths } = decode(chainRow, value, 'path index');
      this.groups.set(key.readUInt32BE(0), JSON.stringify([host, paths]));
    }
    for (const { key, value } of store.rows('snapshots', FIRST)) {
      const { chain, number, dropped } = decode(row, value, 'path index');
      if (!this.groups.has(chain)) throw store.damage('a snapshot of no chain');
      const id = key.toString('hex') as SessionId;
      this.byId.set(id, { id, chain, number, isDropped: dropped === 1 });
    }
  }

  /** Undefined when it does not count. */
  get(id: SessionId): IndexedSnapshot | undefined {
    const found = this.byId.get(id);
    return found?.isDropped === true ? undefined : found;
  }

  /** Whether something was begun that has to be brought to its end, or undone, by compacting. */
  get isUnfinished(): boolean {
    return this.all().some(({ isDropped }) => isDropped);
  }

  all(): IndexedSnapshot[] {
    return [...this.byId.values()];
  }

  /** The last snapshot of the chain that the next one of a group continues. */
  lastOf(group: string): IndexedSnapshot | undefined {
    const members = this.all().filter(({ chain }) => this.groups.get(chain) === group);
    return members.reduce<IndexedSnapshot | undefined>(
      (last, each) => (last === undefined || each.number > last.number ? each : last),
      undefined,
    );
  }

  /** Puts a new chain; in a transaction. */
  newChain({ about: { host, paths } }: Snapshot): number {
    const chain = this.take('chain', 1);
    this.store.put('chains', u32(chain), encode(chainRow, { host, paths }));
    this.groups.set(chain, JSON.stringify([host, paths]));
    return chain;
  }

  /** In a transaction. */
  put(snapshot: IndexedSnapshot): void {
    const { id, chain, number, isDropped } = snapshot;
    this.store.put(
      'snapshots',
      Buffer.from(id, 'hex'),
      encode(row, { chain, number, dropped: isDropped ? 1 : 0 }),
    );
    this.byId.set(id, snapshot);
  }

  /** Removes those that are dropped, and chains of none; in a transaction. */
  removeDropped(): void {
    for (const { id, isDropped } of this.all()) {
      if (!isDropped) continue;
      this.store.remove('snapshots', Buffer.from(id, 'hex'));
      this.byId.delete(id);
    }
    const used = new Set(this.all().map(({ chain }) => chain));
    for (const chain of this.groups.keys()) {
      if (used.has(chain)) continue;
      this.store.remove('chains', u32(chain));
      this.groups.delete(chain);
    }
  }

  /** The first of `count` numbers that were never given; in a transaction. */
  take(what: 'chain' | 'snapshot' | 'path', count: number): number {
    const at = 4 * ['chain', 'snapshot', 'path'].indexOf(what);
    const counters = this.store.get('meta', COUNTERS) ?? Buffer.alloc(12);
    const first = counters.readUInt32LE(at);
    if (first + count > MOST) throw this.store.damage('its numbers are used up'); // and begin again
    counters.writeUInt32LE(first + count, at);
    this.store.put('meta', COUNTERS, counters);
    return first;
  }
}
