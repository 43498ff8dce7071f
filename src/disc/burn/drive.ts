import { access, constants, realpath, stat } from 'node:fs/promises';
import { CbrError, errnoOf } from '../../core/index.js';
import { isFixedDisk } from './fixed-disk.js';

/** The drive that discs are burned in. */
export interface Drive {
  /** As the user names it. */
  readonly device: string;
  /** Without links. */
  readonly path: string;
  /** As xorriso takes it. */
  readonly address: string;
  /** False for a block device that stands for a disc: it has no tray. */
  readonly isBurner: boolean;
  /** A disk that is built in, not one that is taken out. */
  readonly isFixed: boolean;
}

/** CD, DVD and Blu-ray drives, as the kernel names them; others xorriso is to treat as files. */
const BURNER = /^\/dev\/(sr|scd)[0-9]+$/;

/**
 * Finds a drive by its path, also through links (`/dev/cdrom`, `/dev/disk/by-id/...`). Rejects with `not-found` when nothing is there, and
 * with `usage` what is no block device: xorriso would make a file of that name and fill the disk with it; with `target` what the user may not
 * write to.
 */
export async function findDrive(device: string): Promise<Drive> {
  let path: string;
  try {
    path = await realpath(device);
  } catch (cause) {
    if (errnoOf(cause) !== 'ENOENT' && errnoOf(cause) !== 'ENOTDIR') throw cause;
    throw new CbrError('not-found', `there is no device ${device}`, {
      hint: 'Name the drive, such as /dev/sr0. See which there are: xorriso -device_links',
      cause,
    });
  }
  const found = await stat(path);
  if (!found.isBlockDevice()) {
    throw new CbrError('usage', `${device} is no drive: nothing was written`, {
      hint: 'Name the drive, such as /dev/sr0. An image needs no burning to be used.',
    });
  }
  await access(path, constants.R_OK | constants.W_OK).catch((cause: unknown) => {
    throw new CbrError('target', `this user may not write to ${device}`, {
      hint: 'Become a member of the group that may (ls -lL says which; often cdrom), or do it as root.',
      cause,
    });
  });
  const isBurner = BURNER.test(path);
  const isFixed = !isBurner && (await isFixedDisk(found.rdev));
  return { device, path, address: isBurner ? path : `stdio:${path}`, isBurner, isFixed };
}
