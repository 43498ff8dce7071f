import { closeSync, ftruncateSync, writeSync } from 'node:fs';
import { CbrError, CHUNK_ID_BYTES, errnoOf, messageOf, sameBytes } from '../../core/index.js';
import {
  commit,
  createTemporary,
  discard,
  type EntryMetadata,
  FileError,
  MetadataWriter,
  type Owners,
  type Problem,
  TargetFolder,
  type TemporaryFile,
  type Xattr,
} from '../../fs/index.js';
import { type Algorithms, type Blake3, type Keys, openBlock, openPackHeader } from '../../repo/index.js';
import type { Entry } from '../entry.js';
import { decodeEntry, type EncodedEntry } from '../tree.js';
import {
  type BlocksInput,
  type FilesOutput,
  type FinishInput,
  PIECE_NUMBERS,
  type TaskFiles,
  WRITTEN,
} from './restore-tasks.js';

/** Reasons for which no other file could be written either: the restore stops. */
export const FATAL: ReadonlySet<string | undefined> = new Set([
  'ENOSPC',
  'EDQUOT',
  'EROFS',
  'EIO',
  'EMFILE',
  'ENFILE',
]);

/** An opened block with the chunks of it that were verified. */
interface OpenedBlock {
  readonly plain: Uint8Array;
  readonly starts: readonly number[];
  readonly ids: (Buffer | undefined)[];
}

/** What restore sets of an entry, with its attribute values inline. */
export function metadataOf(entry: Entry): EntryMetadata {
  const { type, mode, uid, gid, user, group, mtime, flags, xattrs, device } = entry;
  return { type, mode, uid, gid, user, group, mtime, flags, device, xattrs: xattrs?.filter(isInline) };
}

function isInline(xattr: { readonly name: string; readonly value: unknown }): xattr is Xattr {
  return xattr.value instanceof Uint8Array;
}

/** Runs in a worker: opens blocks, verifies chunks, writes files. */
export class FileWriter {
  private readonly ids: Blake3;
  private problems: Problem[] = [];
  private badBlocks = new Set<number>();

  constructor(
    private readonly keys: Keys,
    private readonly algorithms: Algorithms,
    private readonly owners: Owners,
  ) {
    this.ids = keys.chunkIds('data');
  }

  writeBlocks(input: BlocksInput): FilesOutput {
    const blocks = new Map<number, OpenedBlock | Error>();
    let piece = 0;
    const total = input.pieces.length / PIECE_NUMBERS;
    return this.eachFile(input.files, (file, folder, encoded, temporary) => {
      const first = piece;
      while (piece < total && input.pieces[piece * PIECE_NUMBERS] === file) piece++;
      const chunks = this.chunksOf(input, blocks, first, piece);
      return this.writeFile(folder, encoded, temporary, chunks);
    });
  }

  finishFiles(input: FinishInput): FilesOutput {
    return this.eachFile(input.files, (_file, folder, encoded, temporary) => {
      const entry = decodeEntry(encoded);
      return this.finish(folder, entry, temporary!, entry.size);
    });
  }

  /** Does something with each file of a task in order, and says how it ended for each. */
  private eachFile(
    files: TaskFiles,
    action: (
      file: number,
      folder: TargetFolder,
      encoded: EncodedEntry,
      temporary: TemporaryFile | undefined,
    ) => number,
  ): FilesOutput {
    this.problems = [];
    this.badBlocks = new Set();
    const folders = files.folders.map((handle) => TargetFolder.from(handle));
    const open = new Map(files.open);
    const count = files.entryEnds.length;
    const states = new Uint8Array(count);
    const reasons: (readonly [number, string])[] = [];
    let start = 0;
    for (let file = 0; file < count; file++) {
      const end = files.entryEnds[file]!;
      const encoded = { name: '', bytes: files.entries.subarray(start, end) };
      start = end;
      try {
        states[file] = action(file, folders[files.folderOf[file]!]!, encoded, open.get(file));
      } catch (error) {
        states[file] = this.explain(error);
        reasons.push([file, messageOf(error)]);
      }
    }
    return { states, reasons, problems: this.problems, badBlocks: [...this.badBlocks] };
  }

  private explain(error: unknown): number {
    if (error instanceof FileError && FATAL.has(error.errno)) throw error;
    const errno = errnoOf(error);
    if (errno !== undefined) {
      if (FATAL.has(errno))
        throw new CbrError('target', `cannot write to the target: ${messageOf(error)}`, { cause: error });
      return WRITTEN.refused;
    }
    return error instanceof CbrError && error.code === 'target' ? WRITTEN.refused : WRITTEN.damaged;
  }

  /** The verified content of pieces, neighbouring ones joined, with their place in the file. */
  private chunksOf(
    input: BlocksInput,
    blocks: Map<number, OpenedBlock | Error>,
    first: number,
    last: number,
  ): { offset: number; bytes: Uint8Array }[] {
    const chunks: { offset: number; bytes: Uint8Array }[] = [];
    let run: { block: number; start: number; end: number; offset: number } | undefined;
    const close = (): void => {
      if (run === undefined) return;
      const { plain } = blocks.get(run.block) as OpenedBlock;
      chunks.push({ offset: run.offset, bytes: plain.subarray(run.start, run.end) });
    };
    for (let piece = first; piece < last; piece++) {
      const [, block, ordinal, offset] = input.pieces.subarray(
        piece * PIECE_NUMBERS,
        (piece + 1) * PIECE_NUMBERS,
      );
      const opened = this.opened(input, blocks, block!);
      const expected = input.ids.subarray(piece * CHUNK_ID_BYTES, (piece + 1) * CHUNK_ID_BYTES);
      if (!this.holds(opened, ordinal!, expected)) {
        this.badBlocks.add(block!);
        throw new CbrError('damaged', `packs/${input.pack} does not hold the chunk that the index says`);
      }
      const start = opened.starts[ordinal!]!;
      const end = opened.starts[ordinal! + 1]!;
      if (
        run !== undefined &&
        run.block === block &&
        run.end === start &&
        run.offset + (run.end - run.start) === offset
      ) {
        run.end = end;
      } else {
        close();
        run = { block: block!, start, end, offset: offset! };
      }
    }
    close();
    return chunks;
  }

  private opened(input: BlocksInput, blocks: Map<number, OpenedBlock | Error>, block: number): OpenedBlock {
    let opened = blocks.get(block);
    if (opened === undefined) {
      opened = this.openOne(input, block);
      blocks.set(block, opened);
    }
    if (opened instanceof Error) {
      this.badBlocks.add(block);
      throw opened;
    }
    return opened;
  }

  private openOne(input: BlocksInput, block: number): OpenedBlock | Error {
    let start = 0;
    for (let before = 0; before < block; before++) start += input.blockLengths[before]!;
    const stored = input.stored.subarray(start, start + input.blockLengths[block]!);
    const object = `packs/${input.pack}`;
    try {
      const pack = openPackHeader(input.header, this.keys, object);
      const number = input.firstBlock + block;
      const { plain, chunkLengths } = openBlock(stored, number, pack, this.algorithms.zstd, object);
      const starts = [0];
      for (const length of chunkLengths) starts.push(starts.at(-1)! + length);
      return { plain, starts, ids: [] };
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  private holds(block: OpenedBlock, ordinal: number, expected: Uint8Array): boolean {
    const start = block.starts[ordinal];
    const end = block.starts[ordinal + 1];
    if (start === undefined || end === undefined) return false;
    block.ids[ordinal] ??= this.ids.digest(block.plain.subarray(start, end));
    return sameBytes(block.ids[ordinal]!, expected);
  }

  private writeFile(
    folder: TargetFolder,
    encoded: EncodedEntry,
    open: TemporaryFile | undefined,
    chunks: readonly { offset: number; bytes: Uint8Array }[],
  ): number {
    if (open !== undefined) {
      for (const { offset, bytes } of chunks) writeFully(open.fd, bytes, offset);
      return WRITTEN.done;
    }
    const entry = decodeEntry(encoded);
    const temporary = createTemporary(folder, entry.flags ?? 0, entry.mode);
    let closed = false;
    try {
      let end = 0;
      for (const { offset, bytes } of chunks) {
        writeFully(temporary.fd, bytes, offset);
        end = offset + bytes.byteLength;
      }
      closed = true;
      return this.finish(folder, entry, temporary, end === entry.size ? undefined : entry.size);
    } catch (error) {
      if (!closed) discard(folder, temporary);
      throw error;
    }
  }

  /**
   * Metadata, then the name, then the flags; closes the file whatever happens. `size` is given where it may not have its
   * size yet: no chunk makes room for a hole at its end.
   */
  private finish(folder: TargetFolder, entry: Entry, file: TemporaryFile, size?: number): number {
    const path = folder.locate(entry.name);
    const metadata = new MetadataWriter(this.owners, this.problems);
    let named = false;
    try {
      if (size !== undefined) ftruncateSync(file.fd, size);
      metadata.applyToNew(file, path, metadataOf(entry));
      named = commit(folder, file, entry.name);
      // Flags of files with several names wait until all of them are there: an immutable file takes no further name.
      if (named && entry.flags !== undefined && entry.linkGroup === undefined) {
        metadata.setFlagsOfFd(file.fd, path, entry.flags);
      }
      return named ? WRITTEN.done : WRITTEN.existed;
    } finally {
      if (named) closeSync(file.fd);
      else discard(folder, file);
    }
  }
}

function writeFully(fd: number, bytes: Uint8Array, offset: number): void {
  for (let done = 0; done < bytes.byteLength; ) {
    done += writeSync(fd, bytes, done, bytes.byteLength - done, offset + done);
  }
}
