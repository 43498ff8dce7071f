import { type ChunkId, toLatin1 } from '../../core/index.js';
import { FileError, type StatTable } from '../../fs/index.js';
import type { Blake3 } from '../../repo/index.js';
import type { StoreTreeChunk } from '../content-list.js';
import type { FileToTake, TakenFile } from '../intake/intake.js';
import type { EncoderParts } from './folder-encoder.js';

/** The parts of a snapshot that a dry run puts in the place of storing: it looks at everything and reads no content. */

export function dryTrees(ids: Blake3): StoreTreeChunk {
  return (plain) => ({ id: toLatin1(ids.digest(plain)) as ChunkId, length: plain.byteLength });
}

/**
 * Says of each file that it was read, with the row it would have been read under. `rowOf` throws FileError when the file
 * cannot be looked at any more.
 */
export function dryFiles(rowOf: (file: FileToTake) => StatTable): EncoderParts['addFile'] {
  return (file, taken) => {
    let stats: StatTable;
    try {
      stats = rowOf(file);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      taken(lostFile(error));
      return undefined;
    }
    const size = file.isDevice === true ? stats.size(0) : file.size;
    taken({
      state: 'ok',
      row: Uint8Array.from(stats.rowBytes(0)),
      content: { kind: 'items', items: size === 0 ? [] : [{ hole: size }] },
      size,
      newBytes: 0,
      notes: {},
    });
    return undefined;
  };
}

function lostFile({ errno, reason }: FileError): TakenFile {
  const state = errno === 'ENOENT' || errno === 'ENOTDIR' ? 'vanished' : 'failed';
  const content = { kind: 'items', items: [] } as const;
  return { state, row: undefined, content, size: 0, newBytes: 0, notes: { error: reason } };
}
