import { CHUNK_ID_BYTES } from '../../core/index.js';
import type { Replaced, TargetFolderHandle, TemporaryFile } from '../../fs/index.js';
import type { FileUnderway } from './file-underway.js';
import { PIECE_NUMBERS, type TaskFiles } from './restore-tasks.js';
import type { TargetNode } from './target-tree.js';
import type { Piece } from './window.js';

/**
 * The files of a task in columns. `isFinish`: the entries of open files go along, which the tasks before have no use for. Attributes may be large, and a file
 * may have many reads.
 */
export function packFiles(parts: readonly { readonly file: FileUnderway }[], isFinish: boolean): TaskFiles {
  const isSent = (file: FileUnderway): boolean => isFinish || file.temporary === undefined;
  const folders: TargetFolderHandle[] = [];
  const numbers = new Map<TargetNode, number>();
  const folderOf = new Uint32Array(parts.length);
  const entryEnds = new Uint32Array(parts.length);
  const open: (readonly [number, TemporaryFile])[] = [];
  const replaces: (readonly [number, Replaced])[] = [];
  let end = 0;
  for (const [i, { file }] of parts.entries()) {
    let folder = numbers.get(file.node);
    if (folder === undefined) {
      folder = folders.push(file.node.folder.handle()) - 1;
      numbers.set(file.node, folder);
    }
    folderOf[i] = folder;
    if (isSent(file)) end += file.encoded.byteLength;
    entryEnds[i] = end;
    if (file.temporary !== undefined) open.push([i, file.temporary]);
    if (file.replaces !== undefined) replaces.push([i, file.replaces]);
  }
  // Memory of its own: a view would be sent with everything that it is a view of.
  const entries = new Uint8Array(end);
  for (const [i, { file }] of parts.entries()) {
    if (isSent(file)) entries.set(file.encoded, i === 0 ? 0 : entryEnds[i - 1]!);
  }
  return { folders, folderOf, entries, entryEnds, open, replaces };
}

/** Pieces of a task in columns; `parts` holds the positions in the window of the task's files. */
export function packPieces(
  pieces: readonly Piece[],
  parts: readonly number[],
  firstBlock: number,
): { pieces: Float64Array; ids: Uint8Array } {
  const position = new Map(parts.map((part, i) => [part, i]));
  const numbers = new Float64Array(pieces.length * PIECE_NUMBERS);
  const ids = Buffer.allocUnsafeSlow(pieces.length * CHUNK_ID_BYTES);
  for (const [i, { part, block, ordinal, offset, item }] of pieces.entries()) {
    numbers[i * PIECE_NUMBERS] = position.get(part)!;
    numbers[i * PIECE_NUMBERS + 1] = block - firstBlock;
    numbers[i * PIECE_NUMBERS + 2] = ordinal;
    numbers[i * PIECE_NUMBERS + 3] = offset;
    numbers[i * PIECE_NUMBERS + 4] = item.length;
    ids.write(item.id, i * CHUNK_ID_BYTES, CHUNK_ID_BYTES, 'latin1');
  }
  return { pieces: numbers, ids };
}
