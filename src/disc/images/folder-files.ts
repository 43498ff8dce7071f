import type { Dirent } from 'node:fs';
import { lstat, open, readdir, readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { localFailure, OBJECT_KINDS } from '../../backends/index.js';
import { DamagedError, errnoOf } from '../../core/index.js';
import { LABEL_FILE } from '../label.js';
import { type DiscFiles, isPlausible } from './disc-files.js';

/** Objects lie at most so many folders below the one of their kind. */
const MOST_LEVELS = 2;
/** Asked for at the same time. */
const STATS_AT_ONCE = 32;

/** Opens a folder that a disc was copied or mounted to. Rejects with BackendError when the system refuses. */
export async function openFolderFiles(folder: string): Promise<DiscFiles> {
  const mark = await labelIn(folder);
  const paths: string[] = mark === undefined ? [] : [LABEL_FILE];
  for (const kind of OBJECT_KINDS) await addFiles(folder, kind, MOST_LEVELS, paths);
  return {
    place: folder,
    isDrive: false,
    mayGo: await isMounted(folder),
    sizes: await sizesOf(folder, paths),
    lacking: 0,
    read: (path, offset, length) => readPart(folder, path, offset, length),
    isStill: async () => mark !== undefined && (await labelIn(folder)) === mark,
    close: () => Promise.resolve(),
  };
}

/** Whether something else may take its place. */
async function isMounted(folder: string): Promise<boolean> {
  const [link, its, above] = await Promise.all([
    lstat(folder).catch(() => undefined),
    stat(folder).catch(() => undefined),
    stat(dirname(folder)).catch(() => undefined),
  ]);
  return link?.isSymbolicLink() === true || its?.dev !== above?.dev;
}

async function labelIn(folder: string): Promise<string | undefined> {
  return readFile(join(folder, LABEL_FILE), 'latin1').catch(() => undefined);
}

async function addFiles(folder: string, path: string, levels: number, paths: string[]): Promise<void> {
  let entries: Dirent[];
  try {
    entries = await readdir(join(folder, path), { withFileTypes: true });
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === 'ENOENT' || errno === 'ENOTDIR') return;
    throw localFailure(`cannot read ${join(folder, path)}`, error);
  }
  for (const entry of entries) {
    const below = `${path}/${entry.name}`;
    if (entry.isFile()) paths.push(below);
    else if (entry.isDirectory() && levels > 1) await addFiles(folder, below, levels - 1, paths);
  }
}

async function sizesOf(folder: string, paths: readonly string[]): Promise<ReadonlyMap<string, number>> {
  const sizes = new Map<string, number>();
  for (let at = 0; at < paths.length; at += STATS_AT_ONCE) {
    const some = paths.slice(at, at + STATS_AT_ONCE);
    const found = await Promise.all(some.map((path) => stat(join(folder, path)).catch(() => undefined)));
    some.forEach((path, i) => {
      const size = found[i]?.size;
      if (size !== undefined && isPlausible(path, size)) sizes.set(path, size);
    });
  }
  return sizes;
}

/** No file stays open, so that a mounted disc can be taken out. */
async function readPart(folder: string, path: string, offset: number, length: number): Promise<Uint8Array> {
  const place = join(folder, path);
  try {
    const file = await open(place);
    try {
      const bytes = Buffer.allocUnsafe(length);
      let done = 0;
      while (done < length) {
        const { bytesRead } = await file.read(bytes, done, length - done, offset + done);
        if (bytesRead === 0) throw new DamagedError(path, `ends at byte ${offset + done} in ${folder}`);
        done += bytesRead;
      }
      return bytes;
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === 'EIO')
      throw new DamagedError(path, `cannot be read in ${folder}`, { cause: error });
    throw localFailure(`cannot read ${place}`, error);
  }
}
