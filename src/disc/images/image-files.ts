import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { BackendError, DamagedError } from '../../core/index.js';
import type { IsoFile } from '../iso/iso-volume.js';
import { readIso, readIsoFile, shortBy } from '../iso/read-iso.js';
import { openSectors, type SectorSource } from '../iso/sectors.js';
import { SECTOR_BYTES } from '../media.js';
import { type DiscFiles, isPlausible } from './disc-files.js';

/** Where all descriptors of the newest session are, on media of any sort: the first sector, and how many. */
const DESCRIPTORS = { first: 16, sectors: 40 } as const;

/** What changes when an image does or another disc is put in; sectors that cannot be read are undefined. */
export type Mark = readonly (string | undefined)[];

/** Opens an image, or the disc in a drive. Rejects as `openSectors` and `readIso` do. */
export async function openImageFiles(path: string, isDrive: boolean): Promise<DiscFiles> {
  const mark = await markOf(path, isDrive);
  const source = await openSectors(path);
  try {
    const volume = await readIso(source, { takesEarlier: true });
    const underway = new Set<Promise<unknown>>();
    return {
      place: path,
      isDrive,
      mayGo: isDrive,
      sizes: new Map(
        [...volume.files]
          .filter(([name, file]) => isPlausible(name, file.size))
          .map(([name, file]) => [name, bytesThere(file, source.size)]),
      ),
      lacking: shortBy(source, volume),
      ...(volume.earlier === undefined ? {} : { earlier: volume.earlier }),
      read: (name, offset, length) => {
        const file = volume.files.get(name);
        if (file === undefined) throw new BackendError(`${path} has no file ${name}`, false);
        const read = readIsoFile(source, file, offset, length);
        const settled = read.catch(() => undefined).finally(() => underway.delete(settled));
        underway.add(settled);
        return read;
      },
      isStill: async () => isSameMark(mark, await markOf(path, isDrive)),
      close: async () => {
        await Promise.all(underway);
        await source.close();
      },
    };
  } catch (error) {
    await source.close();
    throw error;
  }
}

/** Bytes of a file up to the first one that an image lacks. */
function bytesThere({ size, extents }: IsoFile, imageBytes: number | undefined): number {
  if (imageBytes === undefined) return size;
  let there = 0;
  for (const { offset, length } of extents) {
    const some = Math.max(0, Math.min(length, imageBytes - offset));
    there += some;
    if (some < length) break;
  }
  return Math.min(size, there);
}

/** Empty when nothing can be read. */
export async function markOf(path: string, isDrive: boolean): Promise<Mark> {
  try {
    if (isDrive) return await contentMark(path);
    const { dev, ino, size, mtimeMs } = await stat(path);
    return [[dev, ino, size, mtimeMs].join(' ')];
  } catch {
    return [];
  }
}

/** By what could be read both times: a scratched disc is still the same one. */
export function isSameMark(before: Mark, now: Mark): boolean {
  const both = before.flatMap((each, i) => (each === undefined || now[i] === undefined ? [] : [i]));
  return both.length > 0 && both.every((i) => before[i] === now[i]);
}

async function contentMark(device: string): Promise<Mark> {
  const source = await openSectors(device);
  try {
    return await descriptorMark(source);
  } finally {
    await source.close();
  }
}

/** Of the descriptors in a drive. Rejects as the source does, but for what is damaged. */
export async function descriptorMark(source: SectorSource): Promise<Mark> {
  const mark: (string | undefined)[] = [];
  for (let i = 0; i < DESCRIPTORS.sectors; i++) {
    try {
      const bytes = await source.read((DESCRIPTORS.first + i) * SECTOR_BYTES, SECTOR_BYTES);
      mark.push(createHash('sha256').update(bytes).digest('hex'));
    } catch (error) {
      if (!(error instanceof DamagedError)) throw error;
      mark.push(undefined);
    }
  }
  return mark;
}
