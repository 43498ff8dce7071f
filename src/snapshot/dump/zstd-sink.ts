import type { Algorithms } from '../../repo/index.js';
import type { ByteSink, EndingSink } from './byte-sink.js';

/** Frames are compressed apart; this much plain, so that little is lost where one ends. */
const FRAME_BYTES = 8 * 2 ** 20;

/** The most that so many bytes become. */
const boundOf = (bytes: number): number => bytes + Math.ceil(bytes / 128) + 1024;

/** Compresses what goes to a sink with zstd: frames one behind the other, which readers take for one stream. */
export class ZstdSink implements EndingSink {
  private readonly plain = Buffer.allocUnsafeSlow(FRAME_BYTES);
  private readonly target = Buffer.allocUnsafeSlow(boundOf(FRAME_BYTES));
  private used = 0;

  constructor(
    private readonly sink: ByteSink,
    private readonly zstd: Algorithms['zstd'],
    private readonly level: number,
  ) {}

  async write(bytes: Uint8Array): Promise<void> {
    for (let done = 0; done < bytes.byteLength; ) {
      const part = bytes.subarray(done, done + FRAME_BYTES - this.used);
      this.plain.set(part, this.used);
      this.used += part.byteLength;
      done += part.byteLength;
      if (this.used === FRAME_BYTES) await this.end();
    }
  }

  async end(): Promise<void> {
    if (this.used === 0) return;
    const length = this.zstd.compress(this.plain.subarray(0, this.used), this.target, this.level);
    this.used = 0;
    await this.sink.write(this.target.subarray(0, length));
  }
}
