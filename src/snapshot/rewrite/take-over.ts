import { encode, type SessionId, sameBytes } from '../../core/index.js';
import { type NoteRecord, noteRecord, type Repository, readNotes, recordMemory } from '../../repo/index.js';
import { forgetSnapshots } from '../forget/forget-snapshots.js';
import { annotateSnapshot, isPinned, type SnapshotChange, withNote } from '../notes.js';
import type { Snapshot } from '../snapshot-record.js';
import type { RewriteOptions } from './rewrite-options.js';

type Pin = NonNullable<Snapshot['pin']>;

/**
 * Gives a snapshot that is there what the notes say of those that it was made from, and only then forgets these if asked to:
 * what is protected stays protected. Returns the ids of those that were forgotten.
 */
export async function takeOver(
  repository: Repository,
  from: readonly Snapshot[],
  to: Snapshot,
  isNew: boolean,
  { forget, by, nowSeconds, signal }: RewriteOptions,
): Promise<{ readonly snapshot: Snapshot; readonly forgotten: readonly Snapshot['id'][] }> {
  const { backend, records, cache } = repository;
  const ids = from.map(({ id }) => id);
  const all = new Set([...ids, to.id]);
  const notesNow = () => readNotes({ backend, records, memory: recordMemory(cache) }, all);
  const carry = async (notes: Notes): Promise<Snapshot> => {
    const noted = from.map((each) => withNote(each, notes.get(each.id)));
    const change = notedOf(noted, nowSeconds);
    const isNoted = ids.some((id) => notes.has(id)) || change.pin !== undefined;
    if (!isNoted) return to;
    return (await annotateSnapshot(repository, to, change, by, nowSeconds)).snapshot;
  };
  const before = await notesNow();
  // What an earlier run made may have been changed since, on purpose.
  const isSettled = !isNew && before.has(to.id);
  // All but the pin of what is to be forgotten.
  const carryPin = async (notes: Notes): Promise<Snapshot> => {
    const now = withNote(to, notes.get(to.id));
    const pin = longestPin([now, ...from.map((each) => withNote(each, notes.get(each.id)))], nowSeconds);
    if (pin === undefined || (isPinned(now, nowSeconds) && pin === now.pin)) return now;
    return (await annotateSnapshot(repository, to, { pin }, by, nowSeconds)).snapshot;
  };
  const give = isSettled ? carryPin : carry;
  const snapshot = isSettled && !forget ? withNote(to, before.get(to.id)) : await give(before);
  if (!forget) return { snapshot, forgotten: [] };
  const forgotten = await forgetSnapshots(repository, ids, { by, nowSeconds, signal });
  // A pin that came between was answered with success. What is gone again, a prune has removed.
  const after = await notesNow();
  const isSame = ids.every((id) => !after.has(id) || sameNotes(before.get(id), after.get(id)!));
  return { snapshot: isSame ? snapshot : await give(new Map([...before, ...after])), forgotten };
}

type Notes = ReadonlyMap<SessionId, NoteRecord>;

function sameNotes(a: NoteRecord | undefined, b: NoteRecord): boolean {
  return a !== undefined && sameBytes(encode(noteRecord, a), encode(noteRecord, b));
}

/** Tags of any, the comment of the newest, and the pin that holds longest. */
function notedOf(from: readonly Snapshot[], nowSeconds: number): SnapshotChange {
  const pin = longestPin(from, nowSeconds);
  return {
    tags: { set: unitedTags(from) },
    comment: newestOf(from).about.comment ?? '',
    ...(pin === undefined ? {} : { pin }),
  };
}

function longestPin(snapshots: readonly Snapshot[], nowSeconds: number): Pin | undefined {
  const pins = snapshots.filter((each) => isPinned(each, nowSeconds)).map(({ pin }) => pin!);
  return pins.length === 0 ? undefined : pins.reduce(longer);
}

export function unitedTags(from: readonly Snapshot[]): readonly string[] {
  return [...new Set(from.flatMap(({ about }) => about.tags))].sort();
}

export function newestOf(snapshots: readonly Snapshot[]): Snapshot {
  return newestFirst(snapshots)[0]!;
}

/** Of the same time in the order in which they were named. */
export function newestFirst(snapshots: readonly Snapshot[]): readonly Snapshot[] {
  return [...snapshots].sort(
    ({ about: a }, { about: b }) => b.seconds - a.seconds || b.nanoseconds - a.nanoseconds,
  );
}

function longer(a: Pin, b: Pin): Pin {
  if (a.until === undefined || b.until === undefined) return {};
  return a.until >= b.until ? a : b;
}
