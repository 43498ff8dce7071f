import { CbrError } from '../../core/index.js';
import { baseName, type RawPath } from '../../fs/index.js';
import type { Repository } from '../../repo/index.js';
import { pathInSnapshot } from '../find-path.js';
import { type ListedEntry, listEntries } from '../list-entries.js';
import type { Snapshot } from '../snapshot-record.js';

/** How the length of the files of a snapshot is spread over kinds of files, or over folders. */

export interface ContentShare {
  /** Raw: an extension in small letters, without its dot and empty where there is none; or a path. */
  readonly name: string;
  readonly files: number;
  /** Length of the files. One that has several names (hard links) counts with the first of them only. */
  readonly bytes: number;
}

export interface ContentShares {
  /** Where it begins, raw. */
  readonly base: string;
  readonly files: number;
  readonly bytes: number;
  /** The largest first. */
  readonly shares: readonly ContentShare[];
  /** What did not fit into memory one by one. */
  readonly unlisted: Omit<ContentShare, 'name'>;
}

/** Names that are told apart; files with forged names may have an extension each. */
const MOST_SHARES = 200_000;
/** What is longer is hardly the kind of a file. */
const MOST_EXTENSION = 16;

/** By extension. Rejects as `listEntries` does. */
export function sharesByType(
  repository: Repository,
  snapshot: Snapshot,
  path: string | undefined,
  signal: AbortSignal,
): Promise<ContentShares> {
  return gather(repository, snapshot, pathInSnapshot(path), signal, ({ path }) => [extensionOf(path)]);
}

/**
 * By folder, each with all that is below it, down to so many levels below the base; files that lie in the base itself count for
 * the base. Without a path the base is the deepest folder that holds all sources.
 */
export async function sharesByFolder(
  repository: Repository,
  snapshot: Snapshot,
  path: string | undefined,
  depth: number,
  signal: AbortSignal,
): Promise<ContentShares> {
  const from = (base: RawPath) =>
    gather(repository, snapshot, base, signal, (entry) => foldersOf(entry.path, base, depth));
  if (path !== undefined) return from(pathInSnapshot(path));
  const base = commonFolder(snapshot.about.paths);
  try {
    return await from(base);
  } catch (error) {
    if (base === '/' || !(error instanceof CbrError) || error.code !== 'not-found') throw error;
    return from('/' as RawPath);
  }
}

async function gather(
  repository: Repository,
  snapshot: Snapshot,
  base: RawPath,
  signal: AbortSignal,
  namesOf: (entry: ListedEntry) => readonly string[],
): Promise<ContentShares> {
  const shares = new Map<string, { files: number; bytes: number }>();
  const unlisted = { files: 0, bytes: 0 };
  const all = { files: 0, bytes: 0 };
  const met = new Set<string>();
  for await (const listed of listEntries(repository, snapshot, base, true)) {
    signal.throwIfAborted();
    const { type, size = 0, linkGroup } = listed.entry;
    if (type !== 'file') continue;
    if (linkGroup !== undefined) {
      if (met.has(linkGroup)) continue;
      met.add(linkGroup);
    }
    add(all, size);
    for (const name of namesOf(listed)) {
      let share = shares.get(name);
      if (share === undefined && shares.size < MOST_SHARES) {
        share = { files: 0, bytes: 0 };
        shares.set(name, share);
      }
      add(share ?? unlisted, size);
    }
  }
  const sorted = [...shares]
    .map(([name, share]) => ({ name, ...share }))
    .sort((a, b) => b.bytes - a.bytes || b.files - a.files || (a.name < b.name ? -1 : 1));
  return { base, ...all, shares: sorted, unlisted };
}

function add(share: { files: number; bytes: number }, size: number): void {
  share.files++;
  share.bytes += size;
}

/** Of `Photo.JPG` it is `jpg`; of `.profile`, `notes.` and names with something else behind the dot there is none. */
function extensionOf(path: string): string {
  const name = baseName(path as RawPath);
  const dot = name.lastIndexOf('.');
  const extension = name.slice(dot + 1).toLowerCase();
  return dot > 0 && extension.length <= MOST_EXTENSION && /^[a-z0-9_+-]+$/.test(extension) ? extension : '';
}

/** The folders of a file below the base, at most so many; the base for a file in it. */
function foldersOf(path: string, base: string, depth: number): readonly string[] {
  const start = base === '/' ? 1 : base.length + 1;
  const folders: string[] = [];
  for (
    let end = path.indexOf('/', start);
    end !== -1 && folders.length < depth;
    end = path.indexOf('/', end + 1)
  ) {
    folders.push(path.slice(0, end));
  }
  return folders.length === 0 ? [base] : folders;
}

function commonFolder(paths: readonly string[]): RawPath {
  const [first = [], ...others] = paths.map((path) => (path === '/' ? '' : path).split('/'));
  let shared = first.length;
  for (const other of others) {
    let same = 0;
    while (same < shared && first[same] === other[same]) same++;
    shared = same;
  }
  return (first.slice(0, shared).join('/') || '/') as RawPath;
}
