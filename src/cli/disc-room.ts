import { parseLocation } from '../backends/index.js';
import { CbrError, MIB } from '../core/index.js';
import { sizeText } from './sizes.js';

/** What an image has beside packs: file system, records, the program that restores. */
const OVERHEAD_BYTES = 3 * MIB;

/** Rejects with `usage` when the repository is to live on discs that are too small for its packs, and as the location is wrong. */
export async function refuseSmallDiscs(location: string, packBytes: number): Promise<void> {
  const place = parseLocation(location);
  if (place.kind !== 'disc') return;
  const { freeBytes, settingsFrom } = await import('../disc/index.js');
  const { medium, cushion } = settingsFrom(place.text, place.options);
  const room = freeBytes(medium, undefined, cushion) - OVERHEAD_BYTES;
  if (packBytes <= room) return;
  throw new CbrError(
    'usage',
    `a pack of ${sizeText(packBytes)} does not fit on a disc of ${medium.name}: it has room for ${sizeText(Math.max(0, room))} of packs`,
    { hint: 'Choose smaller packs (--pack-size, and --block-size with it), or larger media.' },
  );
}
