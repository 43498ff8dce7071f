import type { ObjectDigest, SessionId } from '../core/index.js';

/** What a pack holds. Chunk ids of the two kinds are keyed apart. */
export type PackKind = 'data' | 'tree';

/** One block of a pack, in the order of its pack. */
export interface BlockSummary {
  /** Bytes it takes in the pack, its header and tag included. */
  readonly stored: number;
  /** Bytes of chunk content it holds. */
  readonly plain: number;
  /** Number of chunks. */
  readonly chunks: number;
}

export interface PackSummary {
  readonly name: ObjectDigest;
  readonly kind: PackKind;
  /** Stored length of the whole object in bytes. */
  readonly size: number;
  readonly blocks: readonly BlockSummary[];
}

/** Who wrote a segment: it counts only when that author is decided (protocol 5 and 6). */
export type Author =
  | { readonly kind: 'session'; readonly session: SessionId }
  | { readonly kind: 'prune'; readonly epoch: number };

/** Chunks in parallel columns, sorted by id; all columns have `count` rows. */
export interface ChunkColumns {
  readonly count: number;
  /** 32 bytes a row. */
  readonly ids: Buffer;
  /** Position in the segment's pack table. */
  readonly packs: Uint32Array;
  readonly blocks: Uint16Array;
  /** Position within the block. */
  readonly ordinals: Uint16Array;
  /** Plain length in bytes. */
  readonly lengths: Uint32Array;
}

/** The content of one `index/<sha256>` object: the chunk tables of some packs. */
export interface IndexSegment {
  readonly author: Author;
  readonly packs: readonly PackSummary[];
  readonly chunks: ChunkColumns;
}
