import { mkdir, mkdtemp, open, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { SECTOR_BYTES } from '../media.js';
import { type ImageOptions, imageSectors, type MappedFile } from '../xorriso/image-writer.js';
import type { DiscFile } from './disc-file.js';

/** Tells the exact sizes of images of files that are not there yet, by sparse files of the same sizes. */
export interface Measuring {
  /** Bytes of an image with these files. */
  readonly measure: (files: readonly DiscFile[]) => Promise<number>;
  /** Removes the sparse files. */
  readonly close: () => Promise<void>;
}

/** `folder` is made if it is not there; nothing is left in it after `close`. */
export async function measuring(folder: string, signal: AbortSignal): Promise<Measuring> {
  await mkdir(folder, { recursive: true });
  const work = await mkdtemp(join(folder, 'sizes-'));
  const made = new Map<string, string>();
  let number = 0;
  const standIn = async (key: string, size: number): Promise<string> => {
    const there = made.get(key);
    if (there !== undefined) return there;
    // One of its own for each: what is one file on the disk is one on the image.
    const path = join(work, String(number++));
    const file = await open(path, 'wx');
    try {
      await file.truncate(size);
    } finally {
      await file.close();
    }
    made.set(key, path);
    return path;
  };
  const options: ImageOptions = { volumeId: 'CBR', time: 0, workFolder: work, signal };
  return {
    async measure(files) {
      const mapped: MappedFile[] = [];
      for (const { to, size } of files) mapped.push({ from: await standIn(`${size} ${to}`, size), to });
      return SECTOR_BYTES * (await imageSectors(mapped, join(work, 'image'), options));
    },
    close: () => rm(work, { recursive: true, force: true }),
  };
}
