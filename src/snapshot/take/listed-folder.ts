import {
  FileError,
  type FolderListing,
  joinRaw,
  lookAtNames,
  type RawPath,
  StatTable,
  statPath,
} from '../../fs/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { EncodedEntry } from '../tree.js';
import type { Breather } from './breather.js';
import { readBefore } from './folder-before.js';
import { type EncoderParts, FolderEncoder } from './folder-encoder.js';
import { type ChangeRules, FolderListBuilder } from './folder-state.js';
import { NewestChange } from './newest-change.js';
import type { SourceState } from './source-state.js';

/** What was named in one folder that is no folder itself: that much of the folder is taken in. */
export interface ListedFolder {
  /** Under which its entries are stored. */
  readonly path: RawPath;
  /** The same where it is read, with no symlink on it. */
  readonly real: RawPath;
  readonly names: readonly ListedName[];
  readonly state: SourceState;
  readonly rules: ChangeRules;
  /** It is stored under another path: in a mounted snapshot of a file system, as for a SourceRoot. */
  readonly isSnapshot: boolean;
}

export interface ListedName {
  readonly name: string;
  /** Where it lies, if that is not in the folder under its name. */
  readonly real?: RawPath;
  /** It is a block device whose content is taken. */
  readonly isDevice?: boolean;
}

/** The key of the one directory in the state of a listed folder. */
export const LISTED_KEY = Buffer.alloc(16);

export interface TakenList {
  readonly entries: readonly EncodedEntry[];
  /** What change detection keeps of them. */
  readonly list: Buffer;
  /** Of those of a snapshot of a file system. */
  readonly newest: NewestChange | undefined;
}

/**
 * Takes in the names of one folder; the result waits for their content, and is undefined when none was there. What has gone
 * is an error of the source: it was named.
 */
export async function takeListed(
  listed: ListedFolder,
  its: EncoderParts & { readonly readTreeChunk: ReadTreeChunk },
  breather: Breather,
): Promise<{ done: Promise<TakenList | undefined> }> {
  const { path, real, state, rules } = listed;
  const pause = breather.breathe(path);
  if (pause !== undefined) await pause;
  const { listing, elsewhere } = lookAt(listed, its);
  const { stats } = listing;
  const builder = new FolderListBuilder(rules);
  const meant = new Set(listed.names.filter(({ isDevice }) => isDevice).map(({ name }) => name));
  const devices = new Set<number>();
  const newest = listed.isSnapshot ? new NewestChange() : undefined;
  const rows: number[] = [];
  const places: number[] = [];
  for (const [row, name] of listing.names.entries()) {
    const type = stats.type(row);
    if (type === undefined || type === 'directory') {
      its.tally.error(joinRaw(path, name), type ? 'became a folder since the run began' : UNKNOWN);
      continue;
    }
    const isDevice = type === 'block device' && meant.has(name);
    if (isDevice) devices.add(row);
    if (type === 'file' || isDevice) {
      its.tally.files++;
      its.tally.sourceBytes += stats.size(row);
    } else its.tally.others++;
    rows.push(row);
    places.push(builder.add(name, stats, row));
    newest?.see(stats, row);
  }
  if (rows.length === 0) return { done: Promise.resolve(undefined) };
  const list = Buffer.from(builder.list);
  const old = state.before?.get(LISTED_KEY);
  const before = old === undefined ? undefined : await readBefore(path, Buffer.from(old), its);
  const encoder = new FolderEncoder(its, state.trusted, rules);
  const shared = { path, real, listing, rows, places, list, before, elsewhere, devices };
  const folder = { ...shared, below: new Map(), isNamed: true };
  const slots = await encoder.encode(folder, () => breather.breathe(path));
  const done = slots.whenFilled((entries) => (entries.length === 0 ? undefined : { entries, list, newest }));
  done.catch(() => undefined);
  return { done };
}

const UNKNOWN = 'is of a type that cbr does not know';

/** One row for each name that is there, in the order of the names. */
function lookAt(
  { path, real, names }: ListedFolder,
  { tally }: EncoderParts,
): { readonly listing: FolderListing; readonly elsewhere: ReadonlyMap<number, RawPath> } {
  const here = names.filter((each) => each.real === undefined).map(({ name }) => name);
  const inFolder = rowsOf(real, here);
  const stats = new StatTable(names.length);
  const found: string[] = [];
  const elsewhere = new Map<number, RawPath>();
  for (const { name, real: place } of names) {
    try {
      const row = inFolder.rows.get(name);
      if (place !== undefined) {
        elsewhere.set(found.length, place);
        statPath(place, stats);
      } else if (row !== undefined) stats.addRow(inFolder.stats.rowBytes(row));
      else statPath(joinRaw(real, name), stats);
      found.push(name);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      elsewhere.delete(found.length);
      tally.error(joinRaw(path, name), `is gone since the run began: ${error.reason}`);
    }
  }
  return { listing: { names: found, stats, vanished: [], failed: [] }, elsewhere };
}

function rowsOf(folder: RawPath, names: readonly string[]): { rows: Map<string, number>; stats: StatTable } {
  const stats = new StatTable(Math.max(1, names.length));
  try {
    const listing = lookAtNames(folder, names, stats, 'none');
    return { rows: new Map(listing.names.map((name, row) => [name, row])), stats };
  } catch (error) {
    // Looking at each tells why.
    if (error instanceof FileError) return { rows: new Map(), stats };
    throw error;
  }
}
