import { type ChunkId, toLatin1 } from '../../core/index.js';
import type { StatTable } from '../../fs/index.js';
import type { Blake3 } from '../../repo/index.js';
import type { StoreTreeChunk } from '../content-list.js';
import type { EncoderParts } from './folder-encoder.js';

/** The parts of a snapshot that a dry run puts in the place of storing: it looks at everything and reads no content. */

export function dryTrees(ids: Blake3): StoreTreeChunk {
  return (plain) => ({ id: toLatin1(ids.digest(plain)) as ChunkId, length: plain.byteLength });
}

/** Says of each file that it was read, with the row it would have been read under. */
export function dryFiles(rowOf: (path: string) => StatTable): EncoderParts['addFile'] {
  return (file, taken) => {
    const stats = rowOf(file.path);
    taken({
      state: 'ok',
      row: Uint8Array.from(stats.rowBytes(0)),
      content: { kind: 'items', items: file.size === 0 ? [] : [{ hole: file.size }] },
      size: file.size,
      newBytes: 0,
      notes: {},
    });
    return undefined;
  };
}
