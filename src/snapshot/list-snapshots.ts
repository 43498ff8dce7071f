import { CbrError, FormatError, isSessionId, type SessionId } from '../core/index.js';
import {
  memoryFor,
  type NoteNumbers,
  type NoteRecord,
  noteNumbers,
  type Repository,
  type RepositoryView,
  readNotes,
  readView,
} from '../repo/index.js';
import { withNote } from './notes.js';
import { type Snapshot, snapshotOf } from './snapshot-record.js';

export interface ListedSnapshots {
  /** Oldest first; of the same time in the order of their ids. */
  readonly snapshots: readonly Snapshot[];
  /** Records that are there and cannot be opened: each may be a snapshot, of any time and host. */
  readonly damaged: readonly { readonly id: SessionId; readonly error: CbrError }[];
}

/**
 * All snapshots that nobody has forgotten, with what their notes say. Rejects only when the backend fails or the format is
 * newer.
 */
export async function listSnapshots(repository: Repository): Promise<ListedSnapshots> {
  const { snapshots, damaged } = await listWithNotes(repository);
  return { snapshots, damaged };
}

export interface NotedSnapshots extends ListedSnapshots {
  /** The counting ones. */
  readonly notes: ReadonlyMap<SessionId, NoteRecord>;
  /** All that there are. */
  readonly noteNumbers: NoteNumbers;
  /** What was read of the repository. */
  readonly view: RepositoryView;
}

/** As `listSnapshots`, with what it was told by. */
export async function listWithNotes(repository: Repository): Promise<NotedSnapshots> {
  const { backend, records } = repository;
  const memory = memoryFor(repository);
  const begun = repository.now();
  // Beside the others: notes are not among what is read in an order (rule 8).
  const listing = noteNumbers(backend);
  listing.catch(() => undefined);
  const view = await readView(backend, records, memory);
  repository.recentView.keep(view, begun);
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
  const listed = await listing;
  const notes = await readNotes({ backend, records, memory }, valid, listed);
  const annotated = snapshots.map((each) => withNote(each, notes.get(each.id)));
  return { snapshots: annotated.sort(byTime), damaged, notes, noteNumbers: listed, view };
}

function byTime(a: Snapshot, b: Snapshot): number {
  return (
    a.about.seconds - b.about.seconds ||
    a.about.nanoseconds - b.about.nanoseconds ||
    (a.id < b.id ? -1 : a.id > b.id ? 1 : 0)
  );
}
