import { objectPath } from '../../backends/index.js';
import { CHUNK_ID_BYTES, type ChunkId, type ObjectDigest, type SessionId } from '../../core/index.js';
import type { BlockSummary, ChunkPlaces, IndexSegment, PackSummary } from '../../repo/index.js';
import { ChunkTable, FLAG } from './chunk-table.js';

/** A pack that index segments name. */
export interface NamedPack extends PackSummary {
  readonly number: number;
  /** Numbers of the segments that name it. */
  readonly segments: number[];
  readonly firstChunk: number;
  readonly blockStarts: Uint32Array;
  /** A segment that counts names it. */
  counts: boolean;
  /** It was listed. */
  present: boolean;
  /** It is on a part of the medium that was not at hand when a tree of it was needed: that it is whole is taken on trust. */
  isTrusted: boolean;
  /** The session whose outcome record cannot be opened, if only its segments name the pack: nobody knows if they count. */
  doubt: SessionId | undefined;
  /** Places in the table. */
  rows: number;
}

/**
 * What the index segments of the repository say, and what became of it: where each chunk is, which places cannot be relied
 * on, and which object is to blame where a chunk has none left.
 */
export class CheckedIndex implements ChunkPlaces {
  readonly table = new ChunkTable();
  readonly packs: NamedPack[] = [];
  /** Index segments that are damaged or missing. */
  readonly lostSegments: string[] = [];
  /** Segments that no longer exist though a session wrote them: merged by a prune, or missing. */
  readonly absentSegments: string[] = [];
  /** Chunks that are reached and have no place. */
  readonly unnamed = new Set<ChunkId>();
  /** Chunks that are what was written, and are no tree, list or attribute; with the object they lie in. */
  readonly malformed = new Map<ChunkId, string>();
  private readonly byName = new Map<ObjectDigest, NamedPack>();
  private segments = 0;
  private nextChunk = 0;

  /**
   * Takes a segment over; `doubt`: it may not count. Returns the packs of which it says other things than a segment before.
   */
  add(segment: IndexSegment, doubt: SessionId | undefined): PackSummary[] {
    const number = this.segments++;
    const contradictions: PackSummary[] = [];
    const packs = segment.packs.map((summary) => {
      const pack = this.byName.get(summary.name) ?? this.addPack(summary);
      if (!isSame(pack, summary)) contradictions.push(summary);
      pack.segments.push(number);
      pack.counts ||= doubt === undefined;
      pack.doubt = pack.counts ? undefined : doubt;
      return pack;
    });
    const { ids, count, packs: positions, blocks, ordinals, lengths } = segment.chunks;
    for (let row = 0; row < count; row++) {
      const pack = packs[positions[row]!]!;
      const at = row * CHUNK_ID_BYTES;
      if (this.table.add(ids, at, pack.number, blocks[row]!, ordinals[row]!, lengths[row]!)) pack.rows++;
    }
    return contradictions;
  }

  private addPack(summary: PackSummary): NamedPack {
    const { starts, chunks } = positionsOf(summary.blocks);
    const pack: NamedPack = {
      ...summary,
      number: this.packs.length,
      segments: [],
      firstChunk: this.nextChunk,
      blockStarts: starts,
      counts: false,
      present: false,
      isTrusted: false,
      doubt: undefined,
      rows: 0,
    };
    this.nextChunk += chunks;
    this.packs.push(pack);
    this.byName.set(summary.name, pack);
    return pack;
  }

  named(name: string): NamedPack | undefined {
    return this.byName.get(name as ObjectDigest);
  }

  /** Whether a place may be relied on, as far as is known by now. */
  readonly isUsable = (row: number): boolean => {
    const { counts, present } = this.packs[this.table.pack(row)]!;
    return counts && present && !this.table.has(row, FLAG.lost);
  };

  usableRow(id: ChunkId): number {
    return this.table.find(id, this.isUsable);
  }

  lookup(id: ChunkId): { pack: number; block: number; ordinal: number } | undefined {
    const { table } = this;
    const row = this.usableRow(id);
    if (row < 0) return undefined;
    return { pack: table.pack(row), block: table.block(row), ordinal: table.ordinal(row) };
  }

  /** One at most: rows that turned out unusable are passed over when it is asked again. */
  places(id: ChunkId): readonly { pack: number; block: number; ordinal: number }[] {
    const place = this.lookup(id);
    return place === undefined ? [] : [place];
  }

  pack(number: number): NamedPack | undefined {
    return this.packs[number];
  }

  objectOf(row: number): string {
    return objectPath('packs', this.packs[this.table.pack(row)]!.name);
  }

  /** A chunk that is reached and is nowhere; what is to blame is known when everything was looked at. */
  noteUnnamed(id: ChunkId): void {
    this.unnamed.add(id);
  }

  /** Something that snapshots may reach is damaged. */
  isHurt = false;

  /** Whether a chunk that cannot be read may be whole in a pack that is not at hand. */
  isOnTrust(id: ChunkId): boolean {
    return this.table.find(id, (row) => this.packs[this.table.pack(row)]!.isTrusted) >= 0;
  }

  /** The objects to blame for a chunk that cannot be read; none if it can. `length`: what the reference to it says. */
  causesOf(id: ChunkId, length: number): readonly string[] {
    const { table } = this;
    const malformed = this.malformed.get(id);
    if (malformed !== undefined) return [malformed];
    const usable = this.usableRow(id);
    if (usable >= 0) return table.length(usable) === length ? [] : [this.objectOf(usable)];
    if (this.isOnTrust(id)) return [];
    let doubt: SessionId | undefined;
    const counting = table.find(id, (row) => {
      const pack = this.packs[table.pack(row)]!;
      doubt ??= pack.doubt;
      return pack.counts;
    });
    if (counting >= 0) return [this.objectOf(counting)];
    if (doubt !== undefined) return [objectPath('snapshots', doubt)];
    return this.blamed();
  }

  /** For a chunk without a place: the segments that are lost, else the index as a whole. */
  blamed(): readonly string[] {
    if (this.lostSegments.length > 0) return this.lostSegments;
    return this.absentSegments.length > 0 ? this.absentSegments : ['index'];
  }
}

function positionsOf(blocks: readonly BlockSummary[]): { starts: Uint32Array; chunks: number } {
  const starts = new Uint32Array(blocks.length);
  let chunks = 0;
  for (const [i, block] of blocks.entries()) {
    starts[i] = chunks;
    chunks += block.chunks;
  }
  return { starts, chunks };
}

function isSame(a: PackSummary, b: PackSummary): boolean {
  return (
    a.kind === b.kind &&
    a.size === b.size &&
    a.blocks.length === b.blocks.length &&
    a.blocks.every((block, i) => {
      const other = b.blocks[i]!;
      return block.stored === other.stored && block.plain === other.plain && block.chunks === other.chunks;
    })
  );
}
