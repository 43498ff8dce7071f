import { MIB } from '../../core/index.js';
import type { SectorSource } from '../iso/sectors.js';
import { SECTOR_BYTES } from '../media.js';

/** Tells a disc that holds nothing from one that holds something other programs know how to read. */

/** Sectors that an ISO 9660 file system leaves to others: boot sectors, partition tables, and most other file systems begin here. */
const SYSTEM_AREA = 16 * SECTOR_BYTES;
/** All that xorriso erases of an optical disc. */
const START_IN_BURNER = 32 * SECTOR_BYTES;
/** First partitions begin at 1 MiB: what has lost its partition table shows there. */
const START = 2 * MIB;
/** Copies of partition tables, and what RAIDs write of themselves. */
const END = MIB;
/** More descriptors than any program writes. */
const MOST_DESCRIPTORS = 16;
const LAST_DESCRIPTOR = 255;
/** The copy of a GPT begins with it, in the last sector, of 512 or 4096 bytes. */
const GPT_MARK = 'EFI PART';
const GPT_SECTORS = [512, 4096] as const;

/** Whether everything that was looked at is zero, or what xorriso leaves of an ISO 9660 file system that it has blanked. */
export async function isBlank(source: SectorSource, isBurner: boolean): Promise<boolean> {
  const start = Buffer.from(await source.read(0, isBurner ? START_IN_BURNER : START));
  // Boot sectors of an image that was burned before mean nothing on a disc.
  if (isBurner) return wasBlanked(start) || (isZero(start) && !(await beginsBehind(source)));
  if (!isZero(start.subarray(0, SYSTEM_AREA))) return false;
  // What an image had behind its descriptors is still there.
  if (wasBlanked(start)) return !(await hasTableAtEnd(source));
  return isZero(start) && isZero(await endOf(source));
}

/** Whether a partition table or a boot sector lies beside the file system of a disc: more than an image may be on it. */
export async function isShared(source: SectorSource): Promise<boolean> {
  return !isZero(await source.read(0, SYSTEM_AREA)) || (await hasTableAtEnd(source));
}

/** File systems that leave all free that xorriso erases: btrfs, ReiserFS, UFS2 in both orders of bytes. */
const MARKS_BEHIND: readonly (readonly [offset: number, mark: string])[] = [
  [64, '_BHRfS_M'],
  [52, 'ReIsEr'],
  [1372, '\x19\x01\x54\x19'],
  [1372, '\x19\x54\x01\x19'],
];

/** Whether one of them is there: what is left of an image that was erased is not known by more than its beginning. */
async function beginsBehind(source: SectorSource): Promise<boolean> {
  const behind = Buffer.from(await source.read(START_IN_BURNER, SECTOR_BYTES));
  return MARKS_BEHIND.some(([at, mark]) => behind.toString('latin1', at, at + mark.length) === mark);
}

/** Of the marks of the descriptors xorriso spoils each, or the first one. */
function wasBlanked(start: Buffer): boolean {
  for (let i = 0; i < MOST_DESCRIPTORS; i++) {
    const at = SYSTEM_AREA + i * SECTOR_BYTES;
    const mark = start.toString('latin1', at + 1, at + 6);
    if (mark !== 'CDXX1' && (i === 0 || mark !== 'CD001')) return false;
    if (start[at] === LAST_DESCRIPTOR) return true;
  }
  return false;
}

async function hasTableAtEnd(source: SectorSource): Promise<boolean> {
  const end = Buffer.from(await endOf(source));
  return GPT_SECTORS.some((bytes) => end.toString('latin1', end.length - bytes).startsWith(GPT_MARK));
}

async function endOf(source: SectorSource): Promise<Uint8Array> {
  const size = source.size ?? 0;
  const from = Math.max(0, size - END);
  return source.read(from, size - from);
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0);
}
