import { CbrError } from '../../core/index.js';
import {
  displayPath,
  FileError,
  Owners,
  type Problem,
  pathWithoutSymlinks,
  type RawPath,
  rawPath,
  StatTable,
  statPath,
} from '../../fs/index.js';
import { chunkReader, loadForReading, type Repository } from '../../repo/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { Listener } from '../events.js';
import { type FoundPath, findPath, findRawPath, pathInSnapshot } from '../find-path.js';
import { isAtOrBelow } from '../held-paths.js';
import type { Snapshot } from '../snapshot-record.js';
import { findOwnFolders } from '../take/own-folders.js';
import { type DiffOptions, type DiffSide, idOfValue } from './diff-snapshots.js';
import { DiskContent } from './disk-content.js';
import { EntryChoice } from './entry-choice.js';
import { type ChangeBatch, gatherChanges, HELD_CHANGES } from './gather-changes.js';
import { type LiveContext, type LivePair, type LiveStart, livePairs } from './live-pairs.js';

export interface LiveOptions extends DiffOptions {
  /** Compare with this folder or file, instead of with what has the paths of the snapshot. */
  readonly place?: string;
  readonly compareContent: boolean;
  readonly oneFileSystem: boolean;
  /** Folders of cbr itself, besides the repository: no snapshot holds them. */
  readonly ownFolders: readonly string[];
}

/**
 * The changes from a snapshot, or a part of it, to what is on the disk. Of files with the size and time that the snapshot
 * says the content is not read, unless asked for. What cannot be read is told as a problem and passed over, and a source that is
 * not on the disk as a note. Rejects with `not-found`, also when no source is on the disk, `usage` and DamagedError.
 */
export async function* diffLive(
  repository: Repository,
  before: DiffSide,
  options: LiveOptions,
  listener: Listener,
): AsyncGenerator<ChangeBatch> {
  const reader = chunkReader(repository, await loadForReading(repository));
  const read: ReadTreeChunk = (reference) => reader.read('tree', reference.id, reference.length);
  const starts = await startsOf(before, options, read, listener);
  const content = new DiskContent(repository.keys.chunkIds('data'), read, options.signal);
  const its: LiveContext = {
    read,
    content,
    choice: new EntryChoice(options.rules, liveRoots(before, options.place).before as RawPath),
    owners: new Owners(),
    compareContent: options.compareContent,
    oneFileSystem: options.oneFileSystem,
    ownFolders: findOwnFolders(options.ownFolders, repository.backend.folder),
    unreadable: (error) => tellUnreadable(error, listener),
    metadata: (problems) => tellMetadata(problems, listener),
    signal: options.signal,
  };
  yield* gatherChanges<LivePair>(allPairs(starts, its), {
    idOf: idOfValue(repository),
    times: options.times,
    held: options.held ?? HELD_CHANGES,
    keyOf: async ({ disk, after }, candidates) => {
      if (disk === undefined) return undefined;
      return readable(its, () => content.keyOf(disk, after?.size ?? 0, candidates));
    },
  });
}

/** Where the paths of both sides begin: the same, unless another place was named. */
export function liveRoots(
  before: { readonly path?: string },
  place: string | undefined,
): { readonly before: string; readonly after: string } {
  const root = pathInSnapshot(before.path);
  return { before: root, after: place === undefined ? root : rawPath(place) };
}

async function* allPairs(
  starts: readonly LiveStart[],
  its: LiveContext,
): AsyncGenerator<readonly LivePair[]> {
  for (const start of starts) yield* livePairs(start, its);
}

async function startsOf(
  { snapshot, path }: DiffSide,
  { place }: LiveOptions,
  read: ReadTreeChunk,
  listener: Listener,
): Promise<readonly LiveStart[]> {
  if (place !== undefined) {
    const disk = rawPath(place);
    // A place that is not there is a mistake, and not a folder whose files are all gone.
    statPath(disk, new StatTable(1));
    return [startAt(await findPath(snapshot, path, read), '', disk)];
  }
  const starts: LiveStart[] = [];
  const root = pathInSnapshot(path);
  const places = placesOf(snapshot, path === undefined ? undefined : root);
  tellGoneSources(snapshot, places, listener);
  for (const each of places) {
    try {
      starts.push(startAt(await findRawPath(snapshot, each, read), relativeTo(root, each), each));
    } catch (error) {
      // A source that could not be read then is not in the snapshot.
      const isMissing = error instanceof CbrError && error.code === 'not-found';
      if (!isMissing || path !== undefined) throw error;
    }
  }
  return starts;
}

/** Whoever stored a source under another name, from a stream or on another machine would be told that all of it was removed. */
function tellGoneSources({ about }: Snapshot, places: readonly RawPath[], listener: Listener): void {
  const sources = about.paths as RawPath[];
  const compared = places.map((place) => sources.find((source) => isAtOrBelow(place, source)) ?? place);
  const gone = [...new Set(compared)].filter(isGone);
  const hint =
    'If it was stored under another name, or is mounted elsewhere: --live-path PATH compares with that.';
  if (gone.length > 0 && compared.every((each) => gone.includes(each))) {
    const names = `${displayPath(gone[0]!)}${gone.length === 1 ? '' : ` and ${gone.length - 1} more`}`;
    throw new CbrError('not-found', `the source ${names} is not on this disk`, { hint });
  }
  for (const subject of gone) {
    const reason = `this source is not on this disk, and told as removed. ${hint}`;
    listener({ type: 'problem', severity: 'note', subject, reason });
  }
}

function isGone(path: RawPath): boolean {
  try {
    statPath(path, new StatTable(1));
    return false;
  } catch (error) {
    // What cannot be looked at is told where it is compared.
    return error instanceof FileError && (error.errno === 'ENOENT' || error.errno === 'ENOTDIR');
  }
}

/** A source is compared whole; of the folders above sources a snapshot holds only the way to them. */
function placesOf({ about }: Snapshot, wanted: RawPath | undefined): readonly RawPath[] {
  const sources = about.paths as RawPath[];
  if (wanted === undefined) return sources;
  const below = sources.filter((source) => source !== wanted && isAtOrBelow(source, wanted));
  return below.length === 0 || sources.includes(wanted) ? [wanted] : below;
}

function relativeTo(root: RawPath, path: RawPath): string {
  return path === root ? '' : path.slice(root === '/' ? 1 : root.length + 1);
}

function startAt({ entry, tree }: FoundPath, path: string, disk: RawPath): LiveStart {
  return { path, entry, tree, disk: pathWithoutSymlinks(disk) };
}

async function readable<T>(its: LiveContext, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    its.unreadable(error);
    return undefined;
  }
}

function tellUnreadable({ path, reason }: FileError, listener: Listener): void {
  listener({ type: 'problem', severity: 'error', subject: path, reason });
}

function tellMetadata(problems: readonly Problem[], listener: Listener): void {
  for (const { path, what, reason } of problems) {
    listener({ type: 'problem', severity: 'metadata', subject: path, reason: `${what}: ${reason}` });
  }
}
