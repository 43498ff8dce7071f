import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import { CHUNK_ID_BYTES, errnoOf, LIMITS, sameBytes } from '../../core/index.js';
import { FileError, TargetFolder } from '../../fs/index.js';
import type { Blake3 } from '../../repo/index.js';
import { FATAL } from './file-writer.js';
import type { FeedInput } from './restore-tasks.js';

const WARY = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Runs in a worker: copies into a new file what the file in its place has right already, at the same offsets. What is copied
 * are the very bytes whose id was found right, so that it does not matter what becomes of that file meanwhile.
 */
export class FileFeeder {
  /** Not touched, and so no memory, until there is something to copy. */
  private readonly chunk = Buffer.allocUnsafeSlow(LIMITS.chunk);

  constructor(private readonly ids: Blake3) {}

  /** 1 for each chunk that was copied. Throws FileError (target) only when the new file takes nothing more. */
  feed(input: FeedInput): Uint8Array {
    const chunks = input.ids.byteLength / CHUNK_ID_BYTES;
    const copied = new Uint8Array(chunks);
    const folder = TargetFolder.from(input.folder);
    let from: number;
    try {
      from = openSync(folder.path(input.name), WARY);
    } catch {
      return copied; // then all is fetched
    }
    try {
      let number = 0;
      let { offset } = input;
      for (const item of input.items) {
        if (item > 0) {
          const chunk = this.chunk.subarray(0, item);
          const id = input.ids.subarray(number * CHUNK_ID_BYTES, (number + 1) * CHUNK_ID_BYTES);
          if (readWhole(from, chunk, offset) && sameBytes(this.ids.digest(chunk), id)) {
            copied[number] = write(input, folder, chunk, offset) ? 1 : 0;
          }
          number++;
        }
        offset += Math.abs(item);
      }
    } finally {
      closeSync(from);
    }
    return copied;
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
