import { encode, sameBytes } from '../core/index.js';
import { type NoteRecord, noteRecord, type Repository, recordMemory, writeNote } from '../repo/index.js';
import { type Snapshot, snapshotOf } from './snapshot-record.js';

/** What users change of a snapshot after it was taken: tags, comment, pin. The snapshot itself stays as it is. */

type Pin = NonNullable<Snapshot['pin']>;

/** All of them anew, or some more and some less: what others add meanwhile stays. */
export type TagChange =
  | { readonly set: readonly string[] }
  | { readonly add?: readonly string[]; readonly remove?: readonly string[] };

/** What is left out stays as it is. */
export interface SnapshotChange {
  readonly tags?: TagChange;
  /** Empty: none. */
  readonly comment?: string;
  readonly pin?: Pin | 'none';
}

export interface Annotated {
  /** As it is now. */
  readonly snapshot: Snapshot;
  /** False when it was that way before: nothing was written then. */
  readonly isChanged: boolean;
}

/**
 * Changes tags, comment or pin of a snapshot by writing a note. Whoever changes something else of it at the same time keeps
 * that. Rejects with `not-found` when the snapshot was forgotten, `busy` when others are faster every time, and `limit` when a
 * tag or the comment is longer than records take.
 */
export async function annotateSnapshot(
  repository: Repository,
  { id }: Pick<Snapshot, 'id'>,
  change: SnapshotChange,
  by: string,
  nowSeconds: number,
): Promise<Annotated> {
  const memory = recordMemory(repository.cache);
  const { outcome, note, isWritten } = await writeNote(
    repository,
    memory,
    id,
    (commit, counting, isDoubtful) => {
      const before = withNote(snapshotOf(id, commit), counting);
      const note = noteOf(changed(before, change, nowSeconds), by, nowSeconds);
      const isSame = sameBytes(encode(noteRecord, note), encode(noteRecord, noteOf(before, by, nowSeconds)));
      const { extensions } = counting ?? {};
      // What a note says that cannot be opened is settled by one above it.
      return isSame && !isDoubtful
        ? undefined
        : { ...note, ...(extensions === undefined ? {} : { extensions }) };
    },
  );
  return { snapshot: withNote(snapshotOf(id, outcome), note), isChanged: isWritten };
}

/** The snapshot with what its counting note says. */
export function withNote(snapshot: Snapshot, note: NoteRecord | undefined): Snapshot {
  if (note === undefined) return snapshot;
  const { tags, comment, pinned, pinnedUntil } = note;
  return annotated(snapshot, tags, comment, pinned ? pinOf(pinnedUntil) : undefined);
}

/** Whether a pin holds the snapshot at that time; its last second is included. */
export function isPinned({ pin }: Pick<Snapshot, 'pin'>, nowSeconds: number): boolean {
  return pin !== undefined && (pin.until === undefined || nowSeconds <= pin.until);
}

/** As `isPinned`, by the counting note of a snapshot. */
export function isPinnedBy({ pinned, pinnedUntil }: NoteRecord, nowSeconds: number): boolean {
  return isPinned(pinned ? { pin: pinOf(pinnedUntil) } : {}, nowSeconds);
}

function pinOf(until: number | undefined): Pin {
  return until === undefined ? {} : { until };
}

function annotated(
  { id, root, about }: Snapshot,
  tags: readonly string[],
  comment: string | undefined,
  pin: Pin | undefined,
): Snapshot {
  const { comment: _, ...rest } = about;
  return {
    id,
    root,
    about: { ...rest, tags, ...(comment === undefined ? {} : { comment }) },
    ...(pin === undefined ? {} : { pin }),
  };
}

function changed(before: Snapshot, change: SnapshotChange, nowSeconds: number): Snapshot {
  const { about } = before;
  const tags = change.tags === undefined ? about.tags : changedTags(about.tags, change.tags);
  const comment = change.comment === undefined ? about.comment : change.comment || undefined;
  return annotated(before, tags, comment, changedPin(before, change.pin, nowSeconds));
}

function changedTags(before: readonly string[], change: TagChange): readonly string[] {
  if ('set' in change) return change.set;
  const { add = [], remove = [] } = change;
  return [...before.filter((tag) => !remove.includes(tag)), ...add];
}

function changedPin(before: Snapshot, change: SnapshotChange['pin'], nowSeconds: number): Pin | undefined {
  // One that has run out is as good as none: taking it away changes nothing.
  if (change === undefined || (change === 'none' && !isPinned(before, nowSeconds))) return before.pin;
  return change === 'none' ? undefined : change;
}

function noteOf({ about, pin }: Snapshot, by: string, time: number): NoteRecord {
  const { comment, tags } = about;
  return {
    tags: [...new Set(tags)].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    ...(comment === undefined ? {} : { comment }),
    pinned: pin !== undefined,
    ...(pin?.until === undefined ? {} : { pinnedUntil: pin.until }),
    by,
    time,
  };
}
