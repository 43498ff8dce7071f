import { closeSync, readSync } from 'node:fs';
import type { Chunker } from '../../chunker/index.js';
import { CHUNK_ID_BYTES, errnoOf, messageOf } from '../../core/index.js';
import type { Slab } from '../../engine/index.js';
import {
  dataExtents,
  type Extent,
  FileError,
  inodeFlags,
  openBlockDevice,
  openSource,
  type Problem,
  type RawPath,
  readXattrs,
  STAT_ROW_BYTES,
  StatTable,
  statBlockDevice,
  statFd,
} from '../../fs/index.js';
import type { Blake3 } from '../../repo/index.js';
import {
  type BatchInput,
  type BatchOutput,
  type CutInput,
  type CutOutput,
  type FileNotes,
  type LargeFile,
  READ,
  type SparseFile,
  type WindowInput,
  type WindowOutput,
} from './tasks.js';

/** Runs in a worker: reads source files into slabs, cuts them and takes the ids of their chunks. */

/** Reasons that lie with this process and not with the file: the run fails instead of calling the file unreadable. */
export const OWN_FAULTS: ReadonlySet<string | undefined> = new Set(['EMFILE', 'ENFILE', 'ENOMEM']);

/** A file that changes under the reader is read again so often before it is stored as it is. */
const MORE_ATTEMPTS = 3;

export class FileReader {
  private readonly before = new StatTable(1024);
  private readonly after = new StatTable(1);

  constructor(
    private readonly slabs: readonly Slab[],
    private readonly chunker: Chunker,
    private readonly ids: Blake3,
  ) {}

  readBatch(input: BatchInput): BatchOutput {
    const slab = this.slabs[input.slab]!;
    const paths = input.paths.split('\0');
    const count = paths.length;
    const states = new Uint8Array(count);
    const chunks = new Uint32Array(count);
    const rows = new Uint8Array(count * STAT_ROW_BYTES);
    const notes: (readonly [number, FileNotes])[] = [];
    const sparse: (readonly [number, SparseFile])[] = [];
    let start = 0;
    let table = 0;
    for (let i = 0; i < count; i++) {
      const room = input.rooms[i]!;
      const into = slab.bytes.subarray(start, start + room);
      const read = this.readSmall(paths[i] as RawPath, into, input.mayHaveHoles[i] === 1);
      states[i] = read.state;
      if (read.notes !== undefined) notes.push([i, read.notes]);
      if (read.state !== READ.vanished && read.state !== READ.failed)
        rows.set(this.before.rowBytes(0), i * STAT_ROW_BYTES);
      let at = start;
      for (const extent of read.extents) {
        const count = this.cut(slab, at, extent.end - extent.start, true, table).chunks;
        chunks[i]! += count;
        table += count;
        at += extent.end - extent.start;
      }
      if (read.size > at - start) sparse.push([i, { extents: read.extents, size: read.size }]);
      start += room;
    }
    return { states, chunks, rows, notes, sparse };
  }

  /** Reads what is data of a file, one extent behind the other. */
  private readSmall(path: RawPath, into: Buffer, mayHaveHoles: boolean): SmallFile {
    let fd: number | undefined;
    try {
      this.before.clear();
      fd = openSource(path, this.before, 'none');
      for (let attempt = 0; ; attempt++) {
        const size = this.before.size(0);
        if (size > into.byteLength) return { state: READ.outgrown, ...NOTHING_READ };
        const wanted = mayHaveHoles ? dataExtents(fd, size) : wholeOf(size);
        const { extents, isWhole } = readExtents(fd, into, wanted);
        this.after.clear();
        statFd(fd, this.after, path);
        const steady = isWhole && this.before.sameAs(0, this.after, 0);
        if (steady || attempt === MORE_ATTEMPTS) {
          const notes = this.notesOf(fd, path);
          return {
            state: steady ? READ.ok : READ.unsteady,
            extents,
            size: isWhole ? size : (extents.at(-1)?.end ?? 0),
            ...(notes === undefined ? {} : { notes }),
          };
        }
        this.before.clear();
        statFd(fd, this.before, path);
      }
    } catch (error) {
      if (isVanished(error)) return { state: READ.vanished, ...NOTHING_READ };
      if (error instanceof FileError && OWN_FAULTS.has(error.errno)) throw error;
      const reason = error instanceof FileError ? error.reason : messageOf(error);
      return { state: READ.failed, ...NOTHING_READ, notes: { error: reason } };
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  private notesOf(fd: number, path: RawPath): FileNotes | undefined {
    const problems: Problem[] = [];
    const xattrs = readXattrs(fd, path, problems);
    const flags = inodeFlags(fd, path, problems);
    if (xattrs.length === 0 && flags === 0 && problems.length === 0) return undefined;
    return {
      ...(xattrs.length > 0 ? { xattrs } : {}),
      ...(flags !== 0 ? { flags } : {}),
      ...(problems.length > 0 ? { problems } : {}),
    };
  }

  /** Opens a file, or a block device, that is read in windows. Rejects when it cannot be opened. */
  openLarge(path: RawPath, isDevice: boolean): LargeFile {
    this.before.clear();
    if (isDevice) {
      const fd = openBlockDevice(path, this.before);
      const row = Uint8Array.from(this.before.rowBytes(0));
      return { fd, row, extents: wholeOf(this.before.size(0)), notes: {} };
    }
    const fd = openSource(path, this.before, 'none');
    try {
      const extents = dataExtents(fd, this.before.size(0));
      const notes = this.notesOf(fd, path) ?? {};
      return { fd, row: Uint8Array.from(this.before.rowBytes(0)), extents, notes };
    } catch (error) {
      closeSync(fd);
      throw error;
    }
  }

  readWindow(input: WindowInput): WindowOutput {
    const slab = this.slabs[input.slab]!;
    const wanted = Math.min(slab.bytes.byteLength, input.end - input.start);
    const bytes = readFully(input.fd, slab.bytes.subarray(0, wanted), input.start);
    const truncated = bytes < wanted;
    const isEnd = truncated || input.start + bytes === input.end;
    const { chunks, end } = this.cut(slab, 0, bytes, isEnd, 0);
    return { chunks, next: input.start + end, truncated };
  }

  /** Cuts what is in a slab already. */
  cutWindow({ slab: number, start, end, isEnd }: CutInput): CutOutput {
    const cut = this.cut(this.slabs[number]!, start, end - start, isEnd, 0);
    return { chunks: cut.chunks, end: start + cut.end };
  }

  /** Closes a large file and returns its stat row as it is now. */
  closeLarge(fd: number): Uint8Array {
    try {
      this.after.clear();
      const path = '/' as RawPath;
      if (!statBlockDevice(fd, this.after, path)) statFd(fd, this.after, path);
      return Uint8Array.from(this.after.rowBytes(0));
    } finally {
      closeSync(fd);
    }
  }

  /** Cuts `bytes` of the slab from `start` on and fills its chunk table from row `table` on. */
  private cut(
    slab: Slab,
    start: number,
    bytes: number,
    isEnd: boolean,
    table: number,
  ): { chunks: number; end: number } {
    const content = slab.bytes.subarray(start, start + bytes);
    let from = 0;
    let row = table;
    for (const end of this.chunker.cuts(content, isEnd)) {
      slab.starts[row] = start + from;
      slab.lengths[row] = end - from;
      this.ids.digestTo(content.subarray(from, end), slab.ids, row * CHUNK_ID_BYTES);
      from = end;
      row++;
    }
    return { chunks: row - table, end: from };
  }
}

interface SmallFile {
  readonly state: number;
  /** What was read, one behind the other; less than there was if the file was cut short meanwhile. */
  readonly extents: readonly Extent[];
  /** Bytes with holes. */
  readonly size: number;
  readonly notes?: FileNotes;
}

const NOTHING_READ = Object.freeze({ extents: [] as readonly Extent[], size: 0 });

function wholeOf(size: number): readonly Extent[] {
  return size === 0 ? [] : [{ start: 0, end: size }];
}

/** Reads extents, one behind the other into `into`, up to the first that is cut short. */
function readExtents(
  fd: number,
  into: Buffer,
  wanted: readonly Extent[],
): { extents: readonly Extent[]; isWhole: boolean } {
  const extents: Extent[] = [];
  let at = 0;
  for (const { start, end } of wanted) {
    const bytes = readFully(fd, into.subarray(at, at + end - start), start);
    if (bytes > 0) extents.push({ start, end: start + bytes });
    if (bytes < end - start) return { extents, isWhole: false };
    at += bytes;
  }
  return { extents, isWhole: true };
}

/** Reads until the buffer is full or the file ends; returns the bytes read. */
function readFully(fd: number, into: Buffer, position: number): number {
  let done = 0;
  while (done < into.byteLength) {
    const read = readSync(fd, into, done, into.byteLength - done, position + done);
    if (read === 0) break;
    done += read;
  }
  return done;
}

/** Gone, by itself or with its folder. */
export function isVanished(error: unknown): boolean {
  for (let each: unknown = error; each instanceof Error; each = each.cause) {
    const errno = errnoOf(each);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return true;
  }
  return false;
}
