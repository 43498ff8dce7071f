import { CbrError, CHUNK_ID_BYTES, type ChunkId, messageOf } from '../../core/index.js';
import { Limiter, type WorkerPool } from '../../engine/index.js';
import {
  createTemporary,
  discard,
  FileError,
  type TargetFolderHandle,
  type TemporaryFile,
} from '../../fs/index.js';
import type { ChunkReader, RepositoryCache } from '../../repo/index.js';
import { FATAL } from './file-writer.js';
import type { RestoreReport } from './restore-report.js';
import {
  type BlocksInput,
  type FilesOutput,
  PIECE_NUMBERS,
  type RestoreTasks,
  type TaskFiles,
  WRITTEN,
} from './restore-tasks.js';
import type { TargetNode } from './target-tree.js';
import { type BlockPlace, type PlannedRead, planWindow, type WindowFile } from './window.js';

export interface WindowRunnerParts {
  readonly pool: WorkerPool<RestoreTasks>;
  readonly cache: RepositoryCache;
  readonly reader: ChunkReader;
  readonly readPack: (name: string, offset: number, length: number) => Promise<Uint8Array>;
  readonly report: RestoreReport;
  readonly threads: number;
  readonly signal: AbortSignal;
}

/** How a file of a window ended. */
export type FileEnd = 'restored' | 'existed' | 'lost';

interface FileState {
  readonly file: WindowFile;
  /** Open while its content comes from several reads. */
  temporary: TemporaryFile | undefined;
  readsLeft: number;
  end: FileEnd | undefined;
  /** The attempt under way has failed. */
  failed: boolean;
  /** Why the first attempt failed. */
  reason: string | undefined;
}

/** Stored bytes of one read at most, unless a single block is larger: a fetch that keeps a worker busy for 30 ms. */
const READ_BYTES = 4 * 2 ** 20;
/** Files without content to fetch, given to a worker at once. */
const EMPTY_FILES = 1000;

/** Carries out one window: every block is fetched, opened and verified once, files are written by workers. */
export class WindowRunner {
  /** Blocks that turned out not to hold what they should: another copy is looked for. */
  private readonly bad = new Set<string>();

  constructor(private readonly its: WindowRunnerParts) {}

  /** Resolves with the end of each file, in order. Rejects when the target takes nothing more, or when stopped. */
  async run(files: readonly WindowFile[]): Promise<FileEnd[]> {
    const states = files.map(
      (file): FileState => ({
        file,
        temporary: undefined,
        readsLeft: 0,
        end: undefined,
        failed: false,
        reason: undefined,
      }),
    );
    try {
      await this.round(states, READ_BYTES);
      const failed = states.filter(({ end }) => end === undefined);
      if (failed.length > 0) {
        // Prune may have moved packs meanwhile, or a chunk may have a second copy.
        await this.its.reader.refresh();
        // One block at a time, so that one that cannot be read does not take its neighbours along.
        await this.round(failed, 0);
      }
    } finally {
      for (const state of states) this.drop(state);
    }
    return states.map((state) => {
      if (state.end === undefined)
        this.its.report.lose(state.file.path, state.reason ?? 'cannot be restored');
      return state.end ?? 'lost';
    });
  }

  private placeOf(id: ChunkId): BlockPlace | undefined {
    const first = this.its.cache.lookup(id);
    if (first === undefined || this.bad.size === 0) return first;
    return this.its.cache.places(id).find(({ pack, block }) => !this.bad.has(`${pack} ${block}`));
  }

  private async round(states: readonly FileState[], readBytes: number): Promise<void> {
    const { cache } = this.its;
    for (const state of states) {
      this.drop(state);
      state.failed = false;
    }
    const files = states.map(({ file }) => file);
    const stored = (pack: number, block: number): number => cache.pack(pack)?.blocks[block]?.stored ?? 0;
    const plan = planWindow(files, (id) => this.placeOf(id), stored, readBytes);
    for (const file of plan.homeless) states[file]!.reason ??= 'a chunk of it is nowhere in the repository';
    for (const [file, reads] of plan.readsOf.entries()) {
      states[file]!.readsLeft = reads;
      if (reads > 1) this.openShared(states[file]!);
    }
    const homeless = new Set(plan.homeless);
    const empty = states.filter((_, file) => plan.readsOf[file] === 0 && !homeless.has(file));
    const running = new Limiter(this.its.threads + 2);
    try {
      await this.dispatch(plan.reads, empty, states, running);
    } finally {
      // Files must not be closed while a worker may still write to them: their numbers would be given to others.
      await running.idle();
    }
    running.check();
  }

  private async dispatch(
    reads: readonly PlannedRead[],
    empty: readonly FileState[],
    states: readonly FileState[],
    running: Limiter,
  ): Promise<void> {
    for (let at = 0; at < empty.length; at += EMPTY_FILES) {
      await running.room();
      running.start(() => this.writeEmpty(empty.slice(at, at + EMPTY_FILES)));
    }
    for (const read of reads) {
      await running.room();
      if (this.its.signal.aborted) throw new CbrError('interrupted', 'the restore was interrupted');
      running.start(() => this.carryOut(read, states));
    }
  }

  /** A file whose content comes from several reads is created first; what cannot be created needs no content. */
  private openShared(state: FileState): void {
    const { node, entry } = state.file;
    try {
      state.temporary = createTemporary(node.folder, entry.flags ?? 0, entry.mode);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      if (FATAL.has(error.errno)) throw error;
      this.end(state, 'lost');
      this.its.report.lose(state.file.path, messageOf(error));
    }
  }

  private drop(state: FileState): void {
    if (state.temporary === undefined) return;
    discard(state.file.node.folder, state.temporary);
    state.temporary = undefined;
  }

  private async carryOut(read: PlannedRead, states: readonly FileState[]): Promise<void> {
    const wanted = read.pieces.filter(({ file }) => states[file]!.end === undefined && !states[file]!.failed);
    if (wanted.length === 0) return;
    const involved = [...new Set(wanted.map(({ file }) => file))];
    const pack = this.its.cache.pack(read.pack);
    try {
      if (pack === undefined) throw new CbrError('damaged', 'the pack is gone');
      const blocks = pack.blocks.slice(read.firstBlock, read.firstBlock + read.blocks);
      const { offset } = this.its.reader.block(pack, read.firstBlock);
      const length = blocks.reduce((sum, { stored }) => sum + stored, 0);
      const header = await this.its.reader.headerBytes(pack);
      const stored = await this.its.readPack(pack.name, offset, length);
      const input: BlocksInput = {
        pack: pack.name,
        header,
        stored,
        firstBlock: read.firstBlock,
        blockLengths: blocks.map((block) => block.stored),
        files: packFiles(involved, states),
        ...packPieces(wanted, involved, read.firstBlock),
      };
      const transfer = stored.byteLength === stored.buffer.byteLength ? [stored.buffer as ArrayBuffer] : [];
      const output = await this.its.pool.run('writeBlocks', input, { transfer });
      await this.takeOver(
        output,
        involved.map((file) => states[file]!),
        read,
      );
    } catch (error) {
      if (
        !(error instanceof CbrError) ||
        error.code === 'interrupted' ||
        error.code === 'target' ||
        error.code === 'internal'
      ) {
        throw error;
      }
      // The repository's fault, of these blocks only: the files that need them fail, the others go on.
      for (const file of involved) this.fail(states[file]!, messageOf(error));
    }
  }

  private async writeEmpty(states: readonly FileState[]): Promise<void> {
    const involved = [...states.keys()];
    const input: BlocksInput = {
      pack: '',
      header: new Uint8Array(),
      stored: new Uint8Array(),
      firstBlock: 0,
      blockLengths: [],
      files: packFiles(involved, states),
      pieces: new Float64Array(),
      ids: new Uint8Array(),
    };
    await this.takeOver(await this.its.pool.run('writeBlocks', input), states, undefined);
  }

  private async takeOver(
    output: FilesOutput,
    states: readonly FileState[],
    read: PlannedRead | undefined,
  ): Promise<void> {
    this.its.report.metadata(output.problems);
    const reasons = new Map(output.reasons);
    for (const block of output.badBlocks) {
      if (read !== undefined) this.bad.add(`${read.pack} ${read.firstBlock + block}`);
    }
    const whole: FileState[] = [];
    for (const [i, state] of states.entries()) {
      const result = output.states[i]!;
      if (result === WRITTEN.damaged) this.fail(state, reasons.get(i) ?? 'is damaged');
      else if (result === WRITTEN.refused) {
        this.end(state, 'lost');
        this.its.report.lose(state.file.path, reasons.get(i) ?? 'the target refuses it');
      } else if (state.temporary === undefined)
        this.end(state, result === WRITTEN.done ? 'restored' : 'existed');
      else if (--state.readsLeft === 0 && !state.failed) whole.push(state);
    }
    if (whole.length > 0) await this.finish(whole);
  }

  /** All content of these files is written: metadata, then their names. */
  private async finish(states: readonly FileState[]): Promise<void> {
    const involved = [...states.keys()];
    const files = packFiles(involved, states);
    // From here on the worker closes them, whatever happens.
    for (const state of states) state.temporary = undefined;
    const output = await this.its.pool.run('finishFiles', { files });
    await this.takeOver(output, states, undefined);
  }

  private fail(state: FileState, reason: string): void {
    state.failed = true;
    state.reason ??= reason;
  }

  private end(state: FileState, end: FileEnd): void {
    state.end = end;
    const { path, entry } = state.file;
    if (end === 'restored') this.its.report.restored(path, entry.size ?? 0);
    if (end === 'existed') this.its.report.existed(path);
  }
}

function packFiles(involved: readonly number[], states: readonly FileState[]): TaskFiles {
  const folders: TargetFolderHandle[] = [];
  const numbers = new Map<TargetNode, number>();
  const folderOf = new Uint32Array(involved.length);
  const entryEnds = new Uint32Array(involved.length);
  const open: (readonly [number, TemporaryFile])[] = [];
  const entries: Uint8Array[] = [];
  let end = 0;
  for (const [i, file] of involved.entries()) {
    const { file: its, temporary } = states[file]!;
    let folder = numbers.get(its.node);
    if (folder === undefined) {
      folder = folders.push(its.node.folder.handle()) - 1;
      numbers.set(its.node, folder);
    }
    folderOf[i] = folder;
    entries.push(its.encoded);
    end += its.encoded.byteLength;
    entryEnds[i] = end;
    if (temporary !== undefined) open.push([i, temporary]);
  }
  // Memory of its own: a view would be sent with everything that it is a view of.
  const packed = new Uint8Array(end);
  let at = 0;
  for (const entry of entries) {
    packed.set(entry, at);
    at += entry.byteLength;
  }
  return { folders, folderOf, entries: packed, entryEnds, open };
}

function packPieces(
  pieces: readonly { file: number; block: number; ordinal: number; offset: number; id: ChunkId }[],
  involved: readonly number[],
  firstBlock: number,
): { pieces: Float64Array; ids: Uint8Array } {
  const position = new Map(involved.map((file, i) => [file, i]));
  const numbers = new Float64Array(pieces.length * PIECE_NUMBERS);
  const ids = Buffer.allocUnsafeSlow(pieces.length * CHUNK_ID_BYTES);
  for (const [i, piece] of pieces.entries()) {
    numbers[i * PIECE_NUMBERS] = position.get(piece.file)!;
    numbers[i * PIECE_NUMBERS + 1] = piece.block - firstBlock;
    numbers[i * PIECE_NUMBERS + 2] = piece.ordinal;
    numbers[i * PIECE_NUMBERS + 3] = piece.offset;
    ids.write(piece.id, i * CHUNK_ID_BYTES, CHUNK_ID_BYTES, 'latin1');
  }
  return { pieces: numbers, ids };
}
