import { randomFillSync } from 'node:crypto';
import { closeSync, fsyncSync, openSync, renameSync, rmSync, statfsSync, statSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import type { Room } from './backend.js';

/** Beside the objects, and none of them. */
const RESERVE = 'reserve';
const RESERVE_BYTES = 2 ** 20;

/** Room in the file system that the repository at `root` lies in. */
export function localRoom(root: string): Room {
  const path = join(root, RESERVE);
  return {
    reservedBytes: RESERVE_BYTES,
    free: () => {
      try {
        const { bavail, bsize } = statfsSync(root);
        return bavail * bsize;
      } catch {
        return undefined;
      }
    },
    // A file that cannot be removed helps nobody, and what fails for want of room then says so itself.
    release: () => attempt(() => rmSync(path, { force: true })),
    reserve: () => isReserved(path) || attempt(() => fill(path)),
  };
}

function isReserved(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.size === RESERVE_BYTES;
}

/** Random bytes: what compresses or is a hole would take no room. Whole or not at all, so that nobody mistakes a part for it. */
function fill(path: string): void {
  const staged = `${path}.new`;
  try {
    const file = openSync(staged, 'w', 0o600);
    try {
      const bytes = randomFillSync(Buffer.allocUnsafe(RESERVE_BYTES));
      for (let done = 0; done < bytes.length; ) done += writeSync(file, bytes, done);
      fsyncSync(file);
    } finally {
      closeSync(file);
    }
    renameSync(staged, path);
  } catch (error) {
    rmSync(staged, { force: true });
    throw error;
  }
}

function attempt(action: () => void): boolean {
  try {
    action();
    return true;
  } catch {
    return false;
  }
}
