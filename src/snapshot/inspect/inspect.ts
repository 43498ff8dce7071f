import { CbrError, CHUNK_ID_BYTES, chunkIdAt, chunkIdHex, decode } from '../../core/index.js';
import {
  chunkReader,
  decodeSegment,
  type FoundChunk,
  findChunk,
  loadForReading,
  loadRepository,
  openRecord,
  outcomeRecord,
  type RecordKindName,
  type Repository,
  readPackTable,
} from '../../repo/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { ChunkReference } from '../entry.js';
import { findPath } from '../find-path.js';
import type { Snapshot } from '../snapshot-record.js';
import { readTree } from '../tree.js';
import {
  type Readable,
  readableEntry,
  readableForgotten,
  readableOutcome,
  readablePolicies,
  readableReference,
} from './readable.js';

/** Any object of a repository, decoded. All reject with DamagedError and FormatError when it is not what it should be. */

export interface Inspected {
  readonly value: Readable;
  /** As stored, opened. */
  readonly plain: Uint8Array;
}

export async function inspectRecord(
  repository: Repository,
  kind: RecordKindName,
  name: string,
): Promise<Inspected> {
  const object = `${kind}/${name}`;
  const { value, plain } = await openRecord(repository, kind, name);
  if (kind === 'snapshots') return { value: readableOutcome(value, object), plain };
  if (kind === 'policies') return { value: readablePolicies(value), plain };
  if (kind !== 'forgotten') return { value, plain };
  const outcome = decode(outcomeRecord, value.outcome as Uint8Array, object);
  return { value: readableForgotten(value, outcome, object), plain };
}

/** An index segment: whose it is, the packs it names, and where their chunks are. */
export async function inspectSegment(
  { backend, keys, algorithms }: Repository,
  name: string,
): Promise<Readable> {
  const stored = await backend.read('index', name);
  const { author, packs, chunks } = decodeSegment(stored, name, keys, algorithms.zstd);
  return {
    author,
    packs,
    chunks: Array.from({ length: chunks.count }, (_, row) => ({
      id: chunkIdHex(chunkIdAt(chunks.ids, row * CHUNK_ID_BYTES)),
      pack: packs[chunks.packs[row]!]!.name,
      block: chunks.blocks[row],
      ordinal: chunks.ordinals[row],
      length: chunks.lengths[row],
    })),
  };
}

/** The table of a pack: its blocks, and the chunks in them. */
export async function inspectPack(
  { backend, keys, algorithms }: Repository,
  name: string,
): Promise<Readable> {
  const { kind, table } = await readPackTable(backend, name, keys, algorithms.zstd);
  let row = 0;
  const chunks = table.blocks.flatMap((summary, block) =>
    Array.from({ length: summary.chunks }, (_, ordinal) => {
      const id = chunkIdHex(chunkIdAt(table.ids, row * CHUNK_ID_BYTES));
      return { id, block, ordinal, length: table.lengths[row++] };
    }),
  );
  return { kind, blocks: table.blocks, chunks };
}

/** A chunk by its id, or the beginning of one; its bytes are verified. */
export async function inspectChunk(
  repository: Repository,
  prefix: string,
): Promise<FoundChunk & { readonly bytes: Uint8Array }> {
  const reader = chunkReader(repository, await loadRepository(repository));
  const found = await findChunk(repository, reader, prefix);
  return { ...found, bytes: await reader.read(found.kind, found.id, found.length) };
}

/** The tree of a folder of a snapshot; of anything else, its entry. */
export async function inspectPath(
  repository: Repository,
  snapshot: Snapshot,
  path: string | undefined,
): Promise<Readable> {
  const read = treeReader(repository);
  const found = await findPath(snapshot, path, await read);
  return found.tree === undefined ? readableEntry(found.entry) : treeAt(found.tree, await read);
}

/** A tree by its id, or the beginning of one. */
export async function inspectTree(repository: Repository, prefix: string): Promise<Readable> {
  const reader = chunkReader(repository, await loadRepository(repository));
  const { kind, id, length } = await findChunk(repository, reader, prefix);
  if (kind !== 'tree') {
    throw new CbrError('not-found', `chunk ${prefix} is content, not a tree`, {
      hint: `Its bytes: cbr cat chunk ${prefix}`,
    });
  }
  return treeAt({ id, length }, (reference) => reader.read('tree', reference.id, reference.length));
}

async function treeReader(repository: Repository): Promise<ReadTreeChunk> {
  const reader = chunkReader(repository, await loadForReading(repository));
  return (reference) => reader.read('tree', reference.id, reference.length);
}

async function treeAt(tree: ChunkReference, read: ReadTreeChunk): Promise<Readable> {
  const entries = await readTree(tree, read);
  return { ...readableReference(tree), entries: entries.map(readableEntry) };
}
