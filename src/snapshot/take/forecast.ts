import { setImmediate } from 'node:timers/promises';
import {
  FileError,
  joinRaw,
  listFolder,
  pathWithoutSymlinks,
  type RawPath,
  StatTable,
} from '../../fs/index.js';
import { folderKey } from './folder-encoder.js';
import type { SourceRoot } from './folder-taker.js';

/** At most so long at a time: the scan that it runs beside comes first. */
const SLICE_MS = 10;

export interface Forecast {
  readonly files: number;
  /** Bytes of content. */
  readonly bytes: number;
}

/**
 * Counts what a run over these roots will meet, so that one without a predecessor can tell the share done. It walks beside
 * the run, ahead of it because it reads no content. Undefined when `isOver` became true meanwhile. What cannot be listed
 * counts as nothing: the run itself says so.
 */
export async function forecast(
  roots: readonly SourceRoot[],
  ownFolders: ReadonlyMap<string, string>,
  isOver: () => boolean,
): Promise<Forecast | undefined> {
  const stats = new StatTable(64);
  const counted = { files: 0, bytes: 0 };
  for (const root of roots) {
    const waiting: { readonly path: RawPath; readonly relative: string }[] = [
      { path: pathWithoutSymlinks(root.path), relative: '' },
    ];
    let sliceStart = performance.now();
    for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
      const { path, relative } = folder;
      const names = namesIn(path, stats);
      for (const [row, name] of names.entries()) {
        const type = stats.type(row);
        if (type !== 'directory' && type !== 'file') continue;
        const below = relative === '' ? name : `${relative}/${name}`;
        if (root.filter?.excludes(below, type === 'directory') === true) continue;
        if (type === 'file') {
          counted.files++;
          counted.bytes += stats.size(row);
        } else if (!ownFolders.has(folderKey(stats, row)) && isOnDevice(root, stats, row)) {
          waiting.push({ path: joinRaw(path, name), relative: below });
        }
      }
      if (performance.now() - sliceStart < SLICE_MS) continue;
      await setImmediate();
      if (isOver()) return undefined;
      sliceStart = performance.now();
    }
  }
  return counted;
}

function isOnDevice({ device }: SourceRoot, stats: StatTable, row: number): boolean {
  return device === undefined || stats.device(row) === device;
}

function namesIn(path: RawPath, stats: StatTable): readonly string[] {
  try {
    return listFolder(path, stats, 'none').names;
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return [];
  }
}
