import { copyBytes } from '../../core/index.js';
import { Limiter, type Slab } from '../../engine/index.js';
import { ContentListBuilder, type StoreTreeChunk } from '../content-list.js';
import type { Content } from '../entry.js';
import { type SealerParts, SlabSealer } from './slab-sealer.js';
import type { CutOutput } from './tasks.js';

export interface StreamIntakeParts extends SealerParts {
  /** Content bytes of a slab. */
  readonly capacity: number;
  /** The longest chunk, in bytes: at most half the capacity. */
  readonly chunkMax: number;
  readonly storeTreeChunk: StoreTreeChunk;
  /** Called for all content that was read; `newBytes` of it are of chunks that the repository did not have. */
  readonly onRead: (bytes: number, newBytes: number) => void;
}

export interface TakenStream {
  readonly content: Content;
  readonly size: number;
}

/** A slab that is being filled: content from `start` to `end`. */
interface Window {
  readonly slab: Slab;
  start: number;
  end: number;
}

/**
 * Takes in content that comes in order, once, and nobody knows how long it is. The main thread puts it into slabs; a worker cuts
 * one while the next is filled. Each keeps room for a chunk in front: there goes what lies behind the last cut of the one
 * before, so that cuts are the same as in a file. To be used for one stream.
 */
export class StreamIntake {
  private readonly sealer: SlabSealer;
  private readonly sealing = new Limiter(Number.POSITIVE_INFINITY);
  private readonly content: ContentListBuilder;
  private size = 0;
  /** The cutting of the window before the one that is being filled. */
  private cutting: Promise<void> = Promise.resolve();

  constructor(private readonly parts: StreamIntakeParts) {
    this.sealer = new SlabSealer(parts);
    this.content = new ContentListBuilder(parts.storeTreeChunk);
  }

  /** Rejects with what the stream throws, and when storing fails. Resolves when its chunks are on their way to the store. */
  async take(stream: AsyncIterable<Uint8Array>): Promise<TakenStream> {
    try {
      let window = await this.nextWindow();
      for await (const part of stream) {
        for (let done = 0; done < part.byteLength; ) {
          if (window.end === this.parts.capacity) window = await this.advance(window);
          const bytes = Math.min(part.byteLength - done, this.parts.capacity - window.end);
          copyBytes(part.subarray(done, done + bytes), window.slab.bytes, window.end);
          window.end += bytes;
          done += bytes;
        }
      }
      await this.cutting;
      this.collect(window, await this.cut(window, true));
      await this.sealing.settled();
      return { content: this.content.finish(), size: this.size };
    } catch (error) {
      // It keeps its slabs, so nobody may go on waiting for one.
      this.parts.slabs.fail(error);
      throw error;
    } finally {
      await this.cutting.catch(() => undefined);
      await this.sealing.idle();
    }
  }

  private async nextWindow(): Promise<Window> {
    const { slabs, chunkMax } = this.parts;
    return { slab: await slabs.acquire(), start: chunkMax, end: chunkMax };
  }

  /** Has a full window cut, and returns the next one at once: what was not cut off comes in front of it later. */
  private async advance(full: Window): Promise<Window> {
    await this.cutting;
    this.sealing.check();
    const cut = this.cut(full, false);
    const next = this.nextWindow();
    this.cutting = Promise.all([cut, next]).then(([output, window]) => {
      const rest = full.slab.bytes.subarray(output.end, full.end);
      window.start -= rest.byteLength;
      copyBytes(rest, window.slab.bytes, window.start);
      this.collect(full, output);
    });
    this.cutting.catch(() => undefined);
    return next;
  }

  private cut({ slab, start, end }: Window, isEnd: boolean): Promise<CutOutput> {
    return this.parts.pool.run('cutWindow', { slab: slab.number, start, end, isEnd });
  }

  private collect({ slab }: Window, { chunks }: CutOutput): void {
    const rows: number[] = [];
    const sums = this.sealer.collect(slab, 0, chunks, rows, (item) => this.content.add(item));
    this.size += sums.size;
    this.parts.onRead(sums.size, sums.newBytes);
    this.sealing.start(async () => {
      try {
        await this.sealer.seal(slab, rows);
      } catch (error) {
        this.parts.slabs.fail(error);
        throw error;
      }
    });
  }
}
