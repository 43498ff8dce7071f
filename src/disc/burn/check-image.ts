import { DamagedError } from '../../core/index.js';
import { readIso, shortBy } from '../iso/read-iso.js';
import { openSectors } from '../iso/sectors.js';
import { verifyDisc } from '../verify-disc.js';

/**
 * Proves that an image is what was built: reading it takes a tenth of the time of burning it, and a disc with a damaged image is of no
 * use. Returns its bytes. Rejects with DamagedError when it is cut short, or a file in it is not what it was; as `verifyDisc` otherwise.
 */
export async function checkImage(
  image: string,
  signal: AbortSignal,
  onProgress?: (bytes: number, totalBytes: number) => void,
): Promise<number> {
  const source = await openSectors(image);
  try {
    const lacking = shortBy(source, await readIso(source));
    if (lacking > 0) throw unfit(image, `is cut short: ${lacking} bytes of it are not there`);
    const { damaged } = await verifyDisc(source, image, signal, (progress) =>
      onProgress?.(progress.bytes, progress.totalBytes),
    );
    const [first] = damaged;
    if (first !== undefined) throw unfit(image, `is damaged: ${first.path}: ${first.reason}`);
    return source.size!;
  } finally {
    await source.close();
  }
}

function unfit(image: string, what: string): DamagedError {
  return new DamagedError(image, what, { hint: 'It was not burned. Make it again: cbr disc rebuild' });
}
