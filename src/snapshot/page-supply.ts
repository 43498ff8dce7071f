import type { ChunkId } from '../core/index.js';
import type { ReadTreeChunk } from './content-list.js';
import type { ChunkReference } from './entry.js';

/** Bytes of pages that were asked for and not yet taken: memory is bounded, however large the folders are. */
const MOST_BYTES = 32 * 2 ** 20;

/** Tree pages, some of which are read before they are needed: most of the time of a read is waiting. */
export class PageSupply {
  private readonly underWay = new Map<ChunkId, Promise<Uint8Array>>();
  private bytes = 0;

  constructor(private readonly read: ReadTreeChunk) {}

  /** Begins to read a page that will probably be taken. Does nothing when there is no room for it. */
  expect(page: ChunkReference): void {
    if (this.underWay.has(page.id) || this.bytes + page.length > MOST_BYTES) return;
    const reading = this.read(page);
    // Whoever takes the page gets the failure.
    reading.catch(() => undefined);
    this.underWay.set(page.id, reading);
    this.bytes += page.length;
  }

  /** Rejects as `read` does. */
  take(page: ChunkReference): Promise<Uint8Array> {
    const reading = this.underWay.get(page.id);
    if (reading === undefined) return this.read(page);
    this.dismiss(page);
    return reading;
  }

  /** The page turned out not to be needed. */
  dismiss(page: ChunkReference): void {
    if (this.underWay.delete(page.id)) this.bytes -= page.length;
  }
}
