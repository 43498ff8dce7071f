import { CbrError, type ChunkId, messageOf } from '../../core/index.js';
import { Limiter } from '../../engine/index.js';
import { createTemporary, FileError, leaveUnfinished, openUnfinished } from '../../fs/index.js';
import type { ChunkReader, RepositoryCache } from '../../repo/index.js';
import { abandon } from './abandon.js';
import type { BlockFetcher } from './block-fetcher.js';
import type { EntryEnd } from './entry-end.js';
import { packItems } from './file-parts.js';
import type { FileUnderway } from './file-underway.js';
import { FATAL } from './file-writer.js';
import { stopIfAborted } from './interruption.js';
import { packFiles, packPieces } from './pack-task.js';
import { PlaceDoubts } from './place-doubts.js';
import type { RestoreReport } from './restore-report.js';
import { type BlocksInput, type FilesOutput, WRITTEN } from './restore-tasks.js';
import type { RestoreWorkers } from './restore-workers.js';
import { type BlockPlace, type BlockSize, type FilePart, type PlannedRead, Window } from './window.js';

export interface WindowRunnerParts {
  readonly workers: RestoreWorkers;
  readonly cache: RepositoryCache;
  readonly reader: ChunkReader;
  readonly blocks: BlockFetcher;
  readonly report: RestoreReport;
  readonly threads: number;
  readonly signal: AbortSignal;
  /** Called once for each file; its folder and its fate are the caller's from then on. */
  readonly ended: (file: FileUnderway, end: EntryEnd) => void;
}

/**
 * One read at most, unless a single block is larger: stored, a fetch that keeps a worker busy for 30 ms; plain, what a
 * worker keeps memory for.
 */
const READ: BlockSize = Object.freeze({ stored: 4 * 2 ** 20, plain: 8 * 2 ** 20 });
/** One block at a time, so that one that cannot be read does not take its neighbours along. */
const SINGLE_BLOCKS: BlockSize = Object.freeze({ stored: 0, plain: 0 });
const NO_BLOCK: BlockSize = Object.freeze({ stored: 0, plain: 0 });
/** Files without content to fetch, given to a worker at once. */
const EMPTY_FILES = 1000;
/** Further attempts: one for another copy, one to read each of two copies again. A third copy has to be lucky. */
const RETRIES = 3;

/** Carries out windows: every block of one is fetched, opened and verified once, files are written by workers. */
export class WindowRunner {
  private readonly doubts = new PlaceDoubts();
  /** Files with an open temporary file. */
  private readonly open = new Set<FileUnderway>();
  /** Reads that are planned and not done. */
  private readsLeft = 0;

  constructor(private readonly its: WindowRunnerParts) {}

  /** Whether the workers will soon have nothing to do. */
  get isHungry(): boolean {
    return this.readsLeft <= this.its.threads;
  }

  newWindow(): Window {
    return new Window((id) => this.placeOf(id));
  }

  /** Moves to the next window, which is empty, what is better fetched together with what comes then. */
  defer(window: Window, next: Window): void {
    window.deferTo(next, this.sizeOf);
  }

  /**
   * Resolves when everything that a window holds is written or given up. Rejects when the target takes nothing more, or when
   * stopped: then the files that are open are left for `discardOpen`.
   */
  async run(window: Window): Promise<void> {
    await this.round(window, READ);
    let failed = this.endAllButFailed(window);
    for (let retry = 1; failed.length > 0; retry++) {
      // Rule 28: while a prune moves packs, what could not be fetched says nothing about the repository.
      const isMoved = await this.its.reader.refresh();
      const again = this.newWindow();
      for (const part of failed) {
        closePart(part);
        const next = again.add(part.file, part.items, part.offset);
        next.reason = part.reason ?? next.reason;
      }
      await this.round(again, SINGLE_BLOCKS);
      failed = this.endAllButFailed(again);
      // The store had its own patience with what could not be fetched.
      if (isMoved) retry = 0;
      else for (const part of failed) if (part.isUnfetched || retry >= RETRIES) this.loseOf(part);
      failed = failed.filter(({ ended }) => !ended);
    }
  }

  /** Ends the parts of a window except those that another attempt may help. */
  private endAllButFailed({ parts }: Window): FilePart[] {
    const failed: FilePart[] = [];
    for (const part of parts) {
      if (!part.ended && part.failed && part.file.lost === undefined) failed.push(part);
      else this.endPart(part);
    }
    return failed;
  }

  private loseOf(part: FilePart): void {
    this.giveUp(part.file, part.reason ?? 'cannot be restored');
    this.endPart(part);
  }

  /** Gives a file up: what is still to come of it is left out. */
  giveUp(file: FileUnderway, reason: string): void {
    if (file.lost !== undefined) return;
    file.lost = reason;
    this.its.report.lose(file.path, reason);
    this.endLost(file);
  }

  /**
   * Closes what an unfinished restore has left open. Nothing may run any more. When it was interrupted, what the next one can
   * go on with stays; all else is removed.
   */
  discardOpen(): void {
    for (const file of this.open) {
      const { temporary } = file;
      const isKept = this.its.signal.aborted && file.lost === undefined && temporary !== undefined;
      if (isKept && temporary.temporaryName === file.unfinishedName && file.unfinishedName !== undefined) {
        leaveUnfinished(temporary);
        this.release(file);
      } else this.drop(file);
    }
  }

  private readonly sizeOf = (pack: number, block: number): BlockSize =>
    this.its.cache.pack(pack)?.blocks[block] ?? NO_BLOCK;

  private placeOf(id: ChunkId): BlockPlace | undefined {
    const first = this.its.cache.lookup(id);
    if (first === undefined || this.doubts.isEmpty) return first;
    return this.doubts.best(this.its.cache.places(id));
  }

  private async round(window: Window, most: BlockSize): Promise<void> {
    const { threads } = this.its;
    if (window.parts.some(({ isUnfed }) => isUnfed)) await this.feed(window);
    const reads = window.reads(this.sizeOf, most);
    for (const part of window.parts) if (mustStayOpen(part)) this.openTemporary(part.file);
    const running = new Limiter(threads + 2);
    if (most !== SINGLE_BLOCKS) this.its.blocks.expect(reads);
    let left = reads.length;
    this.readsLeft += left;
    try {
      await this.beginWithoutReads(window, running);
      for (const read of reads) {
        await running.room();
        stopIfAborted(this.its.signal);
        running.start(async () => {
          await this.carryOut(read, window.parts, most === SINGLE_BLOCKS);
          left--;
          this.readsLeft--;
        });
      }
    } finally {
      // Files must not be closed while a worker may still write to them: their numbers would be given to others.
      await running.idle();
      this.readsLeft -= left;
    }
    running.check();
  }

  /** Takes what the files that are to be replaced have right already, and plans the rest. */
  private async feed(window: Window): Promise<void> {
    const { workers, threads, signal } = this.its;
    const running = new Limiter(threads + 2);
    try {
      for (const [number, part] of window.parts.entries()) {
        if (!part.isUnfed) continue;
        await running.room();
        stopIfAborted(signal);
        const { file, offset } = part;
        this.openTemporary(file);
        const { temporary } = file;
        if (temporary === undefined) continue;
        const folder = file.node.folder.handle();
        const { name, isContinued } = file;
        const replaces = file.replaces?.seen.type === 'file';
        const known = { folder, name, offset, temporary, isContinued, replaces };
        const input = { ...known, ...packItems(part.items) };
        running.start(async () => window.addRest(number, await workers.run('feedFile', input)));
      }
    } finally {
      // As below: files must not be closed while a worker may still write to them.
      await running.idle();
    }
    running.check();
  }

  /** Empty files, and parts that are nothing but holes. */
  private async beginWithoutReads(window: Window, running: Limiter): Promise<void> {
    const parts = window.parts.filter((part) => part.readsLeft === 0 && isWanted(part));
    const whole = parts.filter(({ file }) => file.temporary === undefined);
    for (let at = 0; at < whole.length; at += EMPTY_FILES) {
      await running.room();
      running.start(() => this.writeEmpty(whole.slice(at, at + EMPTY_FILES)));
    }
    const open = parts.filter(({ file }) => file.temporary !== undefined);
    if (open.length > 0) running.start(() => this.finishWritten(open));
  }

  /** A file whose content comes from several reads is created first; what cannot be created needs no content. */
  private openTemporary(file: FileUnderway): void {
    if (file.temporary !== undefined || file.lost !== undefined) return;
    try {
      const { unfinishedName, flags, mode } = file;
      const { folder } = file.node;
      const unfinished = unfinishedName && openUnfinished(folder, unfinishedName, flags);
      file.temporary = unfinished || createTemporary(folder, flags, mode);
      this.open.add(file);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      if (FATAL.has(error.errno)) throw error;
      this.giveUp(file, messageOf(error));
    }
  }

  private drop(file: FileUnderway): void {
    if (file.temporary === undefined) return;
    const { temporary } = file;
    this.release(file);
    abandon(file.node.folder, temporary);
  }

  private release(file: FileUnderway): void {
    file.temporary = undefined;
    this.open.delete(file);
  }

  private async carryOut(read: PlannedRead, parts: readonly FilePart[], isSingle: boolean): Promise<void> {
    const wanted = read.pieces.filter(({ part }) => isWanted(parts[part]!));
    if (wanted.length === 0) {
      this.its.blocks.dismiss(read);
      return;
    }
    const numbers = [...new Set(wanted.map(({ part }) => part))];
    const involved = numbers.map((number) => parts[number]!);
    const pack = this.its.cache.pack(read.pack);
    try {
      if (pack === undefined) throw new CbrError('damaged', 'the pack is gone');
      const blocks = pack.blocks.slice(read.firstBlock, read.firstBlock + read.blocks);
      const { header, stored } = await this.its.blocks.fetch(read, isSingle);
      const input: BlocksInput = {
        pack: pack.name,
        header,
        stored,
        firstBlock: read.firstBlock,
        blocks: blocks.map((block) => ({ stored: block.stored, plain: block.plain })),
        files: packFiles(involved, false),
        ...packPieces(wanted, numbers, read.firstBlock),
      };
      const transfer = stored.byteLength === stored.buffer.byteLength ? [stored.buffer as ArrayBuffer] : [];
      const output = await this.its.workers.run('writeBlocks', input, { transfer });
      this.learn(read, output, isSingle);
      for (const { part, item } of wanted) this.count(parts[part]!.file, item.length);
      await this.takeOver(output, involved);
    } catch (error) {
      if (
        !(error instanceof CbrError) ||
        error.code === 'interrupted' ||
        error.code === 'target' ||
        error.code === 'internal'
      ) {
        throw error;
      }
      if (await this.its.blocks.isAway(error)) throw error;
      // The repository's fault, of these blocks only: the files that need them fail, the others go on.
      for (let block = 0; block < read.blocks; block++) this.doubts.doubt(read.pack, read.firstBlock + block);
      for (const part of involved) {
        fail(part, messageOf(error));
        part.isUnfetched = true;
      }
    }
  }

  /** Progress of files that take several reads; of others only their end counts. */
  private count(file: FileUnderway, bytes: number): void {
    if (file.temporary === undefined) return;
    file.written += bytes;
    this.its.report.underway(file.path, bytes);
  }

  /** Takes in what a read says about the blocks themselves. */
  private learn({ pack, firstBlock }: PlannedRead, output: FilesOutput, isSingle: boolean): void {
    const { badBlocks, wrongChunks } = output;
    if (isSingle && badBlocks.length === 0) this.doubts.opened(pack, firstBlock);
    for (const block of badBlocks) this.doubts.failed(isSingle, pack, firstBlock + block);
    for (const [block, ordinal] of wrongChunks) {
      this.doubts.failed(isSingle, pack, firstBlock + block, ordinal);
    }
    if (badBlocks.length > 0) this.its.blocks.distrust(pack);
  }

  private async writeEmpty(parts: readonly FilePart[]): Promise<void> {
    const input: BlocksInput = {
      pack: '',
      header: new Uint8Array(),
      stored: new Uint8Array(),
      firstBlock: 0,
      blocks: [],
      files: packFiles(parts, false),
      pieces: new Float64Array(),
      ids: new Uint8Array(),
    };
    await this.takeOver(await this.its.workers.run('writeBlocks', input), parts);
  }

  private async takeOver(output: FilesOutput, parts: readonly FilePart[]): Promise<void> {
    this.its.report.metadata(output.problems);
    const reasons = new Map(output.reasons);
    const written: FilePart[] = [];
    for (const [i, part] of parts.entries()) {
      const { file } = part;
      const result = output.states[i]!;
      if (result === WRITTEN.damaged) fail(part, reasons.get(i) ?? 'is damaged');
      else if (result === WRITTEN.refused) this.giveUp(file, reasons.get(i) ?? 'the target refuses it');
      else if (file.temporary === undefined) {
        closePart(part);
        this.end(file, result === WRITTEN.done ? 'restored' : 'existed');
      } else if (--part.readsLeft === 0 && isWanted(part)) written.push(part);
    }
    await this.finishWritten(written);
  }

  /** All content of these parts is written; files of which it was the last one get their metadata and their names. */
  private async finishWritten(parts: readonly FilePart[]): Promise<void> {
    for (const part of parts) closePart(part);
    const files = new Set(parts.map(({ file }) => file));
    const whole = [...files].filter((file) => file.isPlanned && file.parts === 0 && file.lost === undefined);
    if (whole.length === 0) return;
    const input = {
      files: packFiles(
        whole.map((file) => ({ file })),
        true,
      ),
    };
    // From here on the worker closes them, whatever happens.
    for (const file of whole) this.release(file);
    const output = await this.its.workers.run('finishFiles', input);
    this.its.report.metadata(output.problems);
    const reasons = new Map(output.reasons);
    for (const [i, file] of whole.entries()) {
      const result = output.states[i]!;
      if (result === WRITTEN.done || result === WRITTEN.existed) {
        this.end(file, result === WRITTEN.done ? 'restored' : 'existed');
      } else this.giveUp(file, reasons.get(i) ?? 'the target refuses it');
    }
  }

  /** Nothing more will be written of this part. */
  private endPart(part: FilePart): void {
    if (part.ended) return;
    closePart(part);
    this.endLost(part.file);
  }

  private endLost(file: FileUnderway): void {
    if (file.lost === undefined || file.parts > 0) return;
    this.drop(file);
    this.end(file, 'lost');
  }

  private end(file: FileUnderway, end: EntryEnd): void {
    this.its.report.underway(file.path, -file.written);
    file.written = 0;
    this.its.ended(file, end);
  }
}

/** Whether anything is still to be written of a part. */
function isWanted(part: FilePart): boolean {
  return !part.ended && !part.failed && part.file.lost === undefined;
}

function mustStayOpen({ file, readsLeft, failed }: FilePart): boolean {
  return !failed && (readsLeft > 1 || file.isParted || file.isFed);
}

function fail(part: FilePart, reason: string): void {
  part.failed = true;
  part.reason ??= reason;
}

function closePart(part: FilePart): void {
  part.ended = true;
  part.file.parts--;
}
