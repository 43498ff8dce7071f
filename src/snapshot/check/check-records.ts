import { objectPath } from '../../backends/index.js';
import { CbrError, type Codec, DamagedError, decode, type SessionId, toHex } from '../../core/index.js';
import {
  catalogRecord,
  configRecord,
  decodeRecord,
  forgottenRecord,
  listKeySlots,
  noteRecord,
  type OutcomeRecord,
  outcomeRecord,
  parseNoteName,
  plainRecordContent,
  policiesRecord,
  type RecordMemory,
  type RepositoryView,
  readView,
  sealedConfig,
  validSnapshots,
  verifyConfig,
} from '../../repo/index.js';
import { type Snapshot, snapshotOf } from '../snapshot-record.js';
import type { CheckContext } from './check-context.js';
import { isDamage, reasonOf, stopIfAborted } from './damage.js';

/** The records of the repository, each of them read and opened. */
export interface CheckedRecords {
  readonly view: RepositoryView;
  /** Valid snapshots whose record is sound. */
  readonly snapshots: readonly Snapshot[];
  /** The outcomes that forgotten records keep. */
  readonly forgotten: ReadonlyMap<SessionId, OutcomeRecord>;
  /** Lease records that cannot be opened. */
  readonly damagedLeases: readonly string[];
  /** Snapshots that are damaged or vanished as a whole. */
  readonly lostSnapshots: ReadonlySet<SessionId>;
  /** Those of them of which only this witness tells. */
  readonly vanished: ReadonlyMap<SessionId, SessionId>;
}

/** A record may be damaged although the cache remembers it whole. */
const NO_MEMORY: RecordMemory = Object.freeze({ get: () => undefined, put: () => undefined });

/** Rejects when the backend fails or the format is newer. */
export async function checkRecords(its: CheckContext): Promise<CheckedRecords> {
  await checkConfigs(its);
  await checkKeys(its);
  const view = await readView(its.backend, its.repository.records, NO_MEMORY);
  stopIfAborted(its.signal);
  for (const error of view.unreadableMarks) {
    its.findings.add(error instanceof DamagedError ? error.object : 'marks', reasonOf(error));
  }
  const lost = new Set<SessionId>();
  const snapshots = checkSnapshots(its, view, lost);
  const forgotten = await readForgotten(its, view);
  const vanished = findVanished(view, forgotten);
  for (const id of vanished.keys()) lost.add(id);
  const damagedLeases = checkLeases(its, view);
  await checkNotes(its);
  await checkNumbered(its, 'policies', policiesRecord);
  await checkNumbered(its, 'catalog', catalogRecord);
  return { view, snapshots, forgotten, damagedLeases, lostSnapshots: lost, vanished };
}

/** Reads an object and looks at it; damage becomes a finding. Undefined then, and when it is gone since it was listed. */
async function inspect<T>(
  its: CheckContext,
  kind: Parameters<CheckContext['backend']['read']>[0],
  name: string,
  look: (stored: Uint8Array) => T,
): Promise<T | undefined> {
  stopIfAborted(its.signal);
  try {
    return look(await its.backend.read(kind, name));
  } catch (error) {
    if (!isDamage(error)) throw error;
    if (error.code !== 'object-not-found') its.findings.add(objectPath(kind, name), reasonOf(error));
    return undefined;
  }
}

async function checkConfigs(its: CheckContext): Promise<void> {
  for await (const { name } of its.backend.list('config')) {
    const object = objectPath('config', name);
    await inspect(its, 'config', name, (stored) => {
      const { config: encoded, mac } = decode(
        sealedConfig,
        plainRecordContent('config', stored, object),
        object,
      );
      const config = decode(configRecord, encoded, object);
      verifyConfig({ number: Number(name), config, encoded, mac }, its.repository.keys);
    });
  }
}

async function checkKeys({ backend, findings }: CheckContext): Promise<void> {
  const { damaged } = await listKeySlots(backend);
  for (const error of damaged) findings.add(error.object, reasonOf(error));
}

/** Keeps in `lost` those that cannot be opened. */
function checkSnapshots(its: CheckContext, view: RepositoryView, lost: Set<SessionId>): Snapshot[] {
  const snapshots: Snapshot[] = [];
  const lose = (id: SessionId, error: CbrError): void => {
    const object = objectPath('snapshots', id);
    its.findings.add(object, reasonOf(error));
    its.findings.affect(object, `${id.slice(0, 8)}:/`);
    lost.add(id);
  };
  for (const [id, outcome] of view.outcomes) {
    if (outcome instanceof CbrError && !view.forgotten.has(id)) lose(id, outcome);
  }
  for (const [id, outcome] of validSnapshots(view)) {
    try {
      snapshots.push(snapshotOf(id, outcome));
    } catch (error) {
      if (!isDamage(error)) throw error;
      lose(id, error);
    }
  }
  return snapshots;
}

async function readForgotten(
  its: CheckContext,
  view: RepositoryView,
): Promise<Map<SessionId, OutcomeRecord>> {
  const outcomes = new Map<SessionId, OutcomeRecord>();
  for (const id of view.forgotten) {
    const outcome = await inspect(its, 'forgotten', id, (stored) => {
      const record = decodeRecord('forgotten', id, forgottenRecord, stored, its.repository.records);
      return decode(outcomeRecord, record.outcome, objectPath('forgotten', id));
    });
    if (outcome !== undefined) outcomes.set(id, outcome);
  }
  return outcomes;
}

/** Snapshots that a later one saw and that are neither there nor forgotten, with one that saw them. */
function findVanished(
  view: RepositoryView,
  forgotten: ReadonlyMap<SessionId, OutcomeRecord>,
): Map<SessionId, SessionId> {
  const vanished = new Map<SessionId, SessionId>();
  for (const [witness, outcome] of [...view.outcomes, ...forgotten]) {
    if (outcome instanceof CbrError) continue;
    for (const seen of outcome.seen) {
      const id = toHex(seen) as SessionId;
      if (!view.outcomes.has(id) && !view.forgotten.has(id) && !vanished.has(id)) vanished.set(id, witness);
    }
  }
  return vanished;
}

/** Reports them as damage. Discs have the records of some snapshots alone: there it is none. */
export function tellVanished({ findings }: CheckContext, { vanished }: CheckedRecords): void {
  for (const [id, witness] of vanished) {
    const object = objectPath('snapshots', id);
    findings.addMissing(object, `vanished without being forgotten: snapshot ${witness.slice(0, 8)} saw it`);
    findings.affect(object, `${id.slice(0, 8)}:/`);
  }
}

function checkLeases({ findings }: CheckContext, { unreadableLeases }: RepositoryView): string[] {
  return [...unreadableLeases].map(([number, error]) => {
    const object = objectPath('leases', `prune/${number}`);
    findings.add(object, reasonOf(error));
    return object;
  });
}

/** Of every snapshot: those of one that is gone stay until a prune. */
async function checkNotes(its: CheckContext): Promise<void> {
  for await (const { name } of its.backend.list('notes')) {
    if (parseNoteName(name) === undefined) continue;
    await inspect(its, 'notes', name, (stored) =>
      decodeRecord('notes', name, noteRecord, stored, its.repository.records),
    );
  }
}

/** Records that are numbered: what has another name is none. */
async function checkNumbered<T>(
  its: CheckContext,
  kind: 'policies' | 'catalog',
  codec: Codec<T>,
): Promise<void> {
  for await (const { name } of its.backend.list(kind)) {
    if (!/^[1-9][0-9]*$/.test(name)) continue;
    await inspect(its, kind, name, (stored) =>
      decodeRecord(kind, name, codec, stored, its.repository.records),
    );
  }
}
