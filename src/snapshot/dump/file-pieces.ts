import type { CbrError } from '../../core/index.js';
import { contentItems, type ReadTreeChunk } from '../content-list.js';
import { type ContentItem, type Entry, itemBytes } from '../entry.js';
import { isLoss } from './chunks-ahead.js';

/** A stretch of the content of a file, or the reason why nobody knows what comes next. */
export type FilePiece = { readonly item: ContentItem } | { readonly broken: CbrError };

/** The content of a file in order; together its size, unless its list is broken. */
export async function* filePieces(entry: Entry, readTree: ReadTreeChunk): AsyncGenerator<FilePiece> {
  try {
    for await (const items of contentItems(entry.content!, entry.size ?? 0, readTree)) {
      for (const item of items) yield { item };
    }
  } catch (error) {
    if (!isLoss(error)) throw error;
    yield { broken: error };
  }
}

/** The chunk that a piece needs. */
export function chunkOf(piece: FilePiece) {
  return 'item' in piece && piece.item.id !== undefined ? piece.item : undefined;
}

export function pieceBytes(piece: FilePiece): number {
  return 'item' in piece ? itemBytes(piece.item) : 0;
}

const ZEROS = Object.freeze({ bytes: new Uint8Array(2 ** 20) });

/** The bytes of a hole, some at a time. */
export function* holeBytes(length: number): Generator<Uint8Array> {
  for (let left = length; left > 0; left -= ZEROS.bytes.byteLength) yield ZEROS.bytes.subarray(0, left);
}
