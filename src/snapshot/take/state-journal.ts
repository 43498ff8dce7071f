import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { DirectoryPut } from '../../repo/index.js';

/** Kept in memory before it goes to a file: as much as a tree of some ten thousand folders needs. */
const MEMORY_BYTES = 16 * 2 ** 20;
const KEY_BYTES = 16;
const HEAD_BYTES = KEY_BYTES + 4;

/**
 * The directory states that a snapshot will leave behind once it is committed. Trees may have millions of folders, so what
 * does not fit in memory waits in a file without a name.
 */
export class StateJournal {
  private waiting: DirectoryPut[] = [];
  private waitingBytes = 0;
  private fd: number | undefined;
  private written = 0;
  private lost = false;

  /** False when a state could not be kept: then none of them may be used. */
  get isWhole(): boolean {
    return !this.lost;
  }

  put(key: Uint8Array, state: Uint8Array): void {
    if (this.lost) return;
    this.waiting.push([key, state]);
    this.waitingBytes += HEAD_BYTES + state.byteLength;
    if (this.waitingBytes < MEMORY_BYTES) return;
    try {
      this.spill();
    } catch {
      // No room for temporary files. Only the next snapshot takes longer for it.
      this.lost = true;
      this.close();
    }
  }

  /** All states in the order in which they were put. */
  *entries(): Generator<DirectoryPut> {
    for (let at = 0; at < this.written; ) {
      const head = this.read(at, HEAD_BYTES);
      const length = head.readUInt32LE(KEY_BYTES);
      yield [head.subarray(0, KEY_BYTES), this.read(at + HEAD_BYTES, length)];
      at += HEAD_BYTES + length;
    }
    yield* this.waiting;
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
    this.waiting = [];
  }

  private spill(): void {
    const parts: Uint8Array[] = [];
    for (const [key, state] of this.waiting) {
      const head = Buffer.alloc(HEAD_BYTES);
      head.set(key);
      head.writeUInt32LE(state.byteLength, KEY_BYTES);
      parts.push(head, state);
    }
    const bytes = Buffer.concat(parts);
    this.fd ??= openNameless();
    for (let done = 0; done < bytes.byteLength; ) {
      done += writeSync(this.fd, bytes, done, bytes.byteLength - done, this.written + done);
    }
    this.written += bytes.byteLength;
    this.waiting = [];
    this.waitingBytes = 0;
  }

  private read(at: number, length: number): Buffer {
    const bytes = Buffer.allocUnsafe(length);
    for (let done = 0; done < length; ) {
      const read = readSync(this.fd!, bytes, done, length - done, at + done);
      if (read === 0) throw new RangeError('the journal of directory states became shorter');
      done += read;
    }
    return bytes;
  }
}

/** A file that only this process has: nothing is left behind, however it ends. */
function openNameless(): number {
  const folder = mkdtempSync(join(tmpdir(), 'cbr-states-'));
  try {
    return openSync(join(folder, 'journal'), 'wx+', 0o600);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
