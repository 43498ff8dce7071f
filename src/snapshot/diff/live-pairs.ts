import { setImmediate as breathe } from 'node:timers/promises';
import {
  FileError,
  joinRaw,
  listFolder,
  type Owners,
  type Problem,
  type RawPath,
  StatTable,
  statPath,
} from '../../fs/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { ChunkReference, Entry } from '../entry.js';
import { inFolder, joinShown } from '../find-path.js';
import { folderKey } from '../take/linked-files.js';
import type { OwnFolders } from '../take/own-folders.js';
import { decodeEntry, type EncodedEntry, treePages } from '../tree.js';
import type { DiskContent } from './disk-content.js';
import { diskEntry } from './disk-entry.js';
import type { EntryChoice } from './entry-choice.js';
import type { ComparedPair } from './gather-changes.js';

/** A pair with the place on the disk. */
export interface LivePair extends ComparedPair {
  readonly disk?: RawPath;
}

/** Where a comparison begins. */
export interface LiveStart {
  /** Relative to the root of the comparison. */
  readonly path: string;
  readonly entry: Entry | undefined;
  readonly tree: ChunkReference | undefined;
  /** Without symlinks above its last name. */
  readonly disk: RawPath;
}

export interface LiveContext {
  readonly read: ReadTreeChunk;
  readonly content: DiskContent;
  readonly choice: EntryChoice;
  readonly owners: Owners;
  /** Read the content of every file, and not only of those whose time differs. */
  readonly compareContent: boolean;
  readonly oneFileSystem: boolean;
  /** By `folderKey`: the repository and the caches, which no snapshot holds. */
  readonly ownFolders: OwnFolders;
  /** Something of the disk could not be read. */
  readonly unreadable: (error: FileError) => void;
  readonly metadata: (problems: readonly Problem[]) => void;
  readonly signal: AbortSignal;
}

/** A folder of either side, or both; its names merged. */
interface OpenFolder {
  readonly path: string;
  readonly disk: RawPath | undefined;
  readonly stats: StatTable;
  readonly rows: ReadonlyMap<string, number>;
  readonly entries: ReadonlyMap<string, EncodedEntry>;
  readonly names: readonly string[];
  /** Names that are on the disk and cannot be looked at. */
  readonly closed: ReadonlySet<string>;
  next: number;
}

/** Entries that are looked at before others get a turn. */
const TURN_ENTRIES = 512;

/**
 * What is on both sides, or on one: a folder of a snapshot and one on the disk, depth first, each folder before what is in
 * it. What cannot be read on the disk is told and passed over. Rejects with DamagedError when a tree cannot be read.
 */
export async function* livePairs(start: LiveStart, its: LiveContext): AsyncGenerator<readonly LivePair[]> {
  const stats = new StatTable(1);
  const row = statOf(start.disk, stats, its);
  if (row === undefined) return;
  const device = row === 'gone' || !its.oneFileSystem ? undefined : stats.device(row);
  const name = start.entry?.name ?? '';
  const first = await pairOf(start.path, start.disk, name, start.entry, stats, row, its);
  if (first === undefined || its.choice.of(start.path, (first.after ?? first.before)!) === 'left out') return;
  if (start.entry !== undefined) yield [first];
  const open = [await openFolder(start.path, diskFolder(first), start.tree, its)];
  let batch: LivePair[] = [];
  for (let folder = open.at(-1); folder !== undefined; folder = open.at(-1)) {
    const name = folder.names[folder.next++];
    if (name === undefined) {
      open.pop();
      continue;
    }
    const pair = await pairIn(folder, name, its);
    if (pair === undefined) continue;
    const choice = its.choice.of(pair.path, (pair.after ?? pair.before)!);
    if (choice === 'left out') continue;
    if (choice === 'chosen') batch.push(pair);
    if (batch.length === TURN_ENTRIES) {
      yield batch;
      batch = [];
      await breathe();
      its.signal.throwIfAborted();
    }
    // What is in the other file system is neither told to be there nor to be gone.
    if (device !== undefined && isElsewhere(folder, name, device)) continue;
    const disk = diskFolder(pair);
    if (disk !== undefined || pair.before?.tree !== undefined) {
      open.push(await openFolder(pair.path, disk, pair.before?.tree, its));
    }
  }
  yield batch;
}

function diskFolder({ after, disk }: LivePair): RawPath | undefined {
  return after?.type === 'directory' ? disk : undefined;
}

function isElsewhere({ rows, stats }: OpenFolder, name: string, device: number): boolean {
  const row = rows.get(name);
  return row !== undefined && stats.device(row) !== device;
}

/** Undefined, and told: nobody knows whether it is there. */
function statOf(path: RawPath, stats: StatTable, its: LiveContext): number | 'gone' | undefined {
  try {
    return statPath(path, stats);
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    if (error.errno === 'ENOENT' || error.errno === 'ENOTDIR') return 'gone';
    its.unreadable(error);
    return undefined;
  }
}

async function pairIn(folder: OpenFolder, name: string, its: LiveContext): Promise<LivePair | undefined> {
  const { path, disk, rows, stats, entries, closed } = folder;
  if (closed.has(name)) return undefined;
  const row = rows.get(name) ?? 'gone';
  if (row !== 'gone' && its.ownFolders.has(folderKey(stats, row))) return undefined;
  const encoded = entries.get(name);
  const entry = encoded === undefined ? undefined : await inFolder(`/${path}`, () => decodeEntry(encoded));
  const shown = path === '' ? joinShown('/', name).slice(1) : joinShown(path, name);
  const place = disk === undefined ? undefined : joinRaw(disk, name);
  return pairOf(shown, place, name, entry, stats, row, its);
}

/** Undefined when nobody can tell what is on the disk, or neither side has it. */
async function pairOf(
  path: string,
  disk: RawPath | undefined,
  name: string,
  before: Entry | undefined,
  stats: StatTable,
  row: number | 'gone',
  its: LiveContext,
): Promise<LivePair | undefined> {
  if (row === 'gone' || disk === undefined) return before === undefined ? undefined : { path, before };
  if (stats.type(row) === undefined) return undefined;
  try {
    const problems: Problem[] = [];
    const after = diskEntry(name, stats, row, disk, before, its.owners, problems);
    its.metadata(problems);
    if (before === undefined) return { path, after, disk };
    const isFile = before.type === 'file' && after.type === 'file';
    if (!isFile) return { path, before, after, disk };
    return { path, before, after, disk, isSameContent: await isSameContent(disk, before, after, its) };
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    // Removed since it was listed.
    if (error.errno === 'ENOENT') return before === undefined ? undefined : { path, before };
    its.unreadable(error);
    return undefined;
  }
}

async function isSameContent(disk: RawPath, before: Entry, after: Entry, its: LiveContext): Promise<boolean> {
  if (before.size !== after.size) return false;
  const { mtime } = after;
  const isSameTime = before.mtime.seconds === mtime.seconds && before.mtime.nanoseconds === mtime.nanoseconds;
  if (isSameTime && !its.compareContent) return true;
  return its.content.isSame(disk, before);
}

async function openFolder(
  path: string,
  disk: RawPath | undefined,
  tree: ChunkReference | undefined,
  its: LiveContext,
): Promise<OpenFolder> {
  const entries = new Map<string, EncodedEntry>();
  if (tree !== undefined) {
    await inFolder(`/${path}`, async () => {
      for await (const page of treePages(tree, its.read))
        for (const each of page) entries.set(each.name, each);
    });
  }
  const nothing = {
    path,
    disk,
    stats: new StatTable(1),
    rows: new Map(),
    closed: new Set<string>(),
    next: 0,
  };
  if (disk === undefined) return { ...nothing, entries, names: [...entries.keys()] };
  try {
    const { names, stats, failed } = listFolder(disk, new StatTable(64), 'none');
    for (const { error } of failed) its.unreadable(error);
    const rows = new Map(names.map((name, row) => [name, row]));
    const closed = new Set(failed.map(({ name }) => name));
    const all = [...new Set([...entries.keys(), ...names])].sort();
    return { path, disk, stats, rows, entries, names: all, closed, next: 0 };
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    its.unreadable(error);
    return { ...nothing, entries, names: [] };
  }
}
