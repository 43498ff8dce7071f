import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { CbrError, errnoOf } from '../../core/index.js';
import type { Drive } from './drive.js';

/**
 * Keeps a block device that stands for a disc to this run: nobody can mount it meanwhile. Returns what lets go of it. Rejects with `target` when
 * it is mounted, or a part of something that is in use, as a RAID or a swap space. Drives xorriso claims itself.
 */
export async function claimDrive({ path, device, isBurner }: Drive): Promise<() => Promise<void>> {
  if (isBurner) return () => Promise.resolve();
  try {
    const file = await open(path, constants.O_RDWR | constants.O_EXCL);
    return () => file.close();
  } catch (cause) {
    if (errnoOf(cause) !== 'EBUSY') throw cause;
    throw new CbrError('target', `${device} is in use: nothing was written`, {
      hint: 'It is mounted, or belongs to a RAID, a volume group or the swap space. See: lsblk',
      cause,
    });
  }
}
