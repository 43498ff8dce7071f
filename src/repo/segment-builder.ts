import { CHUNK_ID_BYTES, LIMITS } from '../core/index.js';
import type { Author, ChunkColumns, IndexSegment, PackSummary } from './index-segment.js';
import type { PackTable } from './pack-table.js';

/** A pack that is durable, with its table. */
export interface IndexedPack {
  readonly summary: PackSummary;
  readonly table: PackTable;
}

/** The first six bytes of an id: enough to order nearly all pairs by one comparison of numbers. */
const PREFIX_BYTES = 6;

/** The segments that list the given packs, each with at most `LIMITS.segmentChunks` chunks, sorted by id. */
export function buildSegments(author: Author, packs: readonly IndexedPack[]): IndexSegment[] {
  const segments: IndexSegment[] = [];
  let group: IndexedPack[] = [];
  let chunks = 0;
  const close = (): void => {
    if (group.length > 0)
      segments.push({ author, packs: group.map((each) => each.summary), chunks: columnsOf(group) });
    group = [];
    chunks = 0;
  };
  for (const pack of packs) {
    const count = pack.table.lengths.length;
    if (chunks + count > LIMITS.segmentChunks) close();
    group.push(pack);
    chunks += count;
  }
  close();
  return segments;
}

function columnsOf(group: readonly IndexedPack[]): ChunkColumns {
  const total = group.reduce((sum, { table }) => sum + table.lengths.length, 0);
  return sortColumns({
    count: total,
    ids: Buffer.concat(group.map(({ table }) => table.ids)),
    ...placesOf(group, total),
  });
}

/** The rows sorted by id. A chunk that is listed twice stays once: the row that comes first. */
export function sortColumns({ count: total, ids, ...places }: ChunkColumns): ChunkColumns {
  const prefixes = new Float64Array(total);
  for (let row = 0; row < total; row++) prefixes[row] = ids.readUIntBE(CHUNK_ID_BYTES * row, PREFIX_BYTES);
  const compare = (a: number, b: number): number =>
    prefixes[a]! - prefixes[b]! ||
    ids.compare(
      ids,
      CHUNK_ID_BYTES * b,
      CHUNK_ID_BYTES * (b + 1),
      CHUNK_ID_BYTES * a,
      CHUNK_ID_BYTES * (a + 1),
    ) ||
    a - b;
  const order = Uint32Array.from({ length: total }, (_, row) => row).sort(compare);
  const unique = order.filter((row, i) => i === 0 || !sameId(ids, row, order[i - 1]!));
  const sorted = Buffer.allocUnsafe(CHUNK_ID_BYTES * unique.length);
  for (const [i, row] of unique.entries()) {
    ids.copy(sorted, CHUNK_ID_BYTES * i, CHUNK_ID_BYTES * row, CHUNK_ID_BYTES * (row + 1));
  }
  return {
    count: unique.length,
    ids: sorted,
    packs: unique.map((row) => places.packs[row]!),
    blocks: Uint16Array.from(unique, (row) => places.blocks[row]!),
    ordinals: Uint16Array.from(unique, (row) => places.ordinals[row]!),
    lengths: unique.map((row) => places.lengths[row]!),
  };
}

function sameId(ids: Buffer, a: number, b: number): boolean {
  const [from, other] = [CHUNK_ID_BYTES * a, CHUNK_ID_BYTES * b];
  return ids.compare(ids, from, from + CHUNK_ID_BYTES, other, other + CHUNK_ID_BYTES) === 0;
}

function placesOf(group: readonly IndexedPack[], total: number): Omit<ChunkColumns, 'count' | 'ids'> {
  const packs = new Uint32Array(total);
  const blocks = new Uint16Array(total);
  const ordinals = new Uint16Array(total);
  const lengths = new Uint32Array(total);
  let row = 0;
  for (const [pack, { table }] of group.entries()) {
    let inPack = 0;
    for (const [block, { chunks }] of table.blocks.entries()) {
      for (let ordinal = 0; ordinal < chunks; ordinal++) {
        packs[row] = pack;
        blocks[row] = block;
        ordinals[row] = ordinal;
        lengths[row++] = table.lengths[inPack++]!;
      }
    }
  }
  return { packs, blocks, ordinals, lengths };
}
