import type { ObjectReader } from '../backends/index.js';
import {
  BackendError,
  CbrError,
  type ObjectDigest,
  ObjectNotFoundError,
  readAhead,
  type SessionId,
  toHex,
} from '../core/index.js';
import type { Author } from './index-segment.js';
import { decodeRecord, type RecordContext } from './record-store.js';
import { type LeaseRecord, leaseRecord, markRecord, type OutcomeRecord, outcomeRecord } from './records.js';

type RememberedKind = 'snapshots' | 'forgotten' | 'leases' | 'notes';

/** Keeps the stored bytes of immutable records at hand, by kind and name; a cache, so it may forget. */
export interface RecordMemory {
  get(kind: RememberedKind, name: string): Uint8Array | undefined;
  put(kind: RememberedKind, name: string, stored: Uint8Array): void;
  /**
   * Where a name can be written twice, a commit may take the place of a fence, and one closing record that of another, of the same
   * length: only commits are remembered then.
   */
  readonly changes?: boolean;
}

/** What everybody reads before acting, in the order of docs/protocol.md rule 8. */
export interface RepositoryView {
  /** Outcomes by session; an error where the record could not be opened. */
  readonly outcomes: ReadonlyMap<SessionId, OutcomeRecord | CbrError>;
  /** Those of the outcomes that were not read now, but before. */
  readonly remembered: ReadonlySet<SessionId>;
  readonly forgotten: ReadonlySet<SessionId>;
  /** The stored lengths of the forgotten records. */
  readonly forgottenSizes: ReadonlyMap<SessionId, number>;
  /** Snapshots that a valid one saw and that are gone without having been forgotten. */
  readonly vanished: ReadonlySet<SessionId>;
  /** Packs condemned by a mark: never to be relied on for something new. */
  readonly condemned: ReadonlySet<ObjectDigest>;
  /** Names of the marks that could be opened, with the packs they condemn. */
  readonly marks: ReadonlyMap<string, readonly ObjectDigest[]>;
  /** Marks that could not be opened: what they condemn is unknown. */
  readonly unreadableMarks: readonly CbrError[];
  /** Index segments listed, with their stored length. */
  readonly segments: ReadonlyMap<ObjectDigest, number>;
  /** Lease records of prune, by number. */
  readonly leases: ReadonlyMap<number, LeaseRecord>;
  /** Those that could not be opened: which segments they list is unknown. */
  readonly unreadableLeases: ReadonlyMap<number, CbrError>;
}

export async function listNames(
  backend: ObjectReader,
  kind: Parameters<ObjectReader['list']>[0],
): Promise<string[]> {
  const names: string[] = [];
  for await (const { name } of backend.list(kind)) names.push(name);
  return names;
}

function asDamage(error: unknown): CbrError {
  if (!(error instanceof CbrError) || error instanceof BackendError || error.code === 'newer-format')
    throw error;
  return error;
}

async function readOutcomes(
  backend: ObjectReader,
  its: RecordContext,
  memory: RecordMemory,
): Promise<Pick<RepositoryView, 'outcomes' | 'remembered'>> {
  const outcomes = new Map<SessionId, OutcomeRecord | CbrError>();
  const known = new Set<SessionId>();
  const listed: { readonly name: string; readonly size: number }[] = [];
  for await (const object of backend.list('snapshots')) listed.push(object);
  const storedOf = async ({ name, size }: (typeof listed)[number]) => {
    const remembered = memory.get('snapshots', name);
    // Of another length: somebody removed the record, and another outcome took its name.
    if (remembered?.byteLength === size) return { name, stored: remembered };
    try {
      return { name, stored: await backend.read('snapshots', name), isNew: true };
    } catch (error) {
      // Removed since the listing: a forget, which the next listing shows.
      return { name, stored: error instanceof ObjectNotFoundError ? undefined : asDamage(error) };
    }
  };
  for await (const { name, stored, isNew } of readAhead(listed, backend.concurrency, storedOf)) {
    const sid = name as SessionId;
    if (stored === undefined) continue;
    try {
      if (stored instanceof CbrError) throw stored;
      const outcome = decodeRecord('snapshots', name, outcomeRecord, stored, its);
      outcomes.set(sid, outcome);
      if (!isNew) known.add(sid);
      if (isNew && (outcome.outcome === 'commit' || !memory.changes)) memory.put('snapshots', name, stored);
    } catch (error) {
      outcomes.set(sid, asDamage(error));
    }
  }
  return { outcomes, remembered: known };
}

/**
 * Reads the repository as rule 8 says; `afterMarks` is done between marks and index. Rejects only when the backend fails or
 * the format is newer.
 */
export async function readView(
  backend: ObjectReader,
  its: RecordContext,
  memory: RecordMemory,
  afterMarks: () => Promise<void> = async () => undefined,
): Promise<RepositoryView> {
  const { outcomes, remembered } = await readOutcomes(backend, its, memory);
  const forgottenSizes = new Map<SessionId, number>();
  for await (const { name, size } of backend.list('forgotten')) forgottenSizes.set(name as SessionId, size);
  const forgotten = new Set(forgottenSizes.keys());
  const marks = new Map<string, readonly ObjectDigest[]>();
  const unreadableMarks: CbrError[] = [];
  for (const name of await listNames(backend, 'marks')) {
    try {
      const mark = decodeRecord('marks', name, markRecord, await backend.read('marks', name), its);
      marks.set(
        name,
        mark.packs.map((pack) => toHex(pack) as ObjectDigest),
      );
    } catch (error) {
      if (!(error instanceof ObjectNotFoundError)) unreadableMarks.push(asDamage(error));
    }
  }
  await afterMarks();
  const condemned = new Set([...marks.values()].flat());
  const segments = new Map<ObjectDigest, number>();
  for await (const { name, size } of backend.list('index')) segments.set(name as ObjectDigest, size);
  const { leases, unreadable: unreadableLeases } = await readLeases(backend, its, memory);
  const vanished = vanishedSnapshots(outcomes, forgotten);
  return {
    outcomes,
    remembered,
    forgotten,
    forgottenSizes,
    vanished,
    condemned,
    marks,
    unreadableMarks,
    segments,
    leases,
    unreadableLeases,
  };
}

function vanishedSnapshots(
  outcomes: RepositoryView['outcomes'],
  forgotten: ReadonlySet<SessionId>,
): Set<SessionId> {
  const vanished = new Set<SessionId>();
  for (const outcome of outcomes.values()) {
    if (outcome instanceof CbrError || outcome.outcome !== 'commit') continue;
    for (const seen of outcome.seen) {
      const sid = toHex(seen) as SessionId;
      if (!outcomes.has(sid) && !forgotten.has(sid)) vanished.add(sid);
    }
  }
  return vanished;
}

async function readLeases(
  backend: ObjectReader,
  its: RecordContext,
  memory: RecordMemory,
): Promise<{ leases: Map<number, LeaseRecord>; unreadable: Map<number, CbrError> }> {
  const leases = new Map<number, LeaseRecord>();
  const unreadable = new Map<number, CbrError>();
  const listed = (await listNames(backend, 'leases')).flatMap((name) => {
    const number = /^prune\/([1-9][0-9]{0,8})$/.exec(name)?.[1];
    return number === undefined ? [] : [{ name, number: Number(number) }];
  });
  const leaseOf = async ({ name }: (typeof listed)[number]): Promise<LeaseRecord | CbrError | undefined> => {
    const kept = memory.changes ? undefined : memory.get('leases', name);
    try {
      const stored = kept ?? (await backend.read('leases', name));
      const lease = decodeRecord('leases', name, leaseRecord, stored, its);
      if (kept === undefined) memory.put('leases', name, stored);
      return lease;
    } catch (error) {
      return error instanceof ObjectNotFoundError ? undefined : asDamage(error);
    }
  };
  let at = 0;
  for await (const lease of readAhead(listed, backend.concurrency, leaseOf)) {
    const { number } = listed[at++]!;
    if (lease instanceof CbrError) unreadable.set(number, lease);
    else if (lease !== undefined) leases.set(number, lease);
  }
  return { leases, unreadable };
}

/** Whether a segment counts (rules 5 and 6): its author is decided, for ever. */
export function segmentCounts(name: ObjectDigest, author: Author, view: RepositoryView): boolean {
  const lists = (segments: readonly Uint8Array[]): boolean => segments.some((each) => toHex(each) === name);
  if (author.kind === 'prune') {
    const next = view.leases.get(author.epoch + 1);
    return next !== undefined && lists(next.segments);
  }
  if (view.forgotten.has(author.session)) return true;
  const outcome = view.outcomes.get(author.session);
  if (outcome === undefined || outcome instanceof CbrError) return false;
  return outcome.outcome === 'commit' || lists(outcome.segments);
}

/** Whether a segment will never count: its author is decided, and not in its favour. */
export function neverCounts(name: ObjectDigest, author: Author, view: RepositoryView): boolean {
  if (segmentCounts(name, author, view)) return false;
  if (author.kind === 'prune') return view.leases.has(author.epoch + 1);
  return view.outcomes.has(author.session);
}

/**
 * Whether a segment counts or may count: because the record that decides it is there and cannot be opened, or is not there
 * although it must have been: the outcome of a session when snapshots have vanished, the record that follows an epoch when
 * there are later ones. Readers use such segments too, for what they name is verified as it is read; writers must not rely on
 * them.
 */
export function segmentMayCount(name: ObjectDigest, author: Author, view: RepositoryView): boolean {
  if (segmentCounts(name, author, view)) return true;
  if (author.kind === 'prune') {
    const next = author.epoch + 1;
    if (view.leases.has(next)) return false;
    const isLater = (number: number): boolean => number > next;
    return view.unreadableLeases.has(next) || [...view.leases.keys()].some(isLater);
  }
  const outcome = view.outcomes.get(author.session);
  return outcome instanceof CbrError || (outcome === undefined && view.vanished.size > 0);
}

/** Sessions whose outcome is a commit that nobody has forgotten (rule 7). */
export function validSnapshots(view: RepositoryView): Map<SessionId, OutcomeRecord> {
  const valid = new Map<SessionId, OutcomeRecord>();
  for (const [sid, outcome] of view.outcomes) {
    if (!(outcome instanceof CbrError) && outcome.outcome === 'commit' && !view.forgotten.has(sid)) {
      valid.set(sid, outcome);
    }
  }
  return valid;
}
