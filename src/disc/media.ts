import { parseByteCount } from '../core/index.js';

/** Facts about optical media: sectors as the standards have them, not as the packages say. */

export const SECTOR_BYTES = 2048;

/** Sectors that a session costs on a CD beside its content: lead-in and lead-out, more for the first one. */
export interface SessionCost {
  readonly first: number;
  readonly further: number;
}

/** What discs of one kind hold. */
export interface Medium {
  readonly name: string;
  readonly sectors: number;
  /** Absent where a session costs nothing to speak of. */
  readonly sessionCost?: SessionCost;
}

const CD_SESSIONS: SessionCost = { first: 11_400, further: 6_900 };

/** Sources: ECMA-130, ECMA-349 and its kin, the Blu-ray white papers; what discs that were bought say of themselves. */
export const MEDIA: readonly Medium[] = [
  { name: 'cd-74', sectors: 332_800, sessionCost: CD_SESSIONS },
  { name: 'cd-80', sectors: 358_400, sessionCost: CD_SESSIONS },
  { name: 'dvd+r', sectors: 2_295_104 },
  { name: 'dvd+rw', sectors: 2_295_104 },
  { name: 'dvd-r', sectors: 2_298_496 },
  { name: 'dvd-rw', sectors: 2_298_496 },
  { name: 'dvd+r-dl', sectors: 4_173_824 },
  { name: 'bd-r', sectors: 12_219_392 },
  { name: 'bd-re', sectors: 12_219_392 },
  { name: 'bd-r-dl', sectors: 24_438_784 },
];

/** A medium by its name, in any case, or any size in bytes (`200MiB`), rounded down to sectors; undefined for what is neither. */
export function parseMedium(text: string): Medium | undefined {
  const named = MEDIA.find(({ name }) => name === text.toLowerCase());
  if (named !== undefined) return named;
  const bytes = parseByteCount(text);
  const sectors = Math.floor((bytes ?? 0) / SECTOR_BYTES);
  return sectors > 0 ? { name: text, sectors } : undefined;
}

/** Sectors that DVDs and what came after write at once: a session there begins where such a block does. */
const BLOCK_SECTORS = 16;

/** The sector at which a block begins: programs that write DVDs tell in blocks where the next session goes (`seek=N`). */
export function sectorOfBlock(block: number): number {
  return block * BLOCK_SECTORS;
}

/** The first sector from this one on at which a session on a DVD, or what came after, can begin. */
export function nextSessionSector(end: number): number {
  return sectorOfBlock(Math.ceil(end / BLOCK_SECTORS));
}

/** What is on a disc already. */
export interface Written {
  /** The sector at which another session could begin. */
  readonly next: number;
}

/**
 * Bytes of content that fit into one more session, less a share in percent that is kept free: the outer edge is where discs fail
 * first. Never negative.
 */
export function freeBytes({ sectors, sessionCost }: Medium, written?: Written, cushion = 0): number {
  const cost = written === undefined ? sessionCost?.first : sessionCost?.further;
  const kept = (sectors * SECTOR_BYTES * cushion) / 100;
  const free = (sectors - (cost ?? 0) - (written?.next ?? 0)) * SECTOR_BYTES;
  return Math.max(0, Math.floor(free - kept));
}
