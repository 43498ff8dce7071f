import {
  BackendError,
  CbrError,
  DamagedError,
  FormatError,
  isSessionId,
  ObjectNotFoundError,
  type SessionId,
} from '../core/index.js';
import { displayPath } from '../fs/index.js';
import {
  type NoteRecord,
  outcomeRecord,
  type Repository,
  readNotes,
  readRecord,
  readView,
  recordMemory,
} from '../repo/index.js';
import { withNote } from './notes.js';
import { type Snapshot, snapshotOf } from './snapshot-record.js';

/** How users choose among the snapshots of a repository. */

/** What a snapshot must have to be meant; what is left out does not matter. */
export interface SnapshotFilter {
  readonly host?: string;
  /** One of its source paths: raw, absolute, normalised (see src/fs). */
  readonly path?: string;
  /** All of these. */
  readonly tags: readonly string[];
}

export interface ListedSnapshots {
  /** Oldest first; of the same time in the order of their ids. */
  readonly snapshots: readonly Snapshot[];
  /** Records that are there and cannot be opened: each may be a snapshot, of any time and host. */
  readonly damaged: readonly { readonly id: SessionId; readonly error: CbrError }[];
}

function byTime(a: Snapshot, b: Snapshot): number {
  return (
    a.about.seconds - b.about.seconds ||
    a.about.nanoseconds - b.about.nanoseconds ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}

/**
 * All snapshots that nobody has forgotten, with what their notes say. Rejects only when the backend fails or the format is
 * newer.
 */
export async function listSnapshots(repository: Repository): Promise<ListedSnapshots> {
  const { snapshots, damaged } = await listWithNotes(repository);
  return { snapshots, damaged };
}

interface Listing extends ListedSnapshots {
  /** The counting ones. */
  readonly notes: ReadonlyMap<SessionId, NoteRecord>;
}

async function listWithNotes(repository: Repository): Promise<Listing> {
  const { backend, records, cache } = repository;
  const memory = recordMemory(cache);
  const view = await readView(backend, records, memory);
  const snapshots: Snapshot[] = [];
  const damaged: { id: SessionId; error: CbrError }[] = [];
  for (const [id, outcome] of view.outcomes) {
    if (view.forgotten.has(id) || !isSessionId(id)) continue;
    if (outcome instanceof CbrError) damaged.push({ id, error: outcome });
    else if (outcome.outcome === 'commit') {
      try {
        snapshots.push(snapshotOf(id, outcome));
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        damaged.push({ id, error });
      }
    }
  }
  const valid = new Set(snapshots.map(({ id }) => id));
  const notes = await readNotes({ backend, records, memory }, valid);
  const annotated = snapshots.map((each) => withNote(each, notes.get(each.id)));
  return { snapshots: annotated.sort(byTime), damaged, notes };
}

/** Those that the filter lets through, in the same order. */
export function filterSnapshots(snapshots: readonly Snapshot[], filter: SnapshotFilter): Snapshot[] {
  const { host, path, tags } = filter;
  return snapshots.filter(
    ({ about }) =>
      (host === undefined || about.host === host) &&
      (path === undefined || about.paths.includes(path)) &&
      tags.every((tag) => about.tags.includes(tag)),
  );
}

/** `host dove, path /home, tag nightly`: what a filter asks for, for people; empty where it lets all through. */
export function filterText({ host, path, tags }: SnapshotFilter): string {
  return [
    ...(host === undefined ? [] : [`host ${shown(host)}`]),
    ...(path === undefined ? [] : [`path ${displayPath(path)}`]),
    ...tags.map((tag) => `tag ${shown(tag)}`),
  ].join(', ');
}

/**
 * The one snapshot that `name` means: an id or the beginning of one, `latest`, or `latest~N`; only the latter two look at
 * the filter. Rejects with `not-found`, with `ambiguous` naming the candidates (also when the newest ones of several hosts
 * could be meant), and with DamagedError when a record that cannot be opened could be the one: an older snapshot is never
 * given in its stead.
 */
export async function selectSnapshot(
  repository: Repository,
  name: string,
  filter: SnapshotFilter,
): Promise<Snapshot> {
  const listed = await listWithNotes(repository);
  const latest = /^latest(?:~([0-9]{1,9}))?$/.exec(name);
  const chosen = latest === null ? withId(listed, name) : latestOf(listed, Number(latest[1] ?? 0), filter);
  return withNote(await readAgain(repository, chosen), listed.notes.get(chosen.id));
}

function latestOf({ snapshots, damaged }: ListedSnapshots, before: number, filter: SnapshotFilter): Snapshot {
  if (damaged.length > 0) throw unknowable(damaged);
  const found = filterSnapshots(snapshots, filter);
  const hosts = [...new Set(found.map(({ about }) => about.host))].sort();
  if (hosts.length > 1) {
    throw new CbrError('ambiguous', `snapshots of several hosts match: ${hosts.map(shown).join(', ')}`, {
      hint: 'Choose one with --host, or name the snapshot by its id.',
    });
  }
  const chosen = found.at(-1 - before);
  if (chosen !== undefined) return chosen;
  const count = found.length;
  const what =
    snapshots.length === 0
      ? 'there are no snapshots'
      : count === snapshots.length
        ? `there ${count === 1 ? 'is 1 snapshot' : `are ${count} snapshots`}`
        : `${count} of ${snapshots.length} snapshots ${count === 1 ? 'matches' : 'match'}`;
  throw new CbrError('not-found', before === 0 ? what : `${what}, so there is none for latest~${before}`, {
    hint: 'See: cbr snapshots',
  });
}

function unknowable(damaged: ListedSnapshots['damaged']): DamagedError {
  const { id, error } = damaged[0]!;
  const more = damaged.length === 1 ? '' : ` (and ${damaged.length - 1} more)`;
  return new DamagedError(
    `snapshots/${id}`,
    `cannot be opened${more}, so nobody can tell which snapshot is the latest`,
    { cause: error, hint: 'Name the snapshot by its id (see: cbr snapshots), and run: cbr check' },
  );
}

function withId({ snapshots, damaged }: ListedSnapshots, name: string): Snapshot {
  const prefix = name.toLowerCase();
  if (!/^[0-9a-f]{1,32}$/.test(prefix)) {
    throw new CbrError('not-found', `'${shown(name)}' is no snapshot id, nor latest or latest~N`, {
      hint: 'See: cbr snapshots',
    });
  }
  const found = snapshots.filter(({ id }) => id.startsWith(prefix));
  const lost = damaged.filter(({ id }) => id.startsWith(prefix));
  if (found.length + lost.length > 1) {
    const candidates = [...found.map(described), ...lost.map(({ id }) => `${id.slice(0, 12)} (damaged)`)];
    throw new CbrError(
      'ambiguous',
      `${candidates.length} snapshots begin with ${prefix}: ${listOf(candidates)}`,
      {
        hint: 'Give more digits of the id.',
      },
    );
  }
  if (lost[0] !== undefined) throw lost[0].error;
  if (found[0] !== undefined) return found[0];
  throw new CbrError('not-found', `no snapshot has an id that begins with ${prefix}`, {
    hint: 'See: cbr snapshots',
  });
}

/** What the cache remembers decides which one is meant; that it is still there, and whole, only the repository tells. */
async function readAgain({ backend, records }: Repository, { id }: Snapshot): Promise<Snapshot> {
  try {
    return snapshotOf(id, await readRecord(backend, 'snapshots', id, outcomeRecord, records));
  } catch (error) {
    if (error instanceof ObjectNotFoundError) {
      throw new CbrError('not-found', `snapshot ${id.slice(0, 8)} was forgotten a moment ago`, {
        hint: 'See: cbr snapshots',
      });
    }
    if (!(error instanceof CbrError) || error instanceof BackendError) throw error;
    if (error.code === 'newer-format' || error instanceof DamagedError) throw error;
    throw new DamagedError(`snapshots/${id}`, 'does not hold a snapshot', { cause: error });
  }
}

const MOST_CANDIDATES = 8;

function listOf(candidates: readonly string[]): string {
  const more = candidates.length - MOST_CANDIDATES;
  const list = candidates.slice(0, MOST_CANDIDATES).join('; ');
  return more > 0 ? `${list}; and ${more} more` : list;
}

function described({ id, about }: Snapshot): string {
  const paths = about.paths.slice(0, 2).map(displayPath).join(' ');
  const more = about.paths.length > 2 ? ' ...' : '';
  return `${id.slice(0, 12)} (${localTime(about)}, ${shown(about.host)}, ${paths}${more})`;
}

/** As the clock of the source showed it, to the minute. */
function localTime({ seconds, zoneOffset }: Snapshot['about']): string {
  const time = new Date((seconds + 60 * zoneOffset) * 1000);
  if (Number.isNaN(time.getTime())) return `second ${seconds}`;
  return time.toISOString().slice(0, 16).replace('T', ' ');
}

/** Text of strangers must not steer a terminal. */
function shown(text: string): string {
  return displayPath(Buffer.from(text, 'utf8').toString('latin1'));
}

/** SNAPSHOT or SNAPSHOT:PATH as a user wrote it; the path is left as it is. */
export function parseSnapshotPath(text: string): { snapshot: string; path?: string } {
  const colon = text.indexOf(':');
  if (colon === -1) return { snapshot: text };
  const path = text.slice(colon + 1);
  return { snapshot: text.slice(0, colon), ...(path === '' ? {} : { path }) };
}
