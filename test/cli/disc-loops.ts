import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { DISC_BYTES } from './disc-place.js';
import type { Place } from './run.js';

/** Drives: loop devices, with files as discs. xorriso treats them as media that can be overwritten. */

export interface LoopDrive {
  readonly device: string;
  /** Puts in a new blank disc of that size; the one before stays what it was, see `disc`. */
  readonly insert: (name: string, bytes?: number) => string;
  /** Puts in a disc that is there. */
  readonly change: (file: string) => void;
}

export function loopDrive(its: Place): LoopDrive {
  const blank = (name: string, bytes: number): string => {
    const file = join(its.root, name);
    rmSync(file, { force: true });
    writeFileSync(file, '');
    truncateSync(file, bytes);
    return file;
  };
  const first = blank('disc 0', DISC_BYTES);
  const device = losetup('--find', '--show', first);
  let isIn = true;
  onTestFinished(() => {
    if (isIn) losetup('--detach', device);
  });
  const change = (file: string): void => {
    if (isIn) losetup('--detach', device);
    isIn = false;
    losetup(device, file);
    isIn = true;
  };
  return {
    device,
    insert(name, bytes = DISC_BYTES) {
      const file = blank(name, bytes);
      change(file);
      return file;
    },
    change,
  };
}

function losetup(...args: string[]): string {
  return execFileSync('losetup', args, { encoding: 'utf8' }).trim();
}

/** Whether the disc begins with the bytes of the image. */
export function reads(device: string, image: string): boolean {
  const wanted = readFileSync(image);
  return readFileSync(device).subarray(0, wanted.length).equals(wanted);
}
