import { asBuffer, DamagedError, FormatError } from '../../core/index.js';
import { SECTOR_BYTES } from '../media.js';
import { type Descriptors, isPrimary, readDescriptors, SYSTEM_SECTORS } from './descriptors.js';
import { type SectorSource, subjectOf } from './sectors.js';

/**
 * Finding the sessions of a disc without asking a drive for its table of contents.
 *
 * On media that can be overwritten, and in files, xorriso keeps the newest session's descriptors at sector 16 and lets the first
 * session begin at sector 32; each further one begins at the next multiple of 32 behind the volume before it (libisoburn, "emulated
 * table of contents"). What follows a volume without being reached from sector 16 was left by a run that did not end.
 *
 * On media that are written once each session has its own descriptors, those at sector 16 are the oldest, and the drive leaves a gap
 * of its own between sessions.
 */

/** Where the first session begins when the descriptors at sector 16 are copies. */
const FIRST_EMULATED = 32;
/** Sessions begin at multiples of this. */
const ALIGNMENT = 32;
/** A session is no smaller than its descriptors. */
const SMALLEST_SESSION = SYSTEM_SECTORS + 2;
/** How far behind a session the next one is looked for. */
const GAP_SECTORS = 1024;
/** More than any drive writes. */
const MOST_SESSIONS = 4096;

/**
 * The sessions of a source, the oldest first: at least one. Rejects with FormatError where no ISO 9660 file system is, and as the source
 * does where both copies of the descriptors cannot be read.
 */
export async function findSessions(source: SectorSource): Promise<readonly Descriptors[]> {
  const { found: newest, damage } = await tryDescriptors(source, 0);
  const emulated = await emulatedSessions(source, newest);
  if (emulated.length > 0) return emulated;
  if (newest === undefined) {
    if (damage !== undefined) throw damage;
    throw new FormatError(`${subjectOf(source)} holds no ISO 9660 file system`, {
      hint: 'It is blank, of another sort, or damaged at its beginning.',
    });
  }
  return appendedSessions(source, newest);
}

/**
 * The sessions before the newest one, newest first, where that cannot be read: as they were found or, where an image ends before the session
 * that sector 16 shows, as far as the chain goes.
 */
export async function sessionsBefore(
  source: SectorSource,
  found: readonly Descriptors[],
): Promise<readonly Descriptors[]> {
  const before = found.length > 1 ? found.slice(0, -1) : await emulatedSessions(source);
  const newest = found.at(-1)?.root.sector ?? 0;
  // What the chain reaches behind it was left there by a run that did not end, or by another use of the disc.
  return before.filter(({ root }) => root.sector < newest).reverse();
}

/** What cannot be read is no descriptor, and may be found elsewhere. */
async function tryDescriptors(
  source: SectorSource,
  sector: number,
): Promise<{ readonly found: Descriptors | undefined; readonly damage?: DamagedError }> {
  try {
    return { found: await readDescriptors(source, sector) };
  } catch (damage) {
    if (!(damage instanceof DamagedError)) throw damage;
    return { found: undefined, damage };
  }
}

/** The chain from sector 32 to the session that sector 16 shows; nothing when there is no such chain. */
async function emulatedSessions(source: SectorSource, newest?: Descriptors): Promise<readonly Descriptors[]> {
  const found: Descriptors[] = [];
  for (let sector = FIRST_EMULATED; found.length < MOST_SESSIONS; ) {
    const { found: session } = await tryDescriptors(source, sector);
    if (session === undefined || !isPlausible(session)) break;
    found.push(session);
    if (newest !== undefined && session.root.sector === newest.root.sector) {
      // The copy counts from the beginning of the medium.
      return [...found.slice(0, -1), { ...newest, sector, sectors: Math.max(0, newest.sectors - sector) }];
    }
    sector = Math.ceil((sector + session.sectors) / ALIGNMENT) * ALIGNMENT;
  }
  return newest === undefined ? found : [];
}

function isPlausible({ sector, sectors, root }: Descriptors): boolean {
  return sectors >= SMALLEST_SESSION && root.sector >= sector && root.sector < sector + sectors;
}

/** The session at the beginning and those that were appended to it. */
async function appendedSessions(source: SectorSource, first: Descriptors): Promise<readonly Descriptors[]> {
  const found = [first];
  for (let last = first; found.length < MOST_SESSIONS; ) {
    const next = await nextSession(source, last);
    if (next === undefined) break;
    found.push(next);
    last = next;
  }
  return found;
}

/** What is older than the session before it was left by an earlier use of the medium. */
async function nextSession(source: SectorSource, last: Descriptors): Promise<Descriptors | undefined> {
  const from = last.sector + Math.max(last.sectors, SMALLEST_SESSION) + SYSTEM_SECTORS;
  if (source.size !== undefined && from * SECTOR_BYTES >= source.size) return undefined;
  const bytes = asBuffer(await readBehind(source, from));
  for (let at = 0; at + SECTOR_BYTES <= bytes.length; at += SECTOR_BYTES) {
    if (!isPrimary(bytes.subarray(at, at + SECTOR_BYTES))) continue;
    const { found: next } = await tryDescriptors(source, from + at / SECTOR_BYTES - SYSTEM_SECTORS);
    if (next !== undefined && isPlausible(next) && (next.written ?? 0) >= (last.written ?? 0)) return next;
  }
  return undefined;
}

/** The gap behind a session is not always readable, and then there is nothing to find in it. */
async function readBehind(source: SectorSource, sector: number): Promise<Uint8Array> {
  try {
    return await source.read(sector * SECTOR_BYTES, GAP_SECTORS * SECTOR_BYTES);
  } catch {
    return new Uint8Array();
  }
}
