import type { ChunkId } from '../../core/index.js';
import type { ContentItem, Entry } from '../entry.js';
import type { TargetNode } from './target-tree.js';

/** A file of a restore window. */
export interface WindowFile {
  readonly node: TargetNode;
  readonly entry: Entry;
  /** Its encoded entry, with all attribute values inline. */
  readonly encoded: Uint8Array;
  readonly items: readonly ContentItem[];
  /** Raw path, relative to where the restore began. */
  readonly path: string;
}

/** Where a chunk lies. */
export interface BlockPlace {
  /** Number of the pack in the cache. */
  readonly pack: number;
  readonly block: number;
  readonly ordinal: number;
}

/** A chunk that a file needs. */
export interface Piece {
  /** Position in the window's files. */
  readonly file: number;
  readonly block: number;
  readonly ordinal: number;
  readonly offset: number;
  readonly id: ChunkId;
}

/** Neighbouring blocks of one pack that are fetched in one call. */
export interface PlannedRead {
  readonly pack: number;
  readonly firstBlock: number;
  readonly blocks: number;
  /** Sorted by file and offset. */
  readonly pieces: readonly Piece[];
}

export interface WindowPlan {
  readonly reads: readonly PlannedRead[];
  /** For each file the number of reads that it needs. */
  readonly readsOf: Uint32Array;
  /** Files that cannot be restored, because a chunk of theirs is nowhere. */
  readonly homeless: readonly number[];
}

/**
 * Plans a window: which blocks are fetched, once each, in the order in which they lie, and what every file takes from them.
 * Pure. `placeOf` says where a chunk is, `storedBytes` how long a block is;
 * neighbours are joined up to `readBytes` of stored bytes, 0 joins none.
 */
export function planWindow(
  files: readonly WindowFile[],
  placeOf: (id: ChunkId) => BlockPlace | undefined,
  storedBytes: (pack: number, block: number) => number,
  readBytes: number,
): WindowPlan {
  const blocks = new Map<number, { pack: number; block: number; pieces: Piece[] }>();
  const homeless: number[] = [];
  for (const [file, { items }] of files.entries()) {
    const pieces = piecesOf(file, items, placeOf);
    if (pieces === undefined) {
      homeless.push(file);
      continue;
    }
    for (const { piece, pack } of pieces) {
      const key = pack * 65_536 + piece.block;
      const found = blocks.get(key);
      if (found === undefined) blocks.set(key, { pack, block: piece.block, pieces: [piece] });
      else found.pieces.push(piece);
    }
  }
  const ordered = [...blocks.values()].sort((a, b) => a.pack - b.pack || a.block - b.block);
  const reads = joinNeighbours(ordered, storedBytes, readBytes);
  const readsOf = new Uint32Array(files.length);
  for (const read of reads) {
    let last = -1;
    for (const { file } of read.pieces) {
      if (file !== last) readsOf[file]!++;
      last = file;
    }
  }
  return { reads, readsOf, homeless };
}

function piecesOf(
  file: number,
  items: readonly ContentItem[],
  placeOf: (id: ChunkId) => BlockPlace | undefined,
): { piece: Piece; pack: number }[] | undefined {
  const pieces: { piece: Piece; pack: number }[] = [];
  let offset = 0;
  for (const item of items) {
    if (item.id === undefined) {
      offset += item.hole;
      continue;
    }
    const place = placeOf(item.id);
    if (place === undefined) return undefined;
    pieces.push({
      pack: place.pack,
      piece: { file, block: place.block, ordinal: place.ordinal, offset, id: item.id },
    });
    offset += item.length;
  }
  return pieces;
}

function joinNeighbours(
  blocks: readonly { readonly pack: number; readonly block: number; readonly pieces: Piece[] }[],
  storedBytes: (pack: number, block: number) => number,
  readBytes: number,
): PlannedRead[] {
  const reads: { pack: number; firstBlock: number; blocks: number; pieces: Piece[]; bytes: number }[] = [];
  for (const { pack, block, pieces } of blocks) {
    const last = reads.at(-1);
    const bytes = storedBytes(pack, block);
    const adjoins =
      last?.pack === pack && last.firstBlock + last.blocks === block && last.bytes + bytes <= readBytes;
    if (last !== undefined && adjoins) {
      last.blocks++;
      last.bytes += bytes;
      for (const piece of pieces) last.pieces.push(piece);
    } else reads.push({ pack, firstBlock: block, blocks: 1, pieces: [...pieces], bytes });
  }
  for (const read of reads) {
    if (read.blocks > 1) read.pieces.sort((a, b) => a.file - b.file || a.offset - b.offset);
  }
  return reads;
}
