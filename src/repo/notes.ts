import type { ObjectReader } from '../backends/index.js';
import {
  BackendError,
  CbrError,
  isSessionId,
  ObjectExistsError,
  ObjectNotFoundError,
  readAhead,
  type SessionId,
} from '../core/index.js';
import { nextNumber, parseNumber } from './object-number.js';
import { createRecord, decodeRecord, type RecordContext, readRecord } from './record-store.js';
import { type NoteRecord, noteRecord, type OutcomeRecord, outcomeRecord } from './records.js';
import type { SessionContext } from './session.js';
import { listNames, type RecordMemory } from './view.js';

/** Notes: what was changed of snapshots after they were taken (docs/format.md, "Note"). */

/** Every one that is lost was won by another writer; so many at the same moment there are not. */
const MOST_TRIES = 20;

export interface NoteName {
  readonly snapshot: SessionId;
  readonly number: number;
}

/** What an object of the kind `notes` is called; undefined for names that cbr does not give. */
export function parseNoteName(name: string): NoteName | undefined {
  const [snapshot = '', number = '', ...more] = name.split('/');
  const parsed = parseNumber(number);
  if (!isSessionId(snapshot) || parsed === undefined || more.length > 0) return undefined;
  return { snapshot, number: parsed };
}

/** What is read with: `memory` spares reading again what cannot change. */
export interface NotesContext {
  readonly backend: ObjectReader;
  readonly records: RecordContext;
  readonly memory: RecordMemory;
}

/** The numbers of the notes by snapshot, the highest first. */
export type NoteNumbers = ReadonlyMap<SessionId, readonly number[]>;

/**
 * The counting note of each of the snapshots that has one: of those that can be opened the one with the highest number.
 * Lists once unless it is given the list, and reads nothing where there are no notes. Rejects when the backend fails or the
 * format is newer.
 */
export async function readNotes(
  its: NotesContext,
  snapshots: { has(id: SessionId): boolean },
  listed?: NoteNumbers,
): Promise<Map<SessionId, NoteRecord>> {
  const notes = new Map<SessionId, NoteRecord>();
  const wanted = [...(listed ?? (await noteNumbers(its.backend)))].filter(([id]) => snapshots.has(id));
  const reading = readAhead(wanted, its.backend.concurrency, async ([id, numbers]) => {
    return [id, await countingNote(its, id, numbers)] as const;
  });
  for await (const [id, note] of reading) if (note !== undefined) notes.set(id, note);
  return notes;
}

/** Those of the snapshots whose last note cannot be opened: it may have pinned them. Rejects as `readNotes` does. */
export async function doubtfulNotes(
  its: NotesContext,
  snapshots: { has(id: SessionId): boolean },
  listed?: NoteNumbers,
): Promise<Set<SessionId>> {
  const doubtful = new Set<SessionId>();
  for (const [id, [last]] of listed ?? (await noteNumbers(its.backend))) {
    if (!snapshots.has(id) || last === undefined) continue;
    if ((await countingNote(its, id, [last])) === undefined) doubtful.add(id);
  }
  return doubtful;
}

/** Lists all notes. */
export async function noteNumbers(backend: ObjectReader): Promise<NoteNumbers> {
  const found = new Map<SessionId, number[]>();
  for (const name of await listNames(backend, 'notes')) {
    const parsed = parseNoteName(name);
    if (parsed === undefined) continue;
    const numbers = found.get(parsed.snapshot);
    if (numbers === undefined) found.set(parsed.snapshot, [parsed.number]);
    else numbers.push(parsed.number);
  }
  for (const numbers of found.values()) numbers.sort((a, b) => b - a);
  return found;
}

async function countingNote(
  its: NotesContext,
  id: SessionId,
  numbers: readonly number[],
): Promise<NoteRecord | undefined> {
  for (const number of numbers) {
    try {
      return await readNote(its, `${id}/${number}`);
    } catch (error) {
      if (!isOfThisNote(error)) throw error;
    }
  }
  return undefined;
}

async function readNote({ backend, records, memory }: NotesContext, name: string): Promise<NoteRecord> {
  const kept = memory.get('notes', name);
  const stored = kept ?? (await backend.read('notes', name));
  const note = decodeRecord('notes', name, noteRecord, stored, records);
  if (kept === undefined) memory.put('notes', name, stored);
  return note;
}

/** Damaged or gone: a backend that fails, or a note of a newer program, says nothing about those below it. */
function isOfThisNote(error: unknown): boolean {
  return error instanceof CbrError && !(error instanceof BackendError) && error.code !== 'newer-format';
}

/** How the notes of a snapshot stand after `writeNote`. */
export interface NoteResult {
  /** The snapshot's own record. */
  readonly outcome: OutcomeRecord;
  /** The counting note; undefined where there was nothing to write and is none. */
  readonly note: NoteRecord | undefined;
  readonly isWritten: boolean;
}

/**
 * Writes the next note of a snapshot: what `revise` makes of the counting one, or nothing where it returns undefined; it is
 * told when there is a later one that cannot be opened. When
 * another writer takes the number first, `revise` is asked again with what that one wrote, so that no change is lost.
 *
 * The snapshot was valid when the note was written. Rejects with `not-found` when it is not, also when it was forgotten while
 * the note was written; with `busy` when others were faster every time; with DamagedError when the snapshot's record cannot
 * be opened. Done again after a failure it goes on from what is there.
 */
export async function writeNote(
  { backend, records }: SessionContext,
  memory: RecordMemory,
  id: SessionId,
  revise: (
    outcome: OutcomeRecord,
    counting: NoteRecord | undefined,
    isDoubtful: boolean,
  ) => NoteRecord | undefined,
): Promise<NoteResult> {
  for (let tries = 0; tries < MOST_TRIES; tries++) {
    const numbers = (await noteNumbers(backend)).get(id) ?? [];
    const its: NotesContext = { backend, records, memory };
    const counting = await countingNote(its, id, numbers);
    const isDoubtful = numbers.length > 0 && (await countingNote(its, id, [numbers[0]!])) === undefined;
    const outcome = await validOutcome({ backend, records }, id);
    const note = revise(outcome, counting, isDoubtful);
    if (note === undefined) return { outcome, note: counting, isWritten: false };
    // Above damaged ones too: a number is given once.
    const name = `${id}/${nextNumber(numbers[0] ?? 0, `notes/${id}`)}`;
    try {
      await createRecord(backend, 'notes', name, noteRecord, note, records);
    } catch (error) {
      if (error instanceof ObjectExistsError) continue;
      throw error;
    }
    // Whoever forgets it from now on could see the note; whoever did before this could not.
    if (await isForgotten(backend, id)) throw gone(id);
    return { outcome, note, isWritten: true };
  }
  throw new CbrError('busy', `others are changing the notes of snapshot ${id.slice(0, 8)} all the time`, {
    hint: 'Try again.',
  });
}

/** The record of a valid snapshot (rule 7): its commit first, then that nobody has forgotten it, as forgetting goes. */
async function validOutcome({ backend, records }: SessionContext, id: SessionId): Promise<OutcomeRecord> {
  let outcome: OutcomeRecord;
  try {
    outcome = await readRecord(backend, 'snapshots', id, outcomeRecord, records);
  } catch (error) {
    if (error instanceof ObjectNotFoundError) throw gone(id);
    throw error;
  }
  if (outcome.outcome !== 'commit' || (await isForgotten(backend, id))) throw gone(id);
  return outcome;
}

async function isForgotten(backend: ObjectReader, id: SessionId): Promise<boolean> {
  try {
    await backend.stat('forgotten', id);
    return true;
  } catch (error) {
    if (!(error instanceof ObjectNotFoundError)) throw error;
    return false;
  }
}

function gone(id: SessionId): CbrError {
  return new CbrError(
    'not-found',
    `there is no snapshot ${id.slice(0, 8)}, or it was forgotten a moment ago`,
    {
      hint: 'See: cbr snapshots',
    },
  );
}
