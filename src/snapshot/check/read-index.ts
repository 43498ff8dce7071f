import { objectPath } from '../../backends/index.js';
import {
  CbrError,
  isObjectDigest,
  type ObjectDigest,
  ObjectNotFoundError,
  type SessionId,
} from '../../core/index.js';
import { Limiter } from '../../engine/index.js';
import {
  decodeSegment,
  hasOutcome,
  type IndexSegment,
  listSessions,
  outcomeSegments,
  segmentCounts,
} from '../../repo/index.js';
import type { CheckContext } from './check-context.js';
import type { CheckedRecords } from './check-records.js';
import { CheckedIndex, type NamedPack } from './checked-index.js';
import { isDamage, reasonOf, stopIfAborted } from './damage.js';

/** What no decided author vouches for: killed and running writers leave it. */
export interface Undecided {
  segments: number;
  /** Packs that no counting segment names. */
  packs: number;
  /** Stored bytes of these packs. */
  bytes: number;
}

export interface ReadIndex {
  readonly index: CheckedIndex;
  /** Names of the segments that count. */
  readonly counting: ReadonlySet<ObjectDigest>;
  /** Packs that are there, of another size than they should be, or on a part of the medium that cannot be read: each is read whole to learn what is left of it. */
  readonly misshapen: ReadonlySet<NamedPack>;
  readonly undecided: Undecided;
  /** Packs that are there, with their stored lengths. */
  readonly listed: ReadonlyMap<string, number>;
  /** Objects with names that cbr does not give. */
  readonly strangers: readonly string[];
  /** Segments are there that were written for discs, in place of others (docs/format.md, "Discs"). */
  readonly isOfDiscs: boolean;
}

/** Segments read at the same time: each may take 10 MB in memory. */
const SEGMENTS_AT_ONCE = 3;

/** Reads every index segment and compares the packs they name with those that are there. */
export async function readIndex(its: CheckContext, records: CheckedRecords): Promise<ReadIndex> {
  const found: Building = {
    index: new CheckedIndex(),
    counting: new Set(),
    misshapen: new Set(),
    undecided: { segments: 0, packs: 0, bytes: 0 },
    open: new Map(),
    listed: new Map(),
    strangers: [],
    isOfDiscs: false,
  };
  await readSegments(its, records, found);
  await findVanishedOutcomes(its, found);
  findAbsentSegments(its, records, found);
  // After the segments: packs are durable before a segment names them.
  await listPacks(its, records, found);
  return found;
}

interface Building extends ReadIndex {
  readonly counting: Set<ObjectDigest>;
  readonly misshapen: Set<NamedPack>;
  /** Segments of sessions that had no outcome when the records were read. */
  readonly open: Map<SessionId, ObjectDigest[]>;
  readonly listed: Map<string, number>;
  readonly strangers: string[];
  isOfDiscs: boolean;
}

async function readSegments(its: CheckContext, records: CheckedRecords, found: Building): Promise<void> {
  const reads = new Limiter(SEGMENTS_AT_ONCE);
  for (const name of records.view.segments.keys()) {
    if (!isObjectDigest(name)) {
      found.strangers.push(objectPath('index', name));
      continue;
    }
    await reads.room();
    stopIfAborted(its.signal);
    reads.start(async () => {
      const segment = await readSegment(its, name, found.index);
      if (segment !== undefined) sortIn(its, records, name, segment, found);
    });
  }
  await reads.settled();
}

async function readSegment(
  its: CheckContext,
  name: ObjectDigest,
  index: CheckedIndex,
): Promise<IndexSegment | undefined> {
  const { keys, algorithms } = its.repository;
  const object = objectPath('index', name);
  try {
    return decodeSegment(await its.backend.read('index', name), name, keys, algorithms.zstd);
  } catch (error) {
    if (!isDamage(error)) throw error;
    if (error instanceof ObjectNotFoundError) its.findings.sawMissing = true;
    its.findings.add(object, reasonOf(error));
    index.lostSegments.push(object);
    index.isHurt = true;
    return undefined;
  }
}

function sortIn(
  its: CheckContext,
  { view, lostSnapshots }: CheckedRecords,
  name: ObjectDigest,
  segment: IndexSegment,
  found: Building,
): void {
  const { index, counting, undecided, open } = found;
  const { author } = segment;
  const counts = segmentCounts(name, author, view);
  const session = author.kind === 'session' ? author.session : undefined;
  const isLost = session !== undefined && lostSnapshots.has(session);
  const outcome = session === undefined ? undefined : view.outcomes.get(session);
  if (counts) {
    counting.add(name);
    // What a session itself has written its commit names.
    if (outcome !== undefined && !(outcome instanceof CbrError) && !outcomeSegments(outcome).includes(name))
      found.isOfDiscs = true;
  } else if (isLost) index.isHurt = true;
  else {
    undecided.segments++;
    if (session !== undefined && !view.outcomes.has(session)) {
      open.set(session, [...(open.get(session) ?? []), name]);
    }
    return;
  }
  addTo(its, index, name, segment, counts ? undefined : session);
}

function addTo(
  its: CheckContext,
  index: CheckedIndex,
  name: ObjectDigest,
  segment: IndexSegment,
  doubt: SessionId | undefined,
): void {
  for (const pack of index.add(segment, doubt)) {
    const object = objectPath('packs', pack.name);
    its.findings.add(
      objectPath('index', name),
      `it describes ${object} otherwise than another index segment`,
    );
  }
}

/**
 * A session that wrote segments and is neither registered nor has an outcome: sessions are cleared away only after their
 * outcome exists (rule 12), so that is gone. What its segments name is remembered, to tell what needs it.
 */
async function findVanishedOutcomes(its: CheckContext, { open, index, undecided }: Building): Promise<void> {
  if (open.size === 0) return;
  const { backend, records } = its.repository;
  const registered = new Set(
    (await listSessions({ backend, records }, { ended: 'name' })).map(({ id }) => id),
  );
  for (const [id, names] of open) {
    // It may have ended since the records were read.
    if (registered.has(id) || (await hasOutcome(backend, id))) continue;
    const object = objectPath('snapshots', id);
    its.findings.addMissing(object, 'is missing: its session wrote index segments and was ended');
    its.findings.affect(object, `${id.slice(0, 8)}:/`);
    index.isHurt = true;
    for (const name of names) {
      undecided.segments--;
      const segment = await readSegment(its, name, index);
      if (segment !== undefined) addTo(its, index, name, segment, id);
    }
  }
}

/**
 * Segments that their session's outcome names and that are gone. Only a prune removes segments, and only discs have others in their
 * place: where there was neither, they are missing; else they are blamed only for chunks that are nowhere else.
 */
function findAbsentSegments(
  its: CheckContext,
  records: CheckedRecords,
  { index, isOfDiscs }: Building,
): void {
  const { view, forgotten } = records;
  const outcomes = [...view.outcomes, ...forgotten];
  // The segments that a lease record lists do not count while it cannot be read.
  index.lostSegments.push(...records.damagedLeases);
  for (const [session, outcome] of outcomes) {
    if (outcome instanceof CbrError) continue;
    for (const name of outcomeSegments(outcome)) {
      if (view.segments.has(name)) continue;
      const object = objectPath('index', name);
      if (isOfDiscs || view.leases.size > 0 || records.damagedLeases.length > 0) {
        index.absentSegments.push(object);
        continue;
      }
      const author =
        outcome.outcome === 'commit' ? `snapshot ${session.slice(0, 8)}` : `session ${session.slice(0, 8)}`;
      its.findings.addMissing(object, `is missing: ${author} wrote it`);
      index.lostSegments.push(object);
      index.isHurt = true;
    }
  }
}

async function listPacks(
  its: CheckContext,
  { view }: CheckedRecords,
  { index, misshapen, undecided, listed, strangers }: Building,
): Promise<void> {
  const { gathering } = its.repository.backend;
  for await (const { name, size } of its.backend.list('packs', { signal: its.signal })) {
    listed.set(name, size);
    const pack = index.named(name);
    if (!isObjectDigest(name)) strangers.push(objectPath('packs', name));
    else if (pack === undefined) {
      undecided.packs++;
      undecided.bytes += size;
    } else {
      pack.present = true;
      if (gathering?.isUnreadable(name) === true) misshapen.add(pack);
      if (size === pack.size) continue;
      misshapen.add(pack);
      index.isHurt = true;
      const reason = size === 0 ? 'is empty' : `is ${size} bytes long`;
      its.findings.add(objectPath('packs', name), `${reason}, ${pack.size} were written`);
    }
  }
  for (const pack of index.packs) {
    // One that may not count is gone rightly only where a prune was at work.
    if (pack.present || (!pack.counts && view.leases.size > 0)) continue;
    index.isHurt = true;
    its.findings.addMissing(objectPath('packs', pack.name), 'is missing');
  }
}
