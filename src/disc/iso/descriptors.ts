import { asBuffer, DamagedError, FormatError } from '../../core/index.js';
import { SECTOR_BYTES } from '../media.js';
import { type SectorSource, subjectOf } from './sectors.js';

/** Volume descriptors: ECMA-119, clause 8; Joliet: the specification of 1995. */

/** An extent on the disc, in sectors and bytes. */
export interface FolderExtent {
  readonly sector: number;
  readonly bytes: number;
}

export interface Descriptors {
  /** The session they belong to begins 16 sectors before them. */
  readonly sector: number;
  readonly volumeId: string;
  /** Length of the volume in sectors, from where its session begins. */
  readonly sectors: number;
  readonly root: FolderExtent;
  readonly joliet?: FolderExtent;
  /** Hundredths of a second since 1970; undefined when there is none. */
  readonly written: number | undefined;
}

/** Descriptors begin so many sectors behind their session. */
export const SYSTEM_SECTORS = 16;
/** How many descriptors are looked at: discs have three or four. */
const MOST_DESCRIPTORS = 16;

const PRIMARY = 1;
const SUPPLEMENTARY = 2;
const TERMINATOR = 255;
/** What names a Joliet tree: levels 1 to 3 of UCS-2. */
const JOLIET = ['%/@', '%/C', '%/E'];

/**
 * The descriptors of the session that begins at `sector`; undefined when there are none. Rejects as the source does when the first one
 * cannot be read: without the others there is no Joliet.
 */
export async function readDescriptors(
  source: SectorSource,
  sector: number,
): Promise<Descriptors | undefined> {
  const first = sector + SYSTEM_SECTORS;
  const primary = await sectorAt(source, first);
  if (!isDescriptor(primary, PRIMARY)) return undefined;
  const blockBytes = primary.readUInt16LE(128);
  if (blockBytes !== SECTOR_BYTES) {
    throw new FormatError(
      `${subjectOf(source)}: its blocks have ${blockBytes} bytes, and cbr reads those of ${SECTOR_BYTES}`,
    );
  }
  const joliet = await jolietRoot(source, first + 1);
  return {
    sector,
    volumeId: primary.toString('latin1', 40, 72).replace(/[ \0]+$/, ''),
    sectors: primary.readUInt32LE(80),
    root: rootOf(primary),
    ...(joliet === undefined ? {} : { joliet }),
    // Of its making and of its last change.
    written: latest(timeAt(primary, 813), timeAt(primary, 830)),
  };
}

/** Whether a sector is a descriptor of this type. */
function isDescriptor(sector: Buffer, type: number): boolean {
  return sector.length === SECTOR_BYTES && sector[0] === type && sector.toString('latin1', 1, 6) === 'CD001';
}

/** Whether these bytes are a primary descriptor. */
export function isPrimary(sector: Buffer): boolean {
  return isDescriptor(sector, PRIMARY);
}

/** Sector by sector: what lies behind the descriptors need not be readable. */
async function jolietRoot(source: SectorSource, first: number): Promise<FolderExtent | undefined> {
  for (let at = first; at < first + MOST_DESCRIPTORS; at++) {
    const sector = await sectorAt(source, at).catch((error: unknown) => {
      if (error instanceof DamagedError) return undefined;
      throw error;
    });
    if (sector === undefined) continue;
    if (sector.length < SECTOR_BYTES || isDescriptor(sector, TERMINATOR)) return undefined;
    if (isDescriptor(sector, SUPPLEMENTARY) && JOLIET.includes(sector.toString('latin1', 88, 91)))
      return rootOf(sector);
  }
  return undefined;
}

async function sectorAt(source: SectorSource, sector: number): Promise<Buffer> {
  return asBuffer(await source.read(sector * SECTOR_BYTES, SECTOR_BYTES));
}

/** The record of the root folder within a descriptor. */
function rootOf(descriptor: Buffer): FolderExtent {
  return { sector: descriptor.readUInt32LE(156 + 2), bytes: descriptor.readUInt32LE(156 + 10) };
}

/** A time as a descriptor has it (clause 8.4.26.1): sixteen digits, and quarters of an hour east of UTC. */
function timeAt(bytes: Buffer, at: number): number | undefined {
  const parts = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(bytes.toString('latin1', at, at + 16));
  if (parts === null) return undefined;
  const [year, month, day, hour, minute, second, hundredths] = parts.slice(1).map(Number) as [
    number,
    number,
    number,
    number,
    number,
    number,
    number,
  ];
  if (year === 0) return undefined;
  const zone = bytes.readInt8(at + 16) * 15 * 60;
  return Date.UTC(year, month - 1, day, hour, minute, second) / 10 + hundredths - zone * 100;
}

function latest(a: number | undefined, b: number | undefined): number | undefined {
  return a === undefined || b === undefined ? (a ?? b) : Math.max(a, b);
}
