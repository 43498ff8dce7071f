import { createHash } from 'node:crypto';
import { CbrError, fromLatin1, messageOf, type SessionId } from '../../core/index.js';
import {
  compileRules,
  displayPath,
  type EntryType,
  FileError,
  fileSystemOf,
  listFolder,
  parentPath,
  pathWithoutSymlinks,
  type RawPath,
  rawPath,
  rulesKey,
  StatTable,
  statPath,
} from '../../fs/index.js';
import { isStateCurrent, type RepositoryCache } from '../../repo/index.js';
import { folderKey } from './folder-encoder.js';
import type { SourceRoot } from './folder-taker.js';
import type { TakeOptions } from './take-options.js';
import type { Tally } from './tally.js';

/** A folder to be taken in, with the key of its state in the cache. */
export interface FolderSource {
  readonly kind: 'folder';
  readonly root: SourceRoot;
  /** Its own row, from before it was walked. */
  readonly stats: StatTable;
  readonly stateKey: Buffer;
  /** The snapshot its state belongs to. */
  readonly parent: SessionId | undefined;
}

/** Anything else that is named as a source. */
export interface SingleSource {
  readonly kind: 'single';
  readonly path: RawPath;
}

export type Source = FolderSource | SingleSource;

export interface ResolvedSources {
  readonly sources: readonly Source[];
  /** All paths asked for, in order, without those inside others. */
  readonly paths: readonly RawPath[];
  readonly missing: number;
}

/** Sources as raw paths, sorted, each once, without those that lie inside another one. */
function distinctPaths(options: TakeOptions, tally: Tally): RawPath[] {
  const all = [...new Set(options.paths.map((path) => rawPath(path)))].sort();
  const types = new Map(all.map((path) => [path, typeOf(path)]));
  return all.filter((path) => {
    const outer = all.find((each) => isInside(path, each) && types.get(each) === 'directory');
    if (outer !== undefined) tally.note(path, `is inside ${displayPath(outer)} and taken in with it`);
    const isOnTheWay = types.get(path) === 'symlink' && all.some((each) => isInside(each, path));
    if (isOnTheWay)
      tally.note(path, 'is a symlink to the folder of another source, and stored as that folder');
    return outer === undefined && !isOnTheWay;
  });
}

/** Undefined for what cannot be looked at. */
function typeOf(path: RawPath): EntryType | undefined {
  const stats = new StatTable(1);
  try {
    return stats.type(statPath(path, stats));
  } catch (error) {
    if (!(error instanceof FileError)) throw error;
    return undefined;
  }
}

function isInside(path: RawPath, folder: RawPath): boolean {
  return path !== folder && (folder === '/' || path.startsWith(`${folder}/`));
}

/**
 * Looks at each source. Rejects (source) when there is none that can be read; those that are missing are recorded.
 * `isValid` tells whether everything that a snapshot names may be relied on without looking it up.
 */
export function resolveSources(
  options: TakeOptions,
  cache: RepositoryCache,
  ownFolders: ReadonlyMap<string, string>,
  isValid: (snapshot: SessionId) => boolean,
  tally: Tally,
): ResolvedSources {
  const paths = distinctPaths(options, tally);
  const sources: Source[] = [];
  let problem: FileError | undefined;
  for (const path of paths) {
    try {
      refuseOwnFolder(path, ownFolders);
      sources.push(resolveSource(path, options, cache, isValid, tally));
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      problem ??= error;
      tally.error(path, error.reason);
    }
  }
  if (sources.length === 0) {
    throw new CbrError('source', `none of the sources can be read: ${messageOf(problem)}`, {
      hint: 'Check the paths and their mounts. No snapshot was made.',
    });
  }
  return { sources, paths, missing: paths.length - sources.length };
}

function resolveSource(
  path: RawPath,
  options: TakeOptions,
  cache: RepositoryCache,
  isValid: (snapshot: SessionId) => boolean,
  tally: Tally,
): Source {
  const stats = new StatTable(1);
  const row = statPath(path, stats);
  const type = stats.type(row);
  if (type === 'symlink') {
    tally.note(
      path,
      'is a symlink: the link itself is stored; name what it points to if that is meant',
      'metadata',
    );
  }
  if (type !== 'directory') return { kind: 'single', path };
  const fileSystem = fileSystemOf(path);
  // A folder that cannot be listed is an error here, before anything is made of it.
  refuseVanishedMount(path, fileSystem.id, listFolder(path).names.length === 0, cache);
  const stateKey = keyOf([path, fileSystem.id, ...effective(options)]);
  const state = options.level === 'full' ? undefined : cache.directoryState(stateKey);
  const parent = state?.snapshot;
  const filter = compileRules(options.rules, path);
  noteUntoldFlags(path, options, stats, row, tally);
  return {
    kind: 'folder',
    stats,
    stateKey,
    parent,
    root: {
      path,
      state: parent === undefined ? undefined : state,
      trusted: parent !== undefined && isValid(parent) && isStateCurrent(cache, stateKey),
      keepInodes: fileSystem.inodesStable,
      device: options.oneFileSystem ? stats.device(row) : undefined,
      filter,
    },
  };
}

function noteUntoldFlags(
  path: RawPath,
  { rules }: TakeOptions,
  stats: StatTable,
  row: number,
  tally: Tally,
): void {
  if (rules.nodump === undefined || stats.isNodump(row) !== undefined) return;
  tally.note(path, 'is on a file system that tells no flags: --exclude-nodump leaves nothing out there');
}

/** A repository that stores itself would be twice as large with every snapshot. */
function refuseOwnFolder(path: RawPath, ownFolders: ReadonlyMap<string, string>): void {
  const stats = new StatTable(1);
  for (let above = pathWithoutSymlinks(path); ; above = parentPath(above)) {
    stats.clear();
    const reason = ownFolders.get(folderKey(stats, statPath(above, stats)));
    if (reason !== undefined) {
      const where = above === pathWithoutSymlinks(path) ? '' : `it lies in ${displayPath(above)}, and `;
      throw new FileError('source', 'take in', path, `${where}${reason}`);
    }
    if (above === '/') return;
  }
}

/** Options that change what a folder becomes: with others, its state says nothing. */
function effective(options: TakeOptions): string[] {
  return [options.host, String(options.oneFileSystem), ...rulesKey(options.rules)];
}

function keyOf(parts: readonly string[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length} ${part}\0`);
  return hash.digest().subarray(0, 16);
}

const MOUNT_VALUE = 'source ';

function mountName(path: RawPath): string {
  return MOUNT_VALUE + createHash('sha256').update(fromLatin1(path)).digest('hex').slice(0, 32);
}

/** An empty mount point looks like a folder whose files were all deleted; a snapshot of it would age out the real ones. */
function refuseVanishedMount(
  path: RawPath,
  fileSystem: string,
  empty: boolean,
  cache: RepositoryCache,
): void {
  const before = cache.getValue(mountName(path));
  const seen = before === undefined ? undefined : Buffer.from(before).toString();
  if (empty && seen !== undefined && seen !== fileSystem) {
    throw new FileError(
      'source',
      'take in',
      path,
      'it held files, and is now empty on another file system: not mounted?',
    );
  }
}

/** Remembers, after a commit, on which file system a source that holds something was seen. */
export function rememberMount(path: RawPath, cache: RepositoryCache): void {
  try {
    if (listFolder(path).names.length > 0)
      cache.setValue(mountName(path), Buffer.from(fileSystemOf(path).id));
  } catch (error) {
    // Gone since it was taken in: nothing to remember.
    if (!(error instanceof FileError)) throw error;
  }
}
