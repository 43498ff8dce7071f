import { chmodSync, closeSync, constants, fchmodSync, openSync } from 'node:fs';
import { MODE_BITS } from './entry-type.js';
import { descriptorPath, hasDescriptorPaths, O_PATH } from './long-path.js';
import { toNodePath } from './raw-path.js';
import { isSameInode, lookAtOpen, type SeenEntry } from './seen-entry.js';
import type { TargetFolder } from './target-folder.js';

/** Folders are restored with the rights that they had, and their owner may have none to change what is in them. */

const OWNER_ALL = 0o700;

/**
 * Gives the owner of a folder, when he is who runs this, all rights in it for a while: returns the mode that is to be given back
 * with `giveBackMode`, undefined where none was missing or it could not be done.
 */
export function openToOwner(folder: TargetFolder): number | undefined {
  return grant(lookAtOpen(folder.fd), (mode) => fchmodSync(folder.fd, mode));
}

/** As `openToOwner` for a folder that cannot be opened yet, and was seen under that name. */
export function openEntryToOwner(parent: TargetFolder, name: string, seen: SeenEntry): number | undefined {
  if (seen.type !== 'directory' || !hasDescriptorPaths()) return undefined;
  return grant(seen, (mode) => {
    const fd = openSync(parent.path(name), O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW);
    try {
      if (isSameInode(lookAtOpen(fd), seen)) chmodSync(toNodePath(descriptorPath(fd)), mode);
    } finally {
      closeSync(fd);
    }
  });
}

/** Takes back what `openToOwner` gave, if it gave anything. */
export function giveBackMode(folder: TargetFolder, mode: number | undefined): void {
  if (mode === undefined) return;
  try {
    fchmodSync(folder.fd, mode);
  } catch {
    // It belongs to somebody else meanwhile, whose mode it is.
  }
}

/** Whether `openToOwner` would give rights. Root needs none. */
export function lacksOwnerRights({ mode, uid }: SeenEntry): boolean {
  return (mode & OWNER_ALL) !== OWNER_ALL && uid !== 0 && uid === process.geteuid?.();
}

function grant(seen: SeenEntry, change: (mode: number) => void): number | undefined {
  if (!lacksOwnerRights(seen)) return undefined;
  const before = seen.mode & MODE_BITS;
  try {
    change(before | OWNER_ALL);
    return before;
  } catch {
    return undefined; // what is to be done in the folder says why it fails
  }
}
