import { statfsSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';

/** Room that a file system in memory must have to be used for tests. */
const ROOM = 2 ** 30;

/** The folder for temporary files: usually on a disk. */
export const DISK = tmpdir();

/** A file system in memory where there is one, else the disk: thousands of files and fsyncs cost little here. */
export const QUICK = hasRoom('/dev/shm') ? '/dev/shm' : DISK;

/** Both, where they are different file systems: each holds things that the other does not. */
export const PLACES: readonly string[] = QUICK === DISK || sameDevice(QUICK, DISK) ? [DISK] : [DISK, QUICK];

function sameDevice(a: string, b: string): boolean {
  return statSync(a).dev === statSync(b).dev;
}

function hasRoom(path: string): boolean {
  if (statSync(path, { throwIfNoEntry: false })?.isDirectory() !== true) return false;
  const { bavail, bsize } = statfsSync(path);
  return bavail * bsize > ROOM;
}
