import { SECTOR_BYTES } from '../media.js';

/** What stands on a disc, and an estimate of the room it takes. Pure. */

export interface DiscFile {
  /** Its path on the disc, without a leading slash. */
  readonly to: string;
  /** Bytes. */
  readonly size: number;
}

/** Descriptors, path tables, checksums of the session, and the padding behind the last file. */
const FIXED_SECTORS = 420;
/** An entry of a folder, with Rock Ridge: fixed fields, its name twice (31 letters of it, all of it), mode and times. */
const ENTRY_BYTES = 190;
/** And in the second tree, for Joliet: two bytes a letter. */
const JOLIET_ENTRY_BYTES = 36;
/** Entries do not cross sectors: so much of each is used at least. */
const USED_SHARE = 0.85;
/** Each file has a checksum of 16 bytes, and each folder its place in four path tables. */
const RECORD_BYTES = 64;

/** Bytes in whole sectors. */
export function inSectors(bytes: number): number {
  return Math.ceil(bytes / SECTOR_BYTES) * SECTOR_BYTES;
}

/**
 * About the bytes of an image with these files, rather too many than too few. How much it is exactly xorriso tells: this keeps it from
 * being asked again and again.
 */
export function estimateBytes(files: readonly DiscFile[]): number {
  const folders = new Map<string, { plain: number; joliet: number }>([['', { plain: 0, joliet: 0 }]]);
  const enter = (path: string): void => {
    const cut = path.lastIndexOf('/');
    const folder = cut === -1 ? '' : path.slice(0, cut);
    if (!folders.has(folder)) {
      folders.set(folder, { plain: 0, joliet: 0 });
      enter(folder);
    }
    const its = folders.get(folder)!;
    const letters = path.length - cut - 1;
    its.plain += ENTRY_BYTES + letters;
    its.joliet += JOLIET_ENTRY_BYTES + 2 * letters;
  };
  for (const { to } of files) enter(to);
  let bytes = FIXED_SECTORS * SECTOR_BYTES + (files.length + folders.size) * RECORD_BYTES;
  for (const { plain, joliet } of folders.values()) {
    bytes += inSectors((2 * ENTRY_BYTES + plain) / USED_SHARE) + inSectors(joliet / USED_SHARE);
  }
  for (const { size } of files) bytes += inSectors(size);
  return inSectors(bytes);
}
