import { CbrError, DamagedError } from '../../core/index.js';
import { SECTOR_BYTES } from '../media.js';
import type { Descriptors } from './descriptors.js';
import type { IsoFile, IsoNaming, IsoVolume } from './iso-volume.js';
import { readTree, rockRidgeSkip } from './read-tree.js';
import { readExactly, type SectorSource, subjectOf } from './sectors.js';
import { findSessions, sessionsBefore } from './sessions.js';

export interface ReadIsoOptions {
  /** Which session, counted from 1; the newest without it. */
  readonly session?: number;
  /** Where the folders of the newest session cannot be read, those of the one before it are shown. */
  readonly takesEarlier?: boolean;
}

/** More are not tried. */
const MOST_EARLIER = 16;

/**
 * What a session of a disc shows: names of Rock Ridge, else of Joliet, else plain ones in lower case. Rejects with FormatError what is no
 * ISO 9660 file system, with DamagedError what is damaged or cut short before its last folder, with CbrError `limit` what is larger
 * than any disc, with `usage` a session that is not there, and as the source does. That the image has as many bytes as the volume
 * is not looked at: `readIsoFile` rejects for files that it lacks, see `shortBy`.
 */
export async function readIso(source: SectorSource, options: ReadIsoOptions = {}): Promise<IsoVolume> {
  const sessions = await findSessions(source);
  const chosen = sessions[(options.session ?? sessions.length) - 1];
  if (chosen === undefined) {
    throw new CbrError(
      'usage',
      `${subjectOf(source)} has no session ${options.session}: it has ${sessions.length}`,
      {
        hint: 'Sessions are counted from 1.',
      },
    );
  }
  const volume = {
    volumeId: chosen.volumeId,
    sessions: sessions.map((session) => ({ sector: session.sector, volumeId: session.volumeId })),
    bytes: (chosen.sector + chosen.sectors) * SECTOR_BYTES,
  };
  try {
    return { ...volume, ...(await readNames(source, chosen)) };
  } catch (earlier) {
    if (options.takesEarlier !== true || !(earlier instanceof DamagedError)) throw earlier;
    const names = await earlierNames(source, await sessionsBefore(source, sessions));
    if (names === undefined) throw earlier;
    return { ...volume, ...names, earlier };
  }
}

/** Of the first of these sessions that can be read; undefined when none can. */
async function earlierNames(
  source: SectorSource,
  sessions: readonly Descriptors[],
): Promise<Names | undefined> {
  const there = sessions.filter(
    ({ root }) => source.size === undefined || root.sector * SECTOR_BYTES < source.size,
  );
  for (const session of there.slice(0, MOST_EARLIER)) {
    try {
      return await readNames(source, session);
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
    }
  }
  return undefined;
}

type Names = Pick<IsoVolume, 'naming' | 'files' | 'damage'>;

/** The tree of Rock Ridge or, where that is damaged, the one of Joliet, which lies elsewhere. */
async function readNames(source: SectorSource, { root, joliet }: Descriptors): Promise<Names> {
  let damage: DamagedError;
  try {
    const naming = await bestNaming(source, root, joliet !== undefined);
    return { naming, files: await readTree(source, naming === 'joliet' ? joliet! : root, naming) };
  } catch (error) {
    if (!(error instanceof DamagedError) || joliet === undefined) throw error;
    damage = error;
  }
  try {
    return { naming: 'joliet', files: await readTree(source, joliet, 'joliet'), damage };
  } catch {
    throw damage;
  }
}

async function bestNaming(
  source: SectorSource,
  root: Descriptors['root'],
  hasJoliet: boolean,
): Promise<IsoNaming> {
  if ((await rockRidgeSkip(source, root)) !== undefined) return 'rock-ridge';
  return hasJoliet ? 'joliet' : 'plain';
}

/** How many bytes of its volume an image lacks: 0 when it is whole or its size is not known. */
export function shortBy(source: SectorSource, volume: IsoVolume): number {
  return source.size === undefined ? 0 : Math.max(0, volume.bytes - source.size);
}

/**
 * Exactly these bytes of a file; they belong to the caller. Rejects with DamagedError when the file or the image ends before them or
 * the medium cannot read them, and as the source does.
 */
export async function readIsoFile(
  source: SectorSource,
  file: IsoFile,
  offset: number,
  length: number,
): Promise<Uint8Array> {
  if (offset + length > file.size) {
    throw new DamagedError(file.path, `it has ${file.size} bytes, and ${offset + length} are needed`);
  }
  const parts: Uint8Array[] = [];
  let start = 0;
  for (const extent of file.extents) {
    const from = Math.max(offset, start);
    const to = Math.min(offset + length, start + extent.length);
    if (from < to) parts.push(await readExactly(source, extent.offset + from - start, to - from, file.path));
    start += extent.length;
  }
  return parts.length === 1 ? parts[0]! : Buffer.concat(parts);
}
