import { createHash } from 'node:crypto';
import type { SessionId } from '../../core/index.js';
import { type FileSystem, rulesKey } from '../../fs/index.js';
import {
  areStatesSound,
  type DirectoryPut,
  type DirectoryState,
  isStateCurrent,
  type RepositoryCache,
} from '../../repo/index.js';
import type { ChangeRules } from './folder-state.js';
import type { NamedPath } from './named-paths.js';
import type { TakeOptions } from './take-options.js';

/** What was seen of a source last time. */
export interface SourceState {
  readonly key: Buffer;
  /** Not used at all for a full snapshot, nor one that an earlier version may have left unsound. */
  readonly before: DirectoryState | undefined;
  /** The snapshot the state belongs to. */
  readonly parent: SessionId | undefined;
  /** Whether that snapshot is still valid: what its trees name may be reused without look-ups. */
  readonly trusted: boolean;
}

/** What the state of a source becomes once the snapshot is committed. */
export interface StateAfter {
  /** False when something could not be kept: then there is no state. */
  readonly isWhole: boolean;
  entries(): Iterable<DirectoryPut>;
  readonly removes: readonly Uint8Array[];
  close(): void;
}

export interface StateContext {
  readonly cache: RepositoryCache;
  /** Whether everything that a snapshot names may be relied on without looking it up. */
  readonly isValid: (snapshot: SessionId) => boolean;
}

export function sourceState(
  key: Buffer,
  options: TakeOptions,
  { cache, isValid }: StateContext,
): SourceState {
  const isUsed = options.level !== 'full' && areStatesSound(cache, key);
  const state = isUsed ? cache.directoryState(key) : undefined;
  const parent = state?.snapshot;
  return {
    key,
    parent,
    before: parent === undefined ? undefined : state,
    trusted: parent !== undefined && isValid(parent) && isStateCurrent(cache, key),
  };
}

/**
 * The key of the state of a source. What is stored under another name is a file-system snapshot, whose mount point and
 * identity are new each time while its inodes and times are those of the original: then the name alone tells which it is.
 */
export function stateKey(
  kind: 'folder' | 'listed',
  { path, from }: NamedPath,
  fileSystem: FileSystem,
  options: TakeOptions,
): Buffer {
  const place = path === from ? fileSystem.id : 'as';
  // A folder's key is made as it ever was, so that states from before lists were possible hold.
  const listed = options.readDevices === true ? [kind, '--read-devices'] : [kind];
  const front = kind === 'folder' ? [path, place] : [path, place, ...listed];
  return keyOf([...front, ...effective(options)]);
}

/** Options that change what a folder becomes: with others, its state says nothing. */
function effective(options: TakeOptions): string[] {
  const { followLinks = 0, ignoreInodes, ignoreCtimes, trustMtimes } = options;
  return [
    options.host,
    String(options.oneFileSystem),
    ...rulesKey(options.rules),
    ...(followLinks > 0 ? [`--follow-symlinks ${followLinks}`] : []),
    ...(ignoreInodes === true ? ['--ignore-inode'] : []),
    ...(ignoreCtimes === true ? ['--ignore-ctime'] : []),
    ...(trustMtimes === true ? ['--trust-mtime'] : []),
  ];
}

function keyOf(parts: readonly string[]): Buffer {
  const hash = createHash('sha256');
  for (const part of parts) hash.update(`${part.length} ${part}\0`);
  return hash.digest().subarray(0, 16);
}

export function changeRules(
  { ignoreInodes, ignoreCtimes, trustMtimes }: TakeOptions,
  fileSystem: FileSystem,
): ChangeRules {
  return {
    keepInodes: fileSystem.inodesStable && ignoreInodes !== true,
    keepCtimes: ignoreCtimes !== true,
    trustMtime: trustMtimes === true,
  };
}
