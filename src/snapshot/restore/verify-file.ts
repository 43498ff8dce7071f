import { closeSync, constants, openSync, readSync } from 'node:fs';
import { CHUNK_ID_BYTES, errnoOf, LIMITS, messageOf, sameBytes } from '../../core/index.js';
import { reasonOf, TargetFolder } from '../../fs/index.js';
import type { Blake3 } from '../../repo/index.js';
import type { Verdict, VerifyInput } from './restore-tasks.js';

const ZERO_BYTES = 2 ** 20;
const NO_FOLLOW = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/** What refuses a user to read, whatever is in the file. */
export const NO_ACCESS: ReadonlySet<string | undefined> = new Set(['EACCES', 'EPERM']);

/** Runs in a worker: reads restored files from the target and compares them, chunk by chunk. */
export class FileVerifier {
  /** Not touched, and so no memory, until there is something to verify. */
  private readonly chunk = Buffer.allocUnsafeSlow(LIMITS.chunk);
  private readonly zeros = Buffer.alloc(ZERO_BYTES);

  constructor(private readonly ids: Blake3) {}

  /** What is wrong with a part of a file. */
  verdictOn(input: VerifyInput): Verdict {
    let fd: number | undefined;
    try {
      fd = openSync(TargetFolder.from(input.folder).path(input.name), NO_FOLLOW);
      const difference = this.compare(fd, input);
      return difference === undefined ? {} : { difference };
    } catch (error) {
      const errno = errnoOf(error);
      if (NO_ACCESS.has(errno)) return { unreadable: reasonOf(error) };
      if (errno === 'ELOOP') return { difference: 'a symlink is in its place' };
      if (errno === 'EISDIR') return { difference: 'a folder is in its place' };
      return { difference: errno === undefined ? messageOf(error) : reasonOf(error) };
    } finally {
      if (fd !== undefined) closeSync(fd);
    }
  }

  private compare(fd: number, input: VerifyInput): string | undefined {
    let { offset } = input;
    let number = 0;
    for (const item of input.items) {
      const length = Math.abs(item);
      if (item > 0) {
        const expected = input.ids.subarray(number * CHUNK_ID_BYTES, (number + 1) * CHUNK_ID_BYTES);
        number++;
        const chunk = this.chunk.subarray(0, length);
        if (!readExactly(fd, chunk, offset)) return `it ends before byte ${offset + length}`;
        if (!sameBytes(this.ids.digest(chunk), expected)) return `it differs from byte ${offset} on`;
      } else if (!this.isHole(fd, offset, length)) return `it is not empty from byte ${offset} on`;
      offset += length;
    }
    if (!input.isLast || readSync(fd, this.chunk, 0, 1, offset) === 0) return undefined;
    return `it goes on behind byte ${offset}`;
  }

  private isHole(fd: number, offset: number, length: number): boolean {
    for (let done = 0; done < length; ) {
      const part = this.chunk.subarray(0, Math.min(ZERO_BYTES, length - done));
      if (!readExactly(fd, part, offset + done)) return false;
      if (Buffer.compare(part, this.zeros.subarray(0, part.byteLength)) !== 0) return false;
      done += part.byteLength;
    }
    return true;
  }
}

function readExactly(fd: number, into: Buffer, offset: number): boolean {
  for (let done = 0; done < into.byteLength; ) {
    const read = readSync(fd, into, done, into.byteLength - done, offset + done);
    if (read === 0) return false;
    done += read;
  }
  return true;
}
