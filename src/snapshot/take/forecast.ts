import { setImmediate } from 'node:timers/promises';
import {
  FileError,
  type FolderListing,
  joinRaw,
  listFolder,
  type RawPath,
  StatTable,
} from '../../fs/index.js';
import type { SourceRoot } from './folder-taker.js';
import type { Told } from './ignore-files.js';
import { folderKey } from './linked-files.js';
import { type FolderRules, namesBelow, SourceFilter } from './source-filter.js';

/** The run itself says what is wrong with rules. */
const NOBODY: Told = { error: () => undefined, note: () => undefined };

interface Waiting {
  readonly path: RawPath;
  readonly relative: string;
  /** Of the folder above it. */
  readonly above: FolderRules | undefined;
}

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
 * counts as nothing: the run itself says so; nor does what only symlinks lead to. `known` is counted already.
 */
export async function forecast(
  roots: readonly SourceRoot[],
  known: Forecast,
  ownFolders: ReadonlyMap<string, string>,
  isOver: () => boolean,
): Promise<Forecast | undefined> {
  const stats = new StatTable(64);
  const counted = { ...known };
  for (const root of roots) {
    const filter = root.filter && new SourceFilter(root.filter, NOBODY, namesBelow(root));
    const waiting: Waiting[] = [{ path: root.real, relative: '', above: undefined }];
    let sliceStart = performance.now();
    for (let folder = waiting.pop(); folder !== undefined; folder = waiting.pop()) {
      const { path, relative, above } = folder;
      const listing = listingOf(path, stats);
      const rules = filter?.enter({ path, real: path, relative }, listing, above);
      for (const [row, name] of listing.names.entries()) {
        const type = stats.type(row);
        if (type !== 'directory' && type !== 'file') continue;
        if (rules !== undefined && filter?.excluded(rules, listing, row) !== undefined) continue;
        if (type === 'file') {
          counted.files++;
          counted.bytes += stats.size(row);
        } else if (!ownFolders.has(folderKey(stats, row)) && isOnDevice(root, stats, row)) {
          const below = relative === '' ? name : `${relative}/${name}`;
          waiting.push({ path: joinRaw(path, name), relative: below, above: rules });
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

/** Empty for what cannot be listed. */
function listingOf(path: RawPath, stats: StatTable): FolderListing {
  try {
    return listFolder(path, stats, 'none');
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return { names: [], stats, vanished: [], failed: [] };
  }
}
