import type { Readable } from 'node:stream';
import { CbrError } from '../../core/index.js';
import { openSectors } from '../iso/sectors.js';
import { SECTOR_BYTES } from '../media.js';
import { runXorriso } from '../xorriso/run-xorriso.js';
import type { Drive } from './drive.js';

export interface ReadBack {
  readonly image: string;
  /** Of the image. */
  readonly bytes: number;
  readonly signal: AbortSignal;
  readonly onProgress?: (bytes: number, totalBytes: number) => void;
}

/**
 * Compares a burned disc with its image, byte for byte. It is read through xorriso, which asks the drive itself: the kernel may
 * remember what was on the disc before, or that it was blank. Rejects with `target` when anything differs or cannot be read.
 */
export async function compareDisc(drive: Drive, request: ReadBack): Promise<void> {
  const last = request.bytes / SECTOR_BYTES - 1;
  const read = `min_lba=0 max_lba=${last} what=disc use=outdev time_limit=-1 item_limit=-1 data_to=-`;
  await runXorriso(
    // The desktop may have mounted the disc by now.
    ['-drive_access', 'shared:readonly', '-outdev', drive.address, '-check_media', ...read.split(' '), '--'],
    {
      what: `cannot read what was burned in ${drive.device}`,
      signal: request.signal,
      takeOutput: (output) => compare(output, drive.device, request),
    },
  );
}

async function compare(
  output: Readable,
  device: string,
  { image, bytes, onProgress }: ReadBack,
): Promise<void> {
  const differs = (offset: number): CbrError =>
    new CbrError('target', `the disc in ${device} does not read as ${image} near byte ${offset}`, {
      hint: 'The disc or the drive is bad: burn it again on another disc.',
    });
  const written = await openSectors(image);
  try {
    let offset = 0;
    for await (const piece of output as AsyncIterable<Buffer>) {
      const wanted = await written.read(offset, piece.byteLength);
      if (Buffer.compare(piece, wanted) !== 0) throw differs(offset);
      offset += piece.byteLength;
      onProgress?.(offset, bytes);
    }
    if (offset !== bytes) throw differs(offset);
  } finally {
    await written.close();
  }
}
