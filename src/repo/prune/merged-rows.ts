import { CHUNK_ID_BYTES, LIMITS, type ObjectDigest } from '../../core/index.js';
import type { CachedPack } from '../cache/index.js';
import type { Author, IndexSegment, PackSummary } from '../index-segment.js';
import { sortColumns } from '../segment-builder.js';

/** Which rows stay. */
export interface KeptRows {
  /** Undefined: no row of this pack stays. */
  readonly pack: (summary: PackSummary) => CachedPack | undefined;
  readonly row: (pack: CachedPack, block: number, ordinal: number) => boolean;
}

/** Gathers the rows of segments into fewer ones. */
export class MergedRows {
  private packs = new Map<ObjectDigest, { readonly summary: PackSummary; readonly position: number }>();
  private ids: Buffer[] = [];
  private readonly columns = {
    packs: new Uint32Array(LIMITS.segmentChunks),
    blocks: new Uint16Array(LIMITS.segmentChunks),
    ordinals: new Uint16Array(LIMITS.segmentChunks),
    lengths: new Uint32Array(LIMITS.segmentChunks),
  };
  private count = 0;

  constructor(private readonly author: Author) {}

  /** Takes what stays of a segment. Returns a merged one when there is no room for it beside what waits. */
  add(segment: IndexSegment, kept: KeptRows): IndexSegment | undefined {
    const full = this.count + segment.chunks.count > LIMITS.segmentChunks ? this.finish() : undefined;
    const { chunks } = segment;
    const packs = segment.packs.map((summary) => kept.pack(summary));
    const positions = segment.packs.map((summary, i) =>
      packs[i] === undefined ? undefined : this.positionOf(summary),
    );
    for (let row = 0; row < chunks.count; row++) {
      const at = chunks.packs[row]!;
      const position = positions[at];
      const [block, ordinal] = [chunks.blocks[row]!, chunks.ordinals[row]!];
      if (position === undefined || !kept.row(packs[at]!, block, ordinal)) continue;
      const { columns, count } = this;
      columns.packs[count] = position;
      columns.blocks[count] = block;
      columns.ordinals[count] = ordinal;
      columns.lengths[count] = chunks.lengths[row]!;
      this.ids.push(chunks.ids.subarray(CHUNK_ID_BYTES * row, CHUNK_ID_BYTES * (row + 1)));
      this.count++;
    }
    return full;
  }

  /** What waits as one segment; undefined when there is nothing. */
  finish(): IndexSegment | undefined {
    if (this.packs.size === 0) return undefined;
    const { columns, count } = this;
    const segment: IndexSegment = {
      author: this.author,
      packs: [...this.packs.values()].map(({ summary }) => summary),
      chunks: sortColumns({
        count,
        ids: Buffer.concat(this.ids, CHUNK_ID_BYTES * count),
        packs: columns.packs.slice(0, count),
        blocks: columns.blocks.slice(0, count),
        ordinals: columns.ordinals.slice(0, count),
        lengths: columns.lengths.slice(0, count),
      }),
    };
    this.packs = new Map();
    this.ids = [];
    this.count = 0;
    return segment;
  }

  private positionOf(summary: PackSummary): number {
    const known = this.packs.get(summary.name);
    if (known !== undefined) return known.position;
    const position = this.packs.size;
    this.packs.set(summary.name, { summary, position });
    return position;
  }
}
