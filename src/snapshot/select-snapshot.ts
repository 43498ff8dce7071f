import { BackendError, CbrError, DamagedError, ObjectNotFoundError } from '../core/index.js';
import { outcomeRecord, type Repository, readRecord } from '../repo/index.js';
import { pathInSnapshot } from './find-path.js';
import { type ListedSnapshots, listWithNotes } from './list-snapshots.js';
import { withNote } from './notes.js';
import { latestOf, type SnapshotChoice } from './select-latest.js';
import { type Snapshot, snapshotOf } from './snapshot-record.js';
import { described, listOf, shown } from './snapshot-text.js';

/** How users name one of the snapshots of a repository. */

/**
 * The one snapshot that `name` means: an id or the beginning of one, `latest`, or `latest~N`; only the latter two look at
 * the choice, and at the path that is wanted of it (see `latestOf`). Rejects with `not-found`, with `ambiguous` naming the
 * candidates, with `usage` when an id stands beside a time, and with DamagedError when a record that cannot be opened could be
 * the one: an older snapshot is never given in its stead.
 */
export async function selectSnapshot(
  repository: Repository,
  name: string,
  choice: SnapshotChoice,
  path?: string,
): Promise<Snapshot> {
  const latest = /^latest(?:~([0-9]{1,9}))?$/.exec(name);
  if (latest === null && choice.at !== undefined) {
    throw new CbrError('usage', `a time chooses the snapshot, and '${shown(name)}' names one`, {
      hint: 'Leave out one of them, or write latest.',
    });
  }
  const listed = await listWithNotes(repository);
  const chosen =
    latest === null
      ? withId(listed, name)
      : latestOf(
          listed,
          Number(latest[1] ?? 0),
          choice,
          path === undefined ? undefined : pathInSnapshot(path),
        );
  const isKnownOnly = listed.view.remembered.has(chosen.id);
  return isKnownOnly ? withNote(await readAgain(repository, chosen), listed.notes.get(chosen.id)) : chosen;
}

function withId({ snapshots, damaged }: ListedSnapshots, name: string): Snapshot {
  const prefix = name.toLowerCase();
  if (!/^[0-9a-f]{1,32}$/.test(prefix)) throw noName(name);
  const found = snapshots.filter(({ id }) => id.startsWith(prefix));
  const lost = damaged.filter(({ id }) => id.startsWith(prefix));
  if (found.length + lost.length > 1) {
    const candidates = [...found.map(described), ...lost.map(({ id }) => `${id.slice(0, 12)} (damaged)`)];
    throw new CbrError(
      'ambiguous',
      `${candidates.length} snapshots begin with ${prefix}: ${listOf(candidates)}`,
      { hint: 'Give more digits of the id.' },
    );
  }
  if (lost[0] !== undefined) throw lost[0].error;
  if (found[0] !== undefined) return found[0];
  throw new CbrError('not-found', `no snapshot has an id that begins with ${prefix}`, {
    hint: 'See: cbr snapshots',
  });
}

function noName(name: string): CbrError {
  const hint =
    name === ''
      ? 'A snapshot stands in front of the colon: latest:/some/path'
      : name.includes('/')
        ? noPathHint(name)
        : 'See: cbr snapshots';
  return new CbrError('not-found', `'${shown(name)}' is no snapshot id, nor latest or latest~N`, { hint });
}

function noPathHint(name: string): string {
  return name.includes(':')
    ? 'No path can follow here: name the snapshot alone.'
    : `A path stands behind a snapshot and a colon: latest:${shown(name)}`;
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

/** SNAPSHOT or SNAPSHOT:PATH as a user wrote it; the path is left as it is. */
export function parseSnapshotPath(text: string): { snapshot: string; path?: string } {
  const colon = text.indexOf(':');
  if (colon === -1) return { snapshot: text };
  const path = text.slice(colon + 1);
  return { snapshot: text.slice(0, colon), ...(path === '' ? {} : { path }) };
}
