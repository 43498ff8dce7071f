import { CbrError } from '../../core/index.js';
import { SECTOR_BYTES } from '../media.js';
import type { IsoExtent } from './iso-volume.js';
import { readExactly, type SectorSource, subjectOf } from './sectors.js';

/** Bytes of folders, and of what belongs to them, that are read of one disc: more than a million names. */
const MOST_BYTES = 256 * 2 ** 20;
/** Areas lie near each other: so much is read at once. */
const WINDOW_BYTES = 4 * SECTOR_BYTES;
/** What a read counts for at least, so that there are not too many of them either. */
const LEAST_COUNTED = 256;

/** Reads folders within bounds, whatever they say of themselves. */
export class FolderReader {
  private left = MOST_BYTES;
  private window: { readonly offset: number; readonly bytes: Uint8Array } | undefined;

  constructor(private readonly source: SectorSource) {}

  /** Rejects with CbrError `limit` beyond the bounds, with DamagedError where the image ends before, and as the source does. */
  async readFolder({ offset, length }: IsoExtent, folder: string): Promise<Uint8Array> {
    this.take(length);
    return readExactly(this.source, offset, length, `the folder ${folder}`);
  }

  /** As `readFolder`, for a few bytes that belong to a record. */
  async readArea(offset: number, length: number): Promise<Uint8Array> {
    this.take(length);
    const within = this.within(offset, length);
    if (within !== undefined) return within;
    await this.moveWindow(offset - (offset % SECTOR_BYTES));
    return this.within(offset, length) ?? readExactly(this.source, offset, length, 'a name');
  }

  /** What cannot be read in the neighbourhood does not matter. */
  private async moveWindow(offset: number): Promise<void> {
    try {
      this.window = { offset, bytes: await this.source.read(offset, WINDOW_BYTES) };
    } catch {
      this.window = undefined;
    }
  }

  private within(offset: number, length: number): Uint8Array | undefined {
    if (this.window === undefined || offset < this.window.offset) return undefined;
    const at = offset - this.window.offset;
    return at + length > this.window.bytes.byteLength
      ? undefined
      : this.window.bytes.subarray(at, at + length);
  }

  private take(bytes: number): void {
    this.left -= Math.max(bytes, LEAST_COUNTED);
    if (this.left >= 0) return;
    throw new CbrError(
      'limit',
      `the folders of ${subjectOf(this.source)} have more than ${MOST_BYTES} bytes`,
      {
        hint: 'It is no disc of cbr, or it is damaged.',
      },
    );
  }
}
