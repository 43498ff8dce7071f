import { CbrError } from '../../core/index.js';
import {
  type FreeSpace,
  freeSpaceAt,
  leftoverBytes,
  type RawPath,
  type SeenEntry,
  type TargetFolder,
} from '../../fs/index.js';
import { contentItems, type ReadTreeChunk } from '../content-list.js';
import type { Entry } from '../entry.js';

/** Adds up what a restore has to write, to compare it with the room there is before anything is written. */
export class RoomCount {
  /** What files need beyond what they replace. */
  private grown = 0;
  /** What stands twice until the old files are gone: in all, and for the largest one. */
  private doubled = 0;
  private largestDoubled = 0;
  /** Taken by what interrupted restores left: it is used or removed. */
  private leftOver = 0;
  private readonly blockBytes: number;

  /** `atOnce`: bytes of files that may stand beside what they replace at the same time, if none is larger. */
  constructor(
    private readonly read: ReadTreeChunk,
    target: RawPath,
    private readonly atOnce: number,
  ) {
    this.blockBytes = freeSpaceAt(target).blockBytes;
  }

  /** Bytes that have to be free: a file that is replaced stays until the new one is whole. */
  get needed(): number {
    const doubled = Math.min(this.doubled, Math.max(this.largestDoubled, this.atOnce));
    return Math.max(0, this.grown + doubled - this.leftOver);
  }

  /** Counts what interrupted restores left in a folder of the target. */
  addLeftovers(folder: TargetFolder): void {
    this.leftOver += leftoverBytes(folder);
  }

  /** Counts a file, without its holes. The room of what it replaces is free again, unless that has other names. */
  async add(entry: Entry, seen: SeenEntry | undefined): Promise<void> {
    const freed = seen?.type === 'file' && seen.names === 1 ? seen.allocated : 0;
    const bytes = await this.contentBytes(entry, entry.size ?? 0);
    const written = Math.ceil(bytes / this.blockBytes) * this.blockBytes;
    this.grown += Math.max(0, written - freed);
    this.doubled += Math.min(written, freed);
    this.largestDoubled = Math.max(this.largestDoubled, Math.min(written, freed));
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

/** Whether files of so many bytes in all surely fit: then nothing has to be counted. */
export function fitsSurely(target: RawPath, mostBytes: number, files: number): boolean {
  const { bytes, blockBytes } = freeSpaceAt(target);
  return bytes >= mostBytes + files * blockBytes;
}

/** Bytes for which the target has no room; 0 where there is room, or where the sizes do not tell. */
export function missingRoomFor(target: RawPath, needed: number): number {
  const { bytes, mayCompress }: FreeSpace = freeSpaceAt(target);
  return mayCompress ? 0 : Math.max(0, needed - bytes);
}
