import { closeSync, readSync } from 'node:fs';
import { setImmediate as breathe } from 'node:timers/promises';
import { chunkIdAt, LIMITS } from '../../core/index.js';
import { FileError, openSource, type RawPath, StatTable } from '../../fs/index.js';
import type { Blake3 } from '../../repo/index.js';
import { contentItems, type ReadTreeChunk } from '../content-list.js';
import { type ContentItem, type Entry, itemBytes } from '../entry.js';
import { contentKey } from './moves.js';

/** Bytes that are read before others get a turn: signals, and what is printed. */
const TURN_BYTES = 16 * 2 ** 20;
/** Files in pieces are compared with so many that were removed; more of one size are copies of one thing, or chance. */
const MOST_COMPARED = 16;

/** Compares files on the disk with what a snapshot holds: chunk by chunk, by their ids, without reading the repository's content. */
export class DiskContent {
  private readonly buffer = Buffer.allocUnsafeSlow(LIMITS.chunk);
  private sinceTurn = 0;

  constructor(
    private readonly ids: Blake3,
    private readonly readTree: ReadTreeChunk,
    private readonly signal: AbortSignal,
  ) {}

  /** Whether a file holds what an entry says, byte for byte. Throws FileError (source) when it cannot be read. */
  async isSame(path: RawPath, entry: Entry): Promise<boolean> {
    const stats = new StatTable(1);
    const fd = openSource(path, stats, 'none');
    try {
      if (stats.size(0) !== entry.size) return false;
      let offset = 0;
      for await (const items of contentItems(entry.content!, entry.size, this.readTree)) {
        for (const item of items) {
          await this.giveTurn(itemBytes(item));
          if (!this.holds(fd, path, item, offset)) return false;
          offset += itemBytes(item);
        }
      }
      return true;
    } finally {
      closeSync(fd);
    }
  }

  /** The key of the candidate whose content a file holds; undefined when it is that of none. Throws as `isSame`. */
  async keyOf(
    path: RawPath,
    size: number,
    candidates: ReadonlyMap<string, Entry>,
  ): Promise<string | undefined> {
    const entries = [...candidates];
    const pieces = entries.filter(
      ([, { content }]) => content?.kind === 'list' || content?.items.length !== 1,
    );
    if (pieces.length < entries.length) {
      const key = await this.keyOfOneChunk(path, size);
      if (key !== undefined && candidates.has(key)) return key;
    }
    for (const [key, entry] of pieces.slice(0, MOST_COMPARED)) if (await this.isSame(path, entry)) return key;
    return undefined;
  }

  /** The key that a file has as one chunk; undefined when it has another size by now. */
  private async keyOfOneChunk(path: RawPath, size: number): Promise<string | undefined> {
    await this.giveTurn(size);
    const fd = openSource(path, new StatTable(1), 'none');
    try {
      const bytes = this.buffer.subarray(0, size);
      if (!readExactly(fd, path, bytes, 0)) return undefined;
      const items = [{ id: chunkIdAt(this.ids.digest(bytes)), length: size }];
      return contentKey({ type: 'file', size, content: { kind: 'items', items } });
    } finally {
      closeSync(fd);
    }
  }

  private holds(fd: number, path: RawPath, item: ContentItem, offset: number): boolean {
    if (item.id === undefined) return this.isHole(fd, path, offset, item.hole);
    const bytes = this.buffer.subarray(0, item.length);
    return readExactly(fd, path, bytes, offset) && chunkIdAt(this.ids.digest(bytes)) === item.id;
  }

  private isHole(fd: number, path: RawPath, offset: number, length: number): boolean {
    for (let done = 0; done < length; ) {
      const part = this.buffer.subarray(0, Math.min(this.buffer.length, length - done));
      if (!readExactly(fd, path, part, offset + done) || part.some((byte) => byte !== 0)) return false;
      done += part.byteLength;
    }
    return true;
  }

  private async giveTurn(bytes: number): Promise<void> {
    this.sinceTurn += bytes;
    if (this.sinceTurn < TURN_BYTES) return;
    this.sinceTurn = 0;
    await breathe();
    this.signal.throwIfAborted();
  }
}

/** Says whether there was so much. */
function readExactly(fd: number, path: RawPath, into: Buffer, offset: number): boolean {
  try {
    for (let done = 0; done < into.byteLength; ) {
      const read = readSync(fd, into, done, into.byteLength - done, offset + done);
      if (read === 0) return false;
      done += read;
    }
    return true;
  } catch (error) {
    throw new FileError('source', 'read', path, error);
  }
}
