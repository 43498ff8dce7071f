import type { Reference } from './chunks.js';
import { Damage, messageOf, rethrowUnlessDamage } from './failure.js';
import { bytesOf, Fields, textOf } from './fields.js';
import type { Keys } from './keys.js';
import type { Value } from './msgpack.js';
import { openRecord } from './object.js';
import type { Store } from './store.js';

/** The snapshots that the records in reach tell of: docs/format.md, "Outcome", "Snapshot" and "Note". */

export interface Snapshot {
  /** 32 hexadecimal digits. */
  readonly id: string;
  readonly root: Reference;
  readonly seconds: number;
  readonly nanoseconds: number;
  /** Minutes east of UTC. */
  readonly zoneOffset: number;
  readonly host: string;
  readonly level: string;
  readonly paths: readonly Buffer[];
  /** Those of `paths` of which only some of what is in them was named; `/` among them: perhaps any. */
  readonly listed: readonly Buffer[];
  readonly tags: readonly string[];
  readonly comment: string | undefined;
  readonly isPartial: boolean;
  /** How many files of the source are missing in it. */
  readonly missing: number;
}

export interface FoundSnapshots {
  /** All valid ones, the oldest first. */
  readonly snapshots: readonly Snapshot[];
  /** Ids of those that cannot be opened. */
  readonly unreadable: readonly string[];
}

/** `problem` is told of those that cannot be opened. */
export function readSnapshots(store: Store, keys: Keys, problem: (text: string) => void): FoundSnapshots {
  const snapshots: Snapshot[] = [];
  const unreadable: string[] = [];
  const notes = new Map<string, number[]>();
  for (const name of store.names('notes')) {
    const [session = '', number = ''] = name.split('/');
    notes.set(session, [...(notes.get(session) ?? []), Number(number)]);
  }
  for (const id of store.names('snapshots')) {
    if (store.has('forgotten', id)) continue;
    try {
      const snapshot = store.read('snapshots', id, (object) =>
        parseOutcome(id, openRecord(keys, 'snapshots', id, object)),
      );
      if (snapshot !== undefined) snapshots.push(withNotes(store, keys, snapshot, notes.get(id) ?? []));
    } catch (error) {
      rethrowUnlessDamage(error);
      unreadable.push(id);
      problem(`snapshots/${id}: ${messageOf(error)}`);
    }
  }
  snapshots.sort((a, b) => a.seconds - b.seconds || a.nanoseconds - b.nanoseconds);
  return { snapshots, unreadable };
}

/** Undefined for a session that ended without a snapshot. Throws Damage. */
export function parseOutcome(id: string, record: Value): Snapshot | undefined {
  const table = ['outcome', 'root?', 'segments', 'seen', 'about?', 'extensions?'];
  const fields = new Fields(record, table, 'an outcome');
  const outcome = fields.text('outcome');
  if (outcome === 'fence') return undefined;
  if (outcome !== 'commit') throw new Damage('an outcome of an unknown sort');
  const root = new Fields(fields.any('root'), ['id', 'length'], 'the root of a snapshot');
  return {
    id,
    root: { id: root.bytes('id', 32), length: root.int('length', 1, 8 * 2 ** 20) },
    ...parseAbout(fields.any('about')),
  };
}

function parseAbout(value: Value | undefined): Omit<Snapshot, 'id' | 'root'> {
  const fields = new Fields(
    value,
    [
      'seconds',
      'nanoseconds',
      'zoneOffset',
      'host',
      'user',
      'paths',
      'level',
      'job?',
      'tags',
      'comment?',
      'parent?',
      'program',
      'statistics',
      'errors',
      'moreErrors?',
      'extensions?',
    ],
    'a snapshot',
  );
  const extensions = fields.extensions();
  return {
    seconds: fields.time('seconds'),
    nanoseconds: fields.int('nanoseconds', 0, 999_999_999),
    zoneOffset: fields.int('zoneOffset', -1440, 1440),
    host: fields.text('host', 1024),
    level: fields.text('level'),
    paths: fields.list('paths').map((path) => bytesOf(path, 0, 65_535, 'a path of a snapshot')),
    listed: partsAtZero(extensions.get('listed-in')),
    tags: tagsOf(fields),
    comment: fields.has('comment') ? fields.text('comment') : undefined,
    isPartial: extensions.has('partial'),
    missing: fields.list('errors').length + (fields.has('moreErrors') ? fields.int('moreErrors') : 0),
  };
}

/** Paths that zero bytes stand between. */
function partsAtZero(bytes: Buffer | undefined): Buffer[] {
  if (bytes === undefined || bytes.length === 0) return [];
  return bytes
    .toString('latin1')
    .split('\0')
    .map((path) => Buffer.from(path, 'latin1'));
}

/** With the tags and the comment of the highest note that can be opened. */
function withNotes(store: Store, keys: Keys, snapshot: Snapshot, numbers: readonly number[]): Snapshot {
  for (const number of [...numbers].sort((a, b) => b - a)) {
    const name = `${snapshot.id}/${number}`;
    try {
      return store.read('notes', name, (object) => {
        const table = ['tags', 'comment?', 'pinned', 'pinnedUntil?', 'by', 'time', 'extensions?'];
        const fields = new Fields(openRecord(keys, 'notes', name, object), table, 'a note');
        const comment = fields.has('comment') ? fields.text('comment') : undefined;
        return { ...snapshot, tags: tagsOf(fields), comment };
      });
    } catch (error) {
      rethrowUnlessDamage(error);
    }
  }
  return snapshot;
}

function tagsOf(fields: Fields): string[] {
  return fields.list('tags').map((tag) => textOf(tag, 1024, 'a tag'));
}
