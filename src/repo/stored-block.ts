import type { ObjectDigest } from '../core/index.js';
import type { Algorithms } from './algorithms/algorithms.js';
import { openBlock } from './block.js';
import type { Keys } from './keys.js';
import { openPackHeader } from './pack-reader.js';

/** A block as it is stored, with all that another thread needs to open it. */
export interface StoredBlock {
  readonly pack: ObjectDigest;
  /** The header of the pack. */
  readonly header: Uint8Array;
  readonly block: number;
  readonly stored: Uint8Array;
}

export interface PlainBlock {
  readonly plain: Uint8Array;
  readonly chunkLengths: readonly number[];
}

/** Rejects (damaged, format) when it is not what was written. */
export function openStoredBlock(
  { pack, header, block, stored }: StoredBlock,
  keys: Keys,
  { zstd }: Algorithms,
): PlainBlock {
  const object = `packs/${pack}`;
  return openBlock(stored, block, openPackHeader(header, keys, object), zstd, object);
}
