import { CHUNK_ID_BYTES, LIMITS, type ObjectDigest } from '../../core/index.js';
import type { Author, ChunkColumns, IndexSegment, PackSummary } from '../index-segment.js';
import { sortColumns } from '../segment-builder.js';
import { ChunkBits } from './chunk-usage.js';

/** A pack that merged segments name, and which of its chunks they list. */
interface MergedPack {
  readonly blockStarts: readonly number[];
  readonly listed: ChunkBits;
}

/** Room for so many rows at first. */
const LEAST_ROWS = 1024;

/** Copies of rows: views of a few would keep all ids of their segment in memory. */
function emptyColumns(rows: number) {
  return {
    ids: Buffer.alloc(CHUNK_ID_BYTES * rows),
    packs: new Uint32Array(rows),
    blocks: new Uint16Array(rows),
    ordinals: new Uint16Array(rows),
    lengths: new Uint32Array(rows),
  };
}

/**
 * Gathers the rows of segments into fewer ones. Every row of a pack that stays is kept, those of a chunk that lies in two packs
 * in two segments: a cache that knows a row which no segment has any more would let the next snapshot rely on it.
 */
export class MergedRows {
  private packs = new Map<ObjectDigest, { readonly summary: PackSummary; readonly position: number }>();
  private columns = emptyColumns(0);
  private count = 0;
  private readonly merged = new Map<ObjectDigest, MergedPack>();

  constructor(private readonly author: Author) {}

  /** Takes the rows of those packs of a segment that stay. Returns the merged segments that had to make room for them. */
  add({ packs, chunks }: IndexSegment, stays: (pack: ObjectDigest) => boolean): IndexSegment[] {
    const full: IndexSegment[] = [];
    const kept = packs.map((summary) => (stays(summary.name) ? this.mergedPack(summary) : undefined));
    const rows = chunks.packs.reduce((sum, pack) => sum + (kept[pack] === undefined ? 0 : 1), 0);
    while (this.count + rows > LIMITS.segmentChunks) full.push(this.finish()!);
    for (const [i, summary] of packs.entries()) if (kept[i] !== undefined) this.positionOf(summary);
    for (let row = 0; row < chunks.count; row++) {
      const at = chunks.packs[row]!;
      const pack = kept[at];
      if (pack === undefined) continue;
      if (pack.listed.add(pack.blockStarts[chunks.blocks[row]!]! + chunks.ordinals[row]!)) {
        this.addRow(packs[at]!, chunks, row);
      }
    }
    return full;
  }

  /** What waits as one segment; to be called until there is nothing any more. */
  finish(): IndexSegment | undefined {
    if (this.packs.size === 0) return undefined;
    const { columns, count } = this;
    const packs = [...this.packs.values()].map(({ summary }) => summary);
    const { columns: chunks, repeated } = sortColumns({
      count,
      ids: columns.ids.subarray(0, CHUNK_ID_BYTES * count),
      packs: columns.packs.slice(0, count),
      blocks: columns.blocks.slice(0, count),
      ordinals: columns.ordinals.slice(0, count),
      lengths: columns.lengths.slice(0, count),
    });
    this.packs = new Map();
    this.count = 0;
    for (let row = 0; row < (repeated?.count ?? 0); row++) {
      this.addRow(packs[repeated!.packs[row]!]!, repeated!, row);
    }
    return { author: this.author, packs, chunks };
  }

  private addRow(pack: PackSummary, from: ChunkColumns, row: number): void {
    if (this.count === this.columns.packs.length) this.grow();
    const { columns, count } = this;
    columns.packs[count] = this.positionOf(pack);
    columns.blocks[count] = from.blocks[row]!;
    columns.ordinals[count] = from.ordinals[row]!;
    columns.lengths[count] = from.lengths[row]!;
    from.ids.copy(columns.ids, CHUNK_ID_BYTES * count, CHUNK_ID_BYTES * row, CHUNK_ID_BYTES * (row + 1));
    this.count++;
  }

  private grow(): void {
    const larger = emptyColumns(Math.min(LIMITS.segmentChunks, Math.max(LEAST_ROWS, 2 * this.count)));
    for (const name of ['ids', 'packs', 'blocks', 'ordinals', 'lengths'] as const)
      larger[name].set(this.columns[name]);
    this.columns = larger;
  }

  private mergedPack({ name, blocks }: PackSummary): MergedPack {
    const known = this.merged.get(name);
    if (known !== undefined) return known;
    let chunks = 0;
    const blockStarts = blocks.map((block) => {
      const start = chunks;
      chunks += block.chunks;
      return start;
    });
    const pack = { blockStarts, listed: new ChunkBits(chunks) };
    this.merged.set(name, pack);
    return pack;
  }

  private positionOf(summary: PackSummary): number {
    const known = this.packs.get(summary.name);
    if (known !== undefined) return known.position;
    const position = this.packs.size;
    this.packs.set(summary.name, { summary, position });
    return position;
  }
}
