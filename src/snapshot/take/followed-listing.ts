import { type FolderListing, joinRaw, type RawPath, StatTable } from '../../fs/index.js';
import type { FollowedEntry, LinkFollower } from './link-follower.js';

/** A folder on the walk through a source. */
export interface WalkedFolder {
  readonly path: RawPath;
  /** Where it lies, with no symlink on the way. */
  readonly real: RawPath;
  /** The device not to be left below it. */
  readonly device: number | undefined;
  /** Symlinks that were followed on the way. */
  readonly links: number;
}

/** The entries of a folder, some of them what links lead to. */
export interface FollowedListing extends FolderListing {
  /** By row, what stands in the place of a link. */
  readonly followed: ReadonlyMap<number, FollowedEntry>;
}

const NONE: ReadonlyMap<number, FollowedEntry> = new Map();

/** Puts what symlinks lead to in their place, of those that are not `leftOut` as links. */
export function followIn(
  folder: WalkedFolder,
  listing: FolderListing,
  follower: LinkFollower | undefined,
  leftOut: (name: string) => boolean,
): FollowedListing {
  if (follower === undefined) return { ...listing, followed: NONE };
  const followed = new Map<number, FollowedEntry>();
  const { path, real, links, device } = folder;
  for (const [row, name] of listing.names.entries()) {
    if (listing.stats.type(row) !== 'symlink' || leftOut(name)) continue;
    const found = follower.follow(joinRaw(path, name), joinRaw(real, name), links, device);
    if (found !== undefined) followed.set(row, found);
  }
  if (followed.size === 0) return { ...listing, followed };
  const stats = new StatTable(listing.names.length);
  for (const row of listing.names.keys()) {
    stats.addRow(followed.get(row)?.stats.rowBytes(0) ?? listing.stats.rowBytes(row));
  }
  return { ...listing, stats, followed };
}
