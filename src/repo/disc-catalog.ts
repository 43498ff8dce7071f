import {
  BackendError,
  CbrError,
  isObjectDigest,
  isSessionId,
  ObjectExistsError,
  readAhead,
} from '../core/index.js';
import {
  type CatalogEvent,
  CatalogReplay,
  type DiscCatalog,
  type PlannedCatalogBuild,
} from './catalog-replay.js';
import { nextNumber, parseNumber } from './object-number.js';
import { createRecord, readRecord } from './record-store.js';
import { type CatalogRecord, catalogRecord } from './records.js';
import type { SessionContext } from './session.js';
import { listNames } from './view.js';

/** Which packs lie on which discs: events, each a record of its own, and all of them count (docs/format.md, "Catalog"). */

/** Others who write at the same time make a change begin again; so many are none that end by themselves. */
const MOST_ATTEMPTS = 100;

/**
 * What is known of all discs. A record that is damaged costs only itself. Rejects when the backend fails, and with
 * `newer-format`.
 */
export async function readDiscCatalog(its: SessionContext): Promise<DiscCatalog> {
  return (await readAll(its)).catalog;
}

/**
 * Stores the plan of some discs. Rejects with `busy`, and stores nothing, when somebody else has given one of the numbers in
 * that set meanwhile; with `limit` when something is longer than the format allows.
 */
export async function addBuild(
  its: SessionContext,
  build: PlannedCatalogBuild,
  by: string,
  nowSeconds: number,
): Promise<void> {
  const record: CatalogRecord = { build: storedBuild(build), by, time: nowSeconds };
  await append(its, record, ({ builds }) => {
    const taken = new Set(
      builds.filter(({ set }) => set === build.set).flatMap(({ discs }) => discs.map(({ number }) => number)),
    );
    const twice = build.discs.find(({ number }) => taken.has(number));
    if (twice === undefined) return;
    throw new CbrError('busy', `set ${JSON.stringify(build.set)} has a disc ${twice.number} already`, {
      hint: 'Somebody else has planned discs of this set at the same time. Plan again.',
    });
  });
}

/** Stores what became of a disc. Rejects with `not-found` when no build has one of that id. */
export async function addDiscEvent(
  its: SessionContext,
  discId: string,
  event: CatalogEvent,
  by: string,
  nowSeconds: number,
): Promise<void> {
  const record: CatalogRecord = { disc: { id: idBytes(discId), event }, by, time: nowSeconds };
  await append(its, record, ({ builds }) => {
    if (builds.some(({ discs }) => discs.some(({ id }) => id === discId))) return;
    throw new CbrError('not-found', `the catalog has no disc ${discId}`, { hint: 'See: cbr disc list' });
  });
}

/** Under the next number; whoever was first with that number makes it look again at what is stored then. */
async function append(
  its: SessionContext,
  record: CatalogRecord,
  check: (catalog: DiscCatalog) => void,
): Promise<void> {
  for (let attempt = 1; ; attempt++) {
    const { catalog, highest } = await readAll(its);
    check(catalog);
    const next = String(nextNumber(highest, 'catalog'));
    try {
      await createRecord(its.backend, 'catalog', next, catalogRecord, record, its.records);
      return;
    } catch (error) {
      if (!(error instanceof ObjectExistsError) || attempt === MOST_ATTEMPTS) throw error;
    }
  }
}

async function readAll({ backend, records }: SessionContext) {
  const numbers = (await listNames(backend, 'catalog')).flatMap((name) => parseNumber(name) ?? []);
  numbers.sort((a, b) => a - b);
  const reading = readAhead(numbers, backend.concurrency, async (number) => {
    const name = String(number);
    try {
      return { name, record: await readRecord(backend, 'catalog', name, catalogRecord, records) };
    } catch (error) {
      if (!isOfThisRecord(error)) throw error;
      return { name, record: undefined };
    }
  });
  const replay = new CatalogReplay();
  for await (const { name, record } of reading) replay.add(name, record);
  return { catalog: replay.catalog(), highest: numbers.at(-1) ?? 0 };
}

/** Damaged or gone: a backend that fails, or a record of a newer program, says nothing about the others. */
function isOfThisRecord(error: unknown): boolean {
  return error instanceof CbrError && !(error instanceof BackendError) && error.code !== 'newer-format';
}

function storedBuild({ id, set, content, medium, sectors, snapshots, discs }: PlannedCatalogBuild) {
  return {
    id: idBytes(id),
    set,
    content,
    medium,
    sectors,
    snapshots: snapshots.map(idBytes),
    discs: discs.map((disc) => ({
      id: idBytes(disc.id),
      number: disc.number,
      volume: disc.volume,
      packs: disc.packs.map(({ name, size }) => ({ name: packBytes(name), size })),
    })),
  };
}

function idBytes(id: string): Uint8Array {
  if (!isSessionId(id))
    throw new CbrError('limit', `${JSON.stringify(id)} is no id of 32 hexadecimal digits`);
  return Buffer.from(id, 'hex');
}

function packBytes(name: string): Uint8Array {
  if (!isObjectDigest(name)) throw new CbrError('limit', `${JSON.stringify(name)} is no name of a pack`);
  return Buffer.from(name, 'hex');
}
