import { closeSync, ftruncateSync, writeSync } from 'node:fs';
import { CbrError, errnoOf, messageOf } from '../../core/index.js';
import {
  commit,
  createTemporary,
  discard,
  type EntryMetadata,
  FileError,
  type MetadataChoice,
  MetadataWriter,
  type Owners,
  type Problem,
  type Replaced,
  replaceByFile,
  TargetFolder,
  type TemporaryFile,
  type Xattr,
} from '../../fs/index.js';
import type { Algorithms, Keys } from '../../repo/index.js';
import type { Entry } from '../entry.js';
import { decodeEntry, type EncodedEntry } from '../tree.js';
import { abandon } from './abandon.js';
import { OpenedBlocks, type Stretch } from './opened-blocks.js';
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

/** What restore sets of an entry. Attribute values that are not inline are those that could not be fetched. */
export function metadataOf(entry: Entry): EntryMetadata {
  const { type, mode, uid, gid, user, group, mtime, flags, xattrs, device } = entry;
  const unknownXattrs = xattrs?.filter((xattr) => !isInline(xattr)).map(({ name }) => name);
  const inline = xattrs?.filter(isInline);
  return { type, mode, uid, gid, user, group, mtime, flags, device, xattrs: inline, unknownXattrs };
}

function isInline(xattr: { readonly name: string; readonly value: unknown }): xattr is Xattr {
  return xattr.value instanceof Uint8Array;
}

/** Content of a file that lies together in a block. */
interface Run extends Stretch {
  readonly offset: number;
  end: number;
}

/** Runs in a worker: writes files from the blocks that it opens. */
export class FileWriter {
  private readonly blocks: OpenedBlocks;
  private problems: Problem[] = [];

  constructor(
    keys: Keys,
    algorithms: Algorithms,
    private readonly owners: Owners,
    private readonly choice: MetadataChoice,
  ) {
    this.blocks = new OpenedBlocks(keys, algorithms);
  }

  writeBlocks(input: BlocksInput): FilesOutput {
    this.blocks.begin(input);
    let piece = 0;
    const total = input.pieces.length / PIECE_NUMBERS;
    const replaces = new Map(input.files.replaces);
    const output = this.eachFile(input.files, (file, folder, encoded, temporary) => {
      const first = piece;
      while (piece < total && input.pieces[piece * PIECE_NUMBERS] === file) piece++;
      const runs = this.runsOf(input, first, piece);
      return this.writeFile(folder, encoded, temporary, runs, replaces.get(file));
    });
    return { ...output, badBlocks: this.blocks.badBlocks, wrongChunks: this.blocks.wrongChunks };
  }

  finishFiles(input: FinishInput): FilesOutput {
    const replaces = new Map(input.files.replaces);
    return this.eachFile(input.files, (file, folder, encoded, temporary) => {
      const entry = decodeEntry(encoded);
      return this.finish(folder, entry, temporary!, replaces.get(file), entry.size);
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
      const folder = folders[files.folderOf[file]!]!;
      try {
        states[file] = action(file, folder, encoded, open.get(file));
      } catch (error) {
        states[file] = this.explain(error, folder, encoded);
        reasons.push([file, messageOf(error)]);
      }
    }
    return { states, reasons, problems: this.problems, badBlocks: [], wrongChunks: [] };
  }

  private explain(error: unknown, folder: TargetFolder, { bytes }: EncodedEntry): number {
    if (error instanceof FileError && FATAL.has(error.errno)) throw error;
    const errno = errnoOf(error);
    if (errno !== undefined) {
      if (FATAL.has(errno)) {
        // Of a file that is open already only the folder is known here.
        const path =
          bytes.byteLength === 0 ? folder.location : folder.locate(decodeEntry({ name: '', bytes }).name);
        throw new FileError('target', bytes.byteLength === 0 ? 'write into' : 'write', path, error);
      }
      return WRITTEN.refused;
    }
    return error instanceof CbrError && error.code === 'target' ? WRITTEN.refused : WRITTEN.damaged;
  }

  /** The verified content of pieces, neighbouring ones joined, with their place in the file. */
  private runsOf({ pieces }: BlocksInput, first: number, last: number): Run[] {
    const runs: Run[] = [];
    let run: Run | undefined;
    for (let piece = first; piece < last; piece++) {
      const at = piece * PIECE_NUMBERS;
      const offset = pieces[at + 3]!;
      const { plain, start, end } = this.blocks.take(
        pieces[at + 1]!,
        pieces[at + 2]!,
        pieces[at + 4]!,
        piece,
      );
      if (run?.plain === plain && run.end === start && run.offset + (start - run.start) === offset) {
        run.end = end;
      } else {
        run = { plain, start, end, offset };
        runs.push(run);
      }
    }
    return runs;
  }

  private writeFile(
    folder: TargetFolder,
    encoded: EncodedEntry,
    open: TemporaryFile | undefined,
    runs: readonly Run[],
    replaced: Replaced | undefined,
  ): number {
    if (open !== undefined) {
      for (const run of runs) writeFully(open.fd, run);
      return WRITTEN.done;
    }
    const entry = decodeEntry(encoded);
    const temporary = createTemporary(folder, entry.flags ?? 0, entry.mode);
    try {
      for (const run of runs) writeFully(temporary.fd, run);
    } catch (error) {
      abandon(folder, temporary);
      throw error;
    }
    const last = runs.at(-1);
    const end = last === undefined ? 0 : last.offset + (last.end - last.start);
    return this.finish(folder, entry, temporary, replaced, end === entry.size ? undefined : entry.size);
  }

  /**
   * Metadata, then the name, then the flags; closes the file whatever happens. `size` is given where it may not have its
   * size yet: no chunk makes room for a hole at its end.
   */
  private finish(
    folder: TargetFolder,
    entry: Entry,
    file: TemporaryFile,
    replaced: Replaced | undefined,
    size?: number,
  ): number {
    const path = folder.locate(entry.name);
    const metadata = new MetadataWriter(this.owners, this.problems, this.choice);
    let named = false;
    try {
      if (size !== undefined) ftruncateSync(file.fd, size);
      metadata.applyToNew(file, path, metadataOf(entry));
      if (replaced === undefined) named = commit(folder, file, entry.name);
      else {
        replaceByFile(folder, file, entry.name, replaced);
        named = true;
      }
      // Flags of files with several names wait until all of them are there: an immutable file takes no further name.
      if (named && entry.flags !== undefined && entry.linkGroup === undefined) {
        metadata.setFlagsOfFd(file.fd, path, entry.flags);
      }
    } catch (error) {
      if (named) closeSync(file.fd);
      else abandon(folder, file);
      throw error;
    }
    if (named) closeSync(file.fd);
    else discard(folder, file);
    return named ? WRITTEN.done : WRITTEN.existed;
  }
}

function writeFully(fd: number, { plain, start, end, offset }: Run): void {
  for (let at = start; at < end; ) at += writeSync(fd, plain, at, end - at, offset + (at - start));
}
