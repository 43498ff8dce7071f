import { write } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { promisify } from 'node:util';
import { errnoOf } from '../core/index.js';
import type { EndingSink } from '../snapshot/index.js';

const writeSome = promisify(write);

/** Large enough that writing costs little, small enough that a reader need not wait long. */
const BUFFER_BYTES = 2 ** 20;
/** A pipe that someone else made non-blocking is full: its reader needs a moment. */
const RETRY_MS = 1;

/**
 * Writes bytes to a file descriptor while the next ones are prepared. `failure` makes of what the kernel says the error
 * that writing rejects with, from the next call on.
 */
export class DescriptorSink implements EndingSink {
  private filling = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  private spare = Buffer.allocUnsafeSlow(BUFFER_BYTES);
  private used = 0;
  private writing: Promise<void> = Promise.resolve();

  constructor(
    private readonly fd: number,
    private readonly failure: (error: unknown) => unknown,
  ) {}

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const part = bytes.subarray(done, done + BUFFER_BYTES - this.used);
      this.filling.set(part, this.used);
      this.used += part.byteLength;
      done += part.byteLength;
      if (this.used === BUFFER_BYTES) await this.turn();
    }
  }

  /** Resolves when everything is written. */
  async end(): Promise<void> {
    await this.turn();
    await this.writing;
  }

  /** Hands over what was gathered, as soon as what was handed over before is written. */
  private async turn(): Promise<void> {
    await this.writing;
    this.writing = this.writeAll(this.filling.subarray(0, this.used));
    // Whoever writes next gets it.
    this.writing.catch(() => undefined);
    [this.filling, this.spare] = [this.spare, this.filling];
    this.used = 0;
  }

  private async writeAll(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      try {
        const { bytesWritten } = await writeSome(this.fd, bytes, done, bytes.byteLength - done, null);
        done += bytesWritten;
      } catch (error) {
        if (errnoOf(error) !== 'EAGAIN') throw this.failure(error);
        await delay(RETRY_MS);
      }
    }
  }
}
