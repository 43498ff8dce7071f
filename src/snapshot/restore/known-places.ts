import { CbrError } from '../../core/index.js';
import { parentPath, type RawPath } from '../../fs/index.js';
import { unreadPaths } from '../held-paths.js';
import { isPartial, listedIn } from '../snapshot-extensions.js';
import type { AboutSnapshot, Snapshot } from '../snapshot-record.js';

/**
 * Where a snapshot knows everything, so that what it does not have there was not there: at and below its sources, but for what
 * could not be read. Folders on the way to the sources hold only what leads there. Paths are those of the snapshot.
 */
export class KnownPlaces {
  private readonly sources: ReadonlySet<string>;
  private readonly lists: ReadonlySet<string>;
  private readonly unread: ReadonlySet<string>;
  private readonly aboveUnread = new Set<string>();

  constructor(about: AboutSnapshot) {
    const { paths, statistics } = about;
    // A snapshot without any folder was made of single files: earlier versions did not record that of a list.
    this.lists = new Set(statistics.folders === 0 ? paths : listedIn(about));
    // Of too many lists only the root is recorded.
    const isSource = (path: string): boolean => !this.lists.has(path) && !this.lists.has('/');
    this.sources = new Set(paths.filter(isSource));
    this.unread = unreadPaths(about);
    for (const path of this.unread) for (const each of above(path)) this.aboveUnread.add(each);
  }

  /** Whether it lies in a source, or is one. */
  isTaken(path: string): boolean {
    return this.sources.has(path) || anyOf(above(path), this.sources);
  }

  /** Whether it lies in a folder that stands for a long list, or is one. */
  isListed(path: string): boolean {
    return this.lists.has(path) || anyOf(above(path), this.lists);
  }

  /** Whether the snapshot could not read it, or a folder above it. */
  isUnread(path: string): boolean {
    return this.unread.has(path) || anyOf(above(path), this.unread);
  }

  /** Whether the snapshot could not read something below it. */
  holdsUnread(path: string): boolean {
    return this.aboveUnread.has(path);
  }
}

/** Rejects (usage) a snapshot that does not tell of what it lacks whether it was there. */
export function refuseIncomplete({ id, about }: Snapshot): void {
  const more = about.moreErrors ?? 0;
  if (!isPartial(about) && more === 0) return;
  const why = isPartial(about)
    ? 'is partial: what it lacks may have been there'
    : `could not read more paths than it recorded (${more}): they may have been there`;
  throw new CbrError('usage', `snapshot ${id.slice(0, 8)} ${why}, and --delete would delete it`, {
    hint: 'Restore without --delete, or a snapshot that is whole. Nothing was restored or deleted.',
  });
}

function* above(path: string): Generator<string> {
  for (let at = path as RawPath; at !== '/' && at.startsWith('/'); ) {
    at = parentPath(at);
    yield at;
  }
}

function anyOf(paths: Iterable<string>, set: ReadonlySet<string>): boolean {
  if (set.size === 0) return false;
  for (const path of paths) if (set.has(path)) return true;
  return false;
}
