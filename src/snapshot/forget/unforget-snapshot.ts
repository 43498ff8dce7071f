import { CbrError, messageOf, type SessionId } from '../../core/index.js';
import { type Repository, readNotes, recordMemory } from '../../repo/index.js';
import { listSnapshots } from '../list-snapshots.js';
import { annotateSnapshot, isPinned, withNote } from '../notes.js';
import { type CommittedRoot, commitRoot } from '../rewrite/commit-root.js';
import type { Snapshot } from '../snapshot-record.js';
import { contentIdentity } from './content-identity.js';
import { readForgotten } from './forgotten-snapshots.js';

export interface UnforgetOptions {
  /** Who does it, at most 1024 bytes; asked for when a pin is set again. */
  readonly by: string;
  readonly nowSeconds: number;
  readonly signal: AbortSignal;
}

export interface Unforgotten {
  /** An id of its own, all else as it was. */
  readonly snapshot: Snapshot;
  /** False when it had been brought back before, and is still there. */
  readonly isNew: boolean;
  /** Plain bytes of chunks that were about to be removed and were stored again. */
  readonly storedAgain: number;
}

/**
 * Brings a forgotten snapshot back, as a writer (docs/protocol.md rule 13): commits a new snapshot of its root after looking up
 * every chunk that this reaches, and storing again those that are condemned. Tags, comment and pin are those it had last. Done
 * again it makes no second one.
 * Rejects with `not-found` when it was not forgotten and when its packs were swept, with DamagedError when its record cannot
 * be opened, and with the signal's reason; nothing is committed then.
 */
export async function unforgetSnapshot(
  repository: Repository,
  id: SessionId,
  options: UnforgetOptions,
): Promise<Unforgotten> {
  const old = await lastKnown(repository, id);
  const there = await broughtBack(repository, old);
  if (there !== undefined) {
    await pinAgain(repository, there, options);
    return { snapshot: there, isNew: false, storedAgain: 0 };
  }
  const { snapshot, storedAgain } = await unforgetOnce(repository, old, options.signal);
  const back = old.pin === undefined ? snapshot : { ...snapshot, pin: old.pin };
  await pinAgain(repository, back, options);
  return { snapshot: back, isNew: true, storedAgain };
}

/** What has brought it back before and is there; with its pin, which a run that was killed may not have set any more. */
async function broughtBack(repository: Repository, old: Snapshot): Promise<Snapshot | undefined> {
  const { backend, records, cache } = repository;
  const identity = contentIdentity(old);
  const { snapshots } = await listSnapshots(repository);
  const found = snapshots.find((each) => contentIdentity(each) === identity);
  if (found === undefined || old.pin === undefined) return found;
  const notes = await readNotes({ backend, records, memory: recordMemory(cache) }, new Set([found.id]));
  return notes.has(found.id) ? found : { ...found, pin: old.pin };
}

function unforgetOnce(
  repository: Repository,
  { id, root, about }: Snapshot,
  signal: AbortSignal,
): Promise<CommittedRoot> {
  const make = async () => ({ root, about: () => about });
  return commitRoot(repository, { make, lost: (cause) => swept(id, cause), signal });
}

/** The snapshot is back by now, so that what fails here is only told. */
async function pinAgain(
  repository: Repository,
  snapshot: Snapshot,
  { by, nowSeconds }: UnforgetOptions,
): Promise<void> {
  const { id, pin } = snapshot;
  if (pin === undefined || !isPinned(snapshot, nowSeconds)) return;
  try {
    await annotateSnapshot(repository, snapshot, { pin }, by, nowSeconds);
  } catch (error) {
    const what = `Snapshot ${id.slice(0, 8)} is back, but its pin could not be set again`;
    repository.report(`${what}: ${messageOf(error)}.`, 'notice');
  }
}

/** The forgotten snapshot with what its notes changed, as long as those are there. */
async function lastKnown({ backend, records, cache }: Repository, id: SessionId): Promise<Snapshot> {
  const { snapshot } = await readForgotten({ backend, records }, id);
  const notes = await readNotes({ backend, records, memory: recordMemory(cache) }, new Set([id]));
  return withNote(snapshot, notes.get(id));
}

function swept(id: SessionId, cause: CbrError): CbrError {
  const reason = `not all that it holds is still stored, because a prune has removed it or is just doing so (${cause.message})`;
  return new CbrError('not-found', `snapshot ${id.slice(0, 8)} cannot be brought back: ${reason}`, {
    cause,
    hint: 'Where no prune has run since it was forgotten, something is damaged: run cbr check',
  });
}
