import { CbrError, errnoOf } from '../../core/index.js';
import { openSectors } from '../iso/sectors.js';
import { labelOnDisc } from '../label-on-disc.js';

/**
 * An image is written over only by one of the same disc: sets of two repositories may have one name. Rejects with `target` for everything
 * else that is there.
 */
export async function refuseOtherImage(image: string, { id }: { readonly id: string }): Promise<void> {
  const there = await discIn(image);
  if (there === undefined || there === id) return;
  throw new CbrError('target', `${image} is there, and is not an image of the disc that is to be made`, {
    hint: 'Move it away, or choose another folder with --out.',
  });
}

/** Id of the disc; empty for what is none, undefined when nothing is there. */
async function discIn(image: string): Promise<string | undefined> {
  try {
    const source = await openSectors(image);
    try {
      return (await labelOnDisc(source, image)).disc;
    } finally {
      await source.close();
    }
  } catch (error) {
    if (!(error instanceof CbrError)) throw error;
    return errnoOf(error.cause) === 'ENOENT' ? undefined : '';
  }
}
