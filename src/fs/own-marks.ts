import { readFileSync } from 'node:fs';
import { once } from './once.js';

/** What the kernel gives to whatever this process creates. */
export interface OwnMarks {
  readonly uid: number;
  readonly gid: number;
  /** Bits taken from the mode of everything new. */
  readonly umask: number;
}

/**
 * Undefined where it cannot be told: then everything is set explicitly. The umask is read from /proc, because the system
 * call that tells it also changes it for a moment, in all threads.
 */
export const ownMarks: () => OwnMarks | undefined = once(() => {
  const uid = process.geteuid?.();
  const gid = process.getegid?.();
  if (uid === undefined || gid === undefined) return undefined;
  try {
    const umask = /^Umask:\s*([0-7]+)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1];
    return umask === undefined ? undefined : { uid, gid, umask: Number.parseInt(umask, 8) };
  } catch {
    return undefined; // no /proc here
  }
});
