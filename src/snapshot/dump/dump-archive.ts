import { CbrError, messageOf } from '../../core/index.js';
import { displayPath } from '../../fs/index.js';
import type { Entry, ExtendedAttribute } from '../entry.js';
import type { Listener } from '../events.js';
import { hasSameContent } from '../restore/same-content.js';
import { type Step, stepsOf } from '../restore/selection.js';
import type { ArchiveEntry, ArchiveWriter } from './archive-writer.js';
import { chunksAhead, isLoss, type ReadPiece } from './chunks-ahead.js';
import type { DumpSource } from './dump-source.js';
import { chunkOf, type FilePiece, filePieces, holeBytes, pieceBytes } from './file-pieces.js';

/** Files up to this size are read whole before their headers are written: a damaged one is left out of the archive. */
const WHOLE_BYTES = 8 * 2 ** 20;

export interface ArchiveSummary {
  readonly files: number;
  readonly folders: number;
  /** Symlinks, devices and the like. */
  readonly others: number;
  /** Content of the files. */
  readonly bytes: number;
  /** What the kind of archive cannot hold. */
  readonly skipped: number;
  /** What is damaged, and not in the archive; a folder that cannot be read counts once. */
  readonly lost: number;
}

type Piece = { readonly step: Step } | FilePiece;

/**
 * Writes a folder with all that is in it, or one entry, to an archive: paths begin below the folder, as those of a restore
 * do. What is damaged or cannot be held is reported and left out. Rejects with `damaged` when a file that is under way
 * already turns out to be damaged: no archive ever holds a wrong byte as if it were right.
 */
export async function dumpArchive(
  source: DumpSource,
  writer: ArchiveWriter,
  listener: Listener,
  signal: AbortSignal,
): Promise<ArchiveSummary> {
  const run = new ArchiveRun(source, writer, listener, signal);
  return run.run();
}

async function* piecesOf({ found, readTree }: DumpSource): AsyncGenerator<Piece> {
  for await (const steps of stepsOf(found, undefined, readTree)) {
    for (const step of steps) {
      yield { step };
      if (step.kind === 'entry' && step.entry.type === 'file') yield* filePieces(step.entry, readTree);
    }
  }
}

class ArchiveRun {
  private readonly counts = { files: 0, folders: 0, others: 0, bytes: 0, skipped: 0, lost: 0 };
  private readonly pieces: AsyncGenerator<ReadPiece<Piece>>;
  /** First names of files that have several. */
  private readonly firsts = new Map<string, ArchiveEntry>();
  private lastLost: string | undefined;
  private readonly expected: { readonly totalFiles: number; readonly totalBytes: number } | undefined;

  constructor(
    private readonly source: DumpSource,
    private readonly writer: ArchiveWriter,
    private readonly listener: Listener,
    private readonly signal: AbortSignal,
  ) {
    this.pieces = chunksAhead(
      piecesOf(source),
      (piece) => ('step' in piece ? undefined : chunkOf(piece)),
      source.data,
    );
    const { files, sourceBytes } = source.snapshot.about.statistics;
    const isWhole = source.found.tree === source.snapshot.root;
    this.expected = isWhole ? { totalFiles: files, totalBytes: sourceBytes } : undefined;
  }

  async run(): Promise<ArchiveSummary> {
    for (;;) {
      const next = await this.next();
      if (next === undefined) break;
      if ('step' in next.piece) await this.take(next.piece.step);
    }
    await this.writer.finish();
    return this.counts;
  }

  private async next(): Promise<ReadPiece<Piece> | undefined> {
    this.signal.throwIfAborted();
    const { done, value } = await this.pieces.next();
    return done === true ? undefined : value;
  }

  private async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'lost':
        return this.lose(step.path, step.reason);
      case 'leave':
      case 'names':
        return;
      case 'enter':
        return this.addOther(step.entry, step.path);
      case 'entry':
        return step.entry.type === 'file'
          ? this.addFile(step.entry, step.path)
          : this.addOther(step.entry, step.path);
    }
  }

  private async addOther(entry: Entry, path: string): Promise<void> {
    const archived = await this.archived(entry, path);
    if (archived === undefined) return;
    await this.writer.add(archived);
    this.remember(archived);
    if (entry.type === 'directory') this.counts.folders++;
    else this.counts.others++;
  }

  private async addFile(entry: Entry, path: string): Promise<void> {
    const archived = await this.archived(entry, path);
    if (archived === undefined) return this.pass(entry);
    if (archived.hardLink !== undefined) {
      await this.pass(entry);
      await this.writer.add(archived);
    } else if ((entry.size ?? 0) <= WHOLE_BYTES) {
      const content = await this.whole(entry);
      if (!(content instanceof Uint8Array)) return this.lose(path, messageOf(content));
      await this.writer.add(archived, content);
    } else await this.writer.add(archived, this.streamed(entry, path));
    this.remember(archived);
    this.counts.files++;
    if (archived.hardLink === undefined) this.counts.bytes += entry.size ?? 0;
    this.progress(path);
  }

  /** Undefined, and told, when the archive cannot hold it. */
  private async archived(entry: Entry, path: string): Promise<ArchiveEntry | undefined> {
    const first = entry.linkGroup === undefined ? undefined : this.firsts.get(entry.linkGroup);
    // Two files that changed places while they were stored, or a forged tree: a link would give it the other's content.
    const isLink = first !== undefined && hasSameContent(first.entry, entry);
    const whole = await this.withAttributes(entry, path);
    const archived = { path, entry: whole, ...(isLink ? { hardLink: first.path } : {}) };
    const refusal = this.writer.refusal(archived);
    if (refusal === undefined) return archived;
    this.counts.skipped++;
    this.listener({ type: 'problem', severity: 'note', subject: path, reason: refusal });
    return undefined;
  }

  private remember({ path, entry }: ArchiveEntry): void {
    const { linkGroup, xattrs: _, ...kept } = entry;
    if (!this.writer.hasHardLinks || linkGroup === undefined || this.firsts.has(linkGroup)) return;
    this.firsts.set(linkGroup, { path, entry: kept });
  }

  /** An entry whose large attribute values are fetched; those that cannot be are reported and left out. */
  private async withAttributes(entry: Entry, path: string): Promise<Entry> {
    const { xattrs } = entry;
    if (xattrs === undefined || xattrs.every(({ value }) => value instanceof Uint8Array)) return entry;
    const found: ExtendedAttribute[] = [];
    for (const { name, value } of xattrs) {
      if (value instanceof Uint8Array) found.push({ name, value });
      else {
        try {
          found.push({ name, value: await this.source.readTree(value) });
        } catch (error) {
          if (!isLoss(error)) throw error;
          this.lose(path, `attribute ${displayPath(name)}: ${messageOf(error)}`);
        }
      }
    }
    return { ...entry, xattrs: found };
  }

  /** Passes over the content of a file. */
  private async pass(entry: Entry): Promise<void> {
    if (entry.type === 'file') for await (const _ of this.contentOf(entry));
  }

  /** The pieces of the file that comes now, up to its size or to where nobody knows more. */
  private async *contentOf(entry: Entry): AsyncGenerator<ReadPiece<FilePiece>> {
    for (let left = entry.size ?? 0; left > 0; ) {
      const next = await this.next();
      if (next === undefined || 'step' in next.piece)
        throw new Error('the content of a file has another size');
      const { piece } = next;
      left -= pieceBytes(piece);
      yield { ...next, piece };
      if ('broken' in piece) return;
    }
  }

  private async whole(entry: Entry): Promise<Uint8Array | CbrError> {
    const size = entry.size ?? 0;
    let content: Uint8Array | undefined;
    let lost: CbrError | undefined;
    let at = 0;
    for await (const { piece, plain } of this.contentOf(entry)) {
      lost ??= lossOf(piece, plain);
      const bytes = pieceBytes(piece);
      if (plain instanceof Uint8Array && lost === undefined) {
        // Most files are one chunk. Several must not keep several blocks in memory.
        if (bytes === size) return plain;
        content ??= Buffer.alloc(size);
        content.set(plain, at);
      }
      at += bytes;
    }
    return lost ?? content ?? Buffer.alloc(size);
  }

  private async *streamed(entry: Entry, path: string): AsyncGenerator<Uint8Array> {
    let at = 0;
    for await (const { piece, plain } of this.contentOf(entry)) {
      const lost = lossOf(piece, plain);
      if (lost !== undefined) {
        const reason = `${displayPath(path)} is damaged from byte ${at} on, and the archive ends there: ${messageOf(lost)}`;
        throw new CbrError('damaged', reason, {
          cause: lost,
          hint: 'cbr restore brings back everything else; cbr check tells what is damaged.',
        });
      }
      if (plain instanceof Uint8Array) yield plain;
      else yield* holeBytes(pieceBytes(piece));
      at += pieceBytes(piece);
    }
  }

  /** Tells of each entry once. */
  private lose(path: string, reason: string): void {
    if (path === this.lastLost) return;
    this.lastLost = path;
    this.counts.lost++;
    this.listener({ type: 'problem', severity: 'error', subject: path, reason });
  }

  private progress(current: string): void {
    const { files, others, bytes } = this.counts;
    const about = { files: files + others, bytes, current, ...this.expected };
    this.listener({ type: 'progress', phase: 'dump', ...about });
  }
}

function lossOf(piece: FilePiece, plain: Uint8Array | CbrError | undefined): CbrError | undefined {
  if ('broken' in piece) return piece.broken;
  return plain instanceof CbrError ? plain : undefined;
}
