import { readFileSync } from 'node:fs';
import { once } from './once.js';

/** What a system allows at least, where it does not tell. */
const ASSUMED = 256;

/** Files that this process may hold open at the same time. */
export const openFileLimit: () => number = once(() => {
  try {
    const soft = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'latin1'))?.[1];
    return soft === undefined ? ASSUMED : Number(soft);
  } catch {
    return ASSUMED; // no /proc here
  }
});
