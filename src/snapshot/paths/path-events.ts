import type { Row } from '../../repo/index.js';
import type { PathIndexStore } from './path-index-store.js';
import { decodeState, type PathState } from './path-state.js';

/** What a path became in a snapshot of some chain; it stays that until the next event of the same chain. */
export interface PathEvent {
  /** Number of the snapshot. */
  readonly number: number;
  /** Undefined: it was gone. */
  readonly state: PathState | undefined;
}

/** Where an event stands. */
export interface EventPlace {
  /** Number of the path. */
  readonly path: number;
  /** Number of the snapshot. */
  readonly number: number;
}

export function eventKey({ path, number }: EventPlace): Buffer {
  const key = Buffer.alloc(8);
  key.writeUInt32BE(path);
  key.writeUInt32BE(number, 4);
  return key;
}

export function eventPlace(key: Buffer): EventPlace {
  return { path: key.readUInt32BE(0), number: key.readUInt32BE(4) };
}

/** Rows that are passed over rather than looking up where to go on: that costs as much as reading some. */
const MOST_PASSED = 32;

/** Reads the events of one path after another; forward it goes on from where it is. */
export class EventCursor {
  private rows: Iterator<Row> | undefined;
  private next: Row | undefined;

  constructor(private readonly store: PathIndexStore) {}

  /** To be called before anything is changed. */
  reset(): void {
    this.rows?.return?.();
    this.rows = undefined;
    this.next = undefined;
  }

  private step(): void {
    const result = this.rows!.next();
    this.next = result.done === true ? undefined : result.value;
  }

  private seek(path: number): void {
    for (let passed = 0; this.next !== undefined && passed < MOST_PASSED; passed++) {
      const at = eventPlace(this.next.key).path;
      if (at === path) return;
      if (at > path) break;
      this.step();
    }
    this.reset();
    this.rows = this.store.rows('events', eventKey({ path, number: 0 }))[Symbol.iterator]();
    this.step();
  }

  /** By the numbers of their snapshots. */
  of(path: number): PathEvent[] {
    this.seek(path);
    const events: PathEvent[] = [];
    while (this.next !== undefined) {
      const at = eventPlace(this.next.key);
      if (at.path !== path) break;
      events.push({ number: at.number, state: decodeState(this.next.value) });
      this.step();
    }
    return events;
  }
}
