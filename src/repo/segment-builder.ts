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

/** A chunk stored twice within the group is listed once: the copy that comes first. */
function columnsOf(group: readonly IndexedPack[]): ChunkColumns {
  const total = group.reduce((sum, { table }) => sum + table.lengths.length, 0);
  return sortColumns({
    count: total,
    ids: Buffer.concat(group.map(({ table }) => table.ids)),
    ...placesOf(group, total),
  }).columns;
}

/** Rows in order, and those that are left over. */
export interface SortedColumns {
  /** Sorted by id, each once: the row that came first. */
  readonly columns: ChunkColumns;
  /** Further rows of the same ids, sorted by id; undefined if there are none. */
  readonly repeated: ChunkColumns | undefined;
}

export function sortColumns(unsorted: ChunkColumns): SortedColumns {
  const { count: total, ids } = unsorted;
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
  const isFirst = (row: number, i: number): boolean => i === 0 || !sameId(ids, row, order[i - 1]!);
  const unique = order.filter(isFirst);
  const repeated = unique.length === total ? undefined : order.filter((row, i) => !isFirst(row, i));
  return {
    columns: pick(unsorted, unique),
    repeated: repeated === undefined ? undefined : pick(unsorted, repeated),
  };
}

/** Some rows, in the order given. */
function pick({ ids, ...places }: ChunkColumns, rows: Uint32Array): ChunkColumns {
  const picked = Buffer.allocUnsafe(CHUNK_ID_BYTES * rows.length);
  for (const [i, row] of rows.entries()) {
    ids.copy(picked, CHUNK_ID_BYTES * i, CHUNK_ID_BYTES * row, CHUNK_ID_BYTES * (row + 1));
  }
  return {
    count: rows.length,
    ids: picked,
    packs: rows.map((row) => places.packs[row]!),
    blocks: Uint16Array.from(rows, (row) => places.blocks[row]!),
    ordinals: Uint16Array.from(rows, (row) => places.ordinals[row]!),
    lengths: rows.map((row) => places.lengths[row]!),
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
