import {
  CbrError,
  CHUNK_ID_BYTES,
  type ChunkId,
  chunkIdAt,
  chunkIdHex,
  DamagedError,
  LIMITS,
  ObjectNotFoundError,
} from '../core/index.js';
import type { ChunkReader } from './chunk-reader.js';
import type { PackKind } from './index-segment.js';
import { readPackTable } from './pack-reader.js';
import type { Repository } from './repository.js';
import { decodeSegment } from './segment-codec.js';
import { listNames } from './view.js';

/** A chunk that the index names. */
export interface FoundChunk {
  readonly id: ChunkId;
  readonly kind: PackKind;
  /** Plain bytes. */
  readonly length: number;
}

const MOST_CANDIDATES = 8;

/**
 * The chunk whose id begins with these hexadecimal digits. A whole id is looked up; for the beginning of one all index segments
 * are read. Rejects with `not-found`, and with `ambiguous` naming the candidates.
 */
export async function findChunk(
  repository: Repository,
  reader: ChunkReader,
  prefix: string,
): Promise<FoundChunk> {
  const digits = prefix.toLowerCase();
  if (!/^[0-9a-f]{1,64}$/.test(digits)) throw notFound(prefix);
  if (digits.length === 2 * CHUNK_ID_BYTES) return findWhole(repository, reader, digits);
  const found = await findBeginning(repository, digits);
  const [only] = found.values();
  if (only === undefined) throw notFound(prefix);
  if (found.size === 1) return only;
  const shown = [...found.keys()].slice(0, MOST_CANDIDATES).map((id) => chunkIdHex(id).slice(0, 20));
  const more = found.size > shown.length ? ' and more' : '';
  throw new CbrError('ambiguous', `several chunks begin with ${digits}: ${shown.join(', ')}${more}`, {
    hint: 'Give more digits of the id.',
  });
}

function notFound(prefix: string): CbrError {
  return new CbrError('not-found', `the index names no chunk ${JSON.stringify(prefix)}`, {
    hint: 'See the ids: cbr cat tree SNAPSHOT:PATH, cbr cat pack ID',
  });
}

async function findWhole(
  { backend, keys, algorithms }: Repository,
  reader: ChunkReader,
  digits: string,
): Promise<FoundChunk> {
  const id = chunkIdAt(Buffer.from(digits, 'hex'));
  const place = reader.locate(id);
  if (place === undefined) throw notFound(digits);
  const { kind, table } = await readPackTable(backend, place.pack.name, keys, algorithms.zstd);
  let row = place.ordinal;
  for (let block = 0; block < place.block; block++) row += table.blocks[block]?.chunks ?? 0;
  const length = table.lengths[row];
  if (length === undefined || length > LIMITS.chunk || chunkIdAt(table.ids, row * CHUNK_ID_BYTES) !== id) {
    throw new DamagedError(`packs/${place.pack.name}`, 'its table does not say what the index says');
  }
  return { id, kind, length };
}

async function findBeginning(
  { backend, keys, algorithms }: Repository,
  digits: string,
): Promise<Map<ChunkId, FoundChunk>> {
  const found = new Map<ChunkId, FoundChunk>();
  const whole = Buffer.from(digits.slice(0, digits.length & ~1), 'hex');
  for (const name of await listNames(backend, 'index')) {
    // Merged by a prune since it was listed: the other segment has what it had.
    const stored = await backend.read('index', name).catch((error: unknown) => {
      if (error instanceof ObjectNotFoundError) return undefined;
      throw error;
    });
    if (stored === undefined) continue;
    const { chunks, packs } = decodeSegment(stored, name, keys, algorithms.zstd);
    for (let row = 0; row < chunks.count && found.size <= MOST_CANDIDATES; row++) {
      const start = row * CHUNK_ID_BYTES;
      if (chunks.ids.compare(whole, 0, whole.length, start, start + whole.length) !== 0) continue;
      const id = chunkIdAt(chunks.ids, start);
      if (!chunkIdHex(id).startsWith(digits)) continue;
      const { kind } = packs[chunks.packs[row]!]!;
      found.set(id, { id, kind, length: chunks.lengths[row]! });
    }
  }
  return found;
}
