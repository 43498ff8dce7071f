import { closeSync, constants, fstatSync, openSync, readSync, writeSync } from 'node:fs';
import { CHUNK_ID_BYTES, errnoOf, LIMITS, sameBytes } from '../../core/index.js';
import { dataExtents, type Extent, FileError, TargetFolder } from '../../fs/index.js';
import type { Blake3 } from '../../repo/index.js';
import { FATAL } from './file-writer.js';
import type { FeedInput } from './restore-tasks.js';

const WARY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Runs in a worker: finds what an unfinished file has right already, and copies into it what the file in its place has, at the
 * same offsets. What is copied are the very bytes whose id was found right, so that it does not matter what becomes of that
 * file meanwhile.
 */
export class FileFeeder {
  /** Not touched, and so no memory, until there is something to copy. */
  private readonly chunk = Buffer.allocUnsafeSlow(LIMITS.chunk);

  constructor(private readonly ids: Blake3) {}

  /** 1 for each chunk that is there. Throws FileError (target) only when the new file takes nothing more. */
  feed(input: FeedInput): Uint8Array {
    const chunks = input.ids.byteLength / CHUNK_ID_BYTES;
    const present = new Uint8Array(chunks);
    const folder = TargetFolder.from(input.folder);
    const own = input.isContinued ? input.temporary.fd : undefined;
    const old = input.replaces ? open(folder, input.name) : undefined;
    const written = own === undefined ? [] : dataExtents(own, fstatSync(own).size);
    try {
      let number = 0;
      let { offset } = input;
      for (const item of input.items) {
        if (item > 0) {
          const chunk = this.chunk.subarray(0, item);
          const id = input.ids.subarray(number * CHUNK_ID_BYTES, (number + 1) * CHUNK_ID_BYTES);
          const holds = (fd: number | undefined): boolean =>
            fd !== undefined && readWhole(fd, chunk, offset) && sameBytes(this.ids.digest(chunk), id);
          const isPresent = holds(own) || (holds(old) && write(input, folder, chunk, offset));
          present[number] = isPresent ? 1 : 0;
          number++;
        } else this.clear(input, folder, written, offset, offset - item);
        offset += Math.abs(item);
      }
    } finally {
      if (old !== undefined) closeSync(old);
    }
    return present;
  }

  /**
   * Makes sure that an unfinished file has nothing but zeros where there is to be a hole: no chunk proves it, and who else may
   * write into its folder could have put another file there. Throws FileError (target) when it cannot.
   */
  private clear(
    { temporary, name }: FeedInput,
    folder: TargetFolder,
    written: readonly Extent[],
    start: number,
    end: number,
  ): void {
    for (const extent of written) {
      for (let at = Math.max(start, extent.start); at < Math.min(end, extent.end); ) {
        const part = this.chunk.subarray(0, Math.min(LIMITS.chunk, Math.min(end, extent.end) - at));
        if (!readWhole(temporary.fd, part, at) || part.some((byte) => byte !== 0)) {
          part.fill(0);
          try {
            for (let done = 0; done < part.byteLength; )
              done += writeSync(temporary.fd, part, done, part.byteLength - done, at + done);
          } catch (error) {
            throw new FileError('target', 'write', folder.locate(name), error);
          }
        }
        at += part.byteLength;
      }
    }
  }
}

/** Undefined where it cannot be opened: then all is fetched. */
function open(folder: TargetFolder, name: string): number | undefined {
  try {
    return openSync(folder.path(name), WARY);
  } catch {
    return undefined;
  }
}

/** False at the end of the file, and where it cannot be read. */
function readWhole(fd: number, into: Buffer, offset: number): boolean {
  try {
    for (let done = 0; done < into.byteLength; ) {
      const read = readSync(fd, into, done, into.byteLength - done, offset + done);
      if (read === 0) return false;
      done += read;
    }
    return true;
  } catch {
    return false;
  }
}

/** False where this one file cannot be written: who fetches the chunk meets that again, and reports it. */
function write({ temporary, name }: FeedInput, folder: TargetFolder, chunk: Buffer, offset: number): boolean {
  try {
    for (let done = 0; done < chunk.byteLength; ) {
      done += writeSync(temporary.fd, chunk, done, chunk.byteLength - done, offset + done);
    }
    return true;
  } catch (error) {
    if (FATAL.has(errnoOf(error))) throw new FileError('target', 'write', folder.locate(name), error);
    return false;
  }
}
