import { access, readFile, realpath } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** Of what the kernel tells of block devices. */
const BY_NUMBER = '/sys/dev/block';
const LOOP_MAJOR = 7;

/**
 * Whether a block device is built in, as far as the kernel tells: discs and sticks can be taken out. Loop devices stand for files, and
 * do not count. `rdev` is its number, as `stat` gives it. True when nothing can be learned of it.
 */
export async function isFixedDisk(rdev: number, told = BY_NUMBER): Promise<boolean> {
  const { major, minor } = numbersOf(rdev);
  if (major === LOOP_MAJOR) return false;
  try {
    const folder = await realpath(join(told, `${major}:${minor}`));
    const isPartition = await access(join(folder, 'partition')).then(
      () => true,
      () => false,
    );
    const removable = await readFile(join(isPartition ? dirname(folder) : folder, 'removable'), 'latin1');
    return removable.trim() !== '1';
  } catch {
    return true;
  }
}

/** As the C library of Linux puts them together. */
function numbersOf(rdev: number): { readonly major: number; readonly minor: number } {
  const bits = BigInt(rdev);
  return {
    major: Number(((bits >> 8n) & 0xfffn) | ((bits >> 32n) & 0xfffff000n)),
    minor: Number((bits & 0xffn) | ((bits >> 12n) & 0xffffff00n)),
  };
}
