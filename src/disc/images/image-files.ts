import { createHash } from 'node:crypto';
import { stat } from 'node:fs/promises';
import { BackendError } from '../../core/index.js';
import type { IsoFile } from '../iso/iso-volume.js';
import { readIso, readIsoFile, shortBy } from '../iso/read-iso.js';
import { openSectors } from '../iso/sectors.js';
import { SECTOR_BYTES } from '../media.js';
import type { DiscFiles } from './disc-files.js';

/** Where all descriptors of the newest session are, on media of any sort. */
const DESCRIPTORS = { offset: 16 * SECTOR_BYTES, length: 40 * SECTOR_BYTES } as const;

/** Opens an image, or the disc in a drive. Rejects as `openSectors` and `readIso` do. */
export async function openImageFiles(path: string, isDrive: boolean): Promise<DiscFiles> {
  const mark = await markOf(path, isDrive);
  const source = await openSectors(path);
  try {
    const volume = await readIso(source);
    const underway = new Set<Promise<unknown>>();
    return {
      place: path,
      isDrive,
      sizes: new Map([...volume.files].map(([name, file]) => [name, bytesThere(file, source.size)])),
      lacking: shortBy(source, volume),
      read: (name, offset, length) => {
        const file = volume.files.get(name);
        if (file === undefined) throw new BackendError(`${path} has no file ${name}`, false);
        const read = readIsoFile(source, file, offset, length);
        const settled = read.catch(() => undefined).finally(() => underway.delete(settled));
        underway.add(settled);
        return read;
      },
      isStill: async () => mark !== undefined && (await markOf(path, isDrive)) === mark,
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

/** What changes when an image does or another disc is put in; undefined when nothing can be read. */
export async function markOf(path: string, isDrive: boolean): Promise<string | undefined> {
  try {
    if (isDrive) return await contentMark(path);
    const { dev, ino, size, mtimeMs } = await stat(path);
    return [dev, ino, size, mtimeMs].join(' ');
  } catch {
    return undefined;
  }
}

async function contentMark(device: string): Promise<string> {
  const source = await openSectors(device);
  try {
    const bytes = await source.read(DESCRIPTORS.offset, DESCRIPTORS.length);
    return createHash('sha256').update(bytes).digest('hex');
  } finally {
    await source.close();
  }
}
