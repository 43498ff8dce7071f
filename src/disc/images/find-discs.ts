import type { Stats } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { localFailure } from '../../backends/index.js';
import { CbrError, errnoOf } from '../../core/index.js';
import { LABEL_FILE } from '../label.js';

/** Something that may be a disc. */
export interface Candidate {
  readonly kind: 'folder' | 'image' | 'drive';
  readonly path: string;
}

const HINT =
  'Name a folder of images (*.iso) or of copied discs, the folder of one disc, one image, or a drive such as /dev/sr0.';

/**
 * What may be discs at a place: the drive, the image or the disc that it is itself, else the images and the discs in subfolders of
 * the folder, by name. Rejects with `no-repository` when nothing is there, with `not-a-repository` what is something else.
 */
export async function candidatesAt(place: string): Promise<readonly Candidate[]> {
  const found = await statOf(place);
  if (found === undefined) {
    throw new CbrError('no-repository', `there are no discs at ${place}: it does not exist`, { hint: HINT });
  }
  if (found.isBlockDevice()) return [{ kind: 'drive', path: place }];
  if (found.isFile()) return [{ kind: 'image', path: place }];
  if (!found.isDirectory()) throw new CbrError('not-a-repository', `${place} holds no discs`, { hint: HINT });
  if (await isDiscFolder(place)) return [{ kind: 'folder', path: place }];
  return within(place);
}

/** In a folder that is no disc itself. */
async function within(folder: string): Promise<readonly Candidate[]> {
  const found: Candidate[] = [];
  for (const name of await namesIn(folder)) {
    const path = join(folder, name);
    if (/\.iso$/i.test(name)) {
      const kind = await statOf(path);
      if (kind?.isFile()) found.push({ kind: 'image', path });
      else if (kind?.isBlockDevice()) found.push({ kind: 'drive', path });
    } else if (await isDiscFolder(path)) {
      found.push({ kind: 'folder', path });
    }
  }
  return found;
}

async function isDiscFolder(path: string): Promise<boolean> {
  return (await statOf(join(path, LABEL_FILE)))?.isFile() ?? false;
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).sort();
  } catch (error) {
    throw localFailure(`cannot read ${folder}`, error);
  }
}

async function statOf(path: string): Promise<Stats | undefined> {
  try {
    return await stat(path);
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR' || errno === 'ELOOP') return undefined;
    throw localFailure(`cannot look at ${path}`, error);
  }
}

export function noDiscsAt(place: string): CbrError {
  return new CbrError(
    'no-repository',
    `there are no discs in ${place}: no images (*.iso) and no folders with ${LABEL_FILE}`,
    {
      hint: HINT,
    },
  );
}
