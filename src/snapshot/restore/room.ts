import { CbrError } from '../../core/index.js';
import { type FreeSpace, freeSpaceAt, type RawPath, type SeenEntry } from '../../fs/index.js';
import { contentItems, type ReadTreeChunk } from '../content-list.js';
import type { Entry } from '../entry.js';

/** Adds up what a restore has to write, to compare it with the room there is before anything is written. */
export class RoomCount {
  /** Bytes that files need beyond those of what they replace. */
  needed = 0;

  constructor(private readonly read: ReadTreeChunk) {}

  /** Counts a file, without its holes. The room of what it replaces is free again, unless that has other names. */
  async add(entry: Entry, seen: SeenEntry | undefined): Promise<void> {
    const freed = seen?.type === 'file' && seen.names === 1 ? seen.allocated : 0;
    const size = entry.size ?? 0;
    if (size <= freed) return;
    this.needed += Math.max(0, (await this.contentBytes(entry, size)) - freed);
  }

  private async contentBytes(entry: Entry, size: number): Promise<number> {
    let bytes = 0;
    try {
      for await (const items of contentItems(entry.content!, size, this.read)) {
        for (const item of items) if (item.id !== undefined) bytes += item.length;
      }
    } catch (error) {
      // Its list cannot be read: it will not be written.
      if (!(error instanceof CbrError) || error.code === 'interrupted') throw error;
      return 0;
    }
    return bytes;
  }
}

/** Whether so many bytes surely fit: then nothing has to be counted. */
export function fitsSurely(target: RawPath, most: number): boolean {
  return freeSpaceAt(target).bytes >= most;
}

/** Bytes for which the target has no room; 0 where there is room, or where the sizes do not tell. */
export function missingRoomFor(target: RawPath, needed: number): number {
  const { bytes, mayCompress }: FreeSpace = freeSpaceAt(target);
  return mayCompress ? 0 : Math.max(0, needed - bytes);
}
