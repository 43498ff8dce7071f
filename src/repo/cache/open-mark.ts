import { join } from 'node:path';
import { readIfThere, readJsonObject, writeDurably } from './durable-file.js';

/**
 * What is known about the data file of a cache folder, in a small file beside it. It says `open` from before LMDB touches
 * the data file until it was closed and flushed; then it says `closed`, with the fingerprint the file had.
 */
export type OpenMark =
  | { readonly state: 'none' }
  | { readonly state: 'open'; readonly bootId: string | undefined }
  | { readonly state: 'closed'; readonly fingerprint: string };

function markFile(folder: string): string {
  return join(folder, 'state');
}

export function readOpenMark(folder: string): OpenMark {
  const found = readJsonObject(markFile(folder));
  if (found?.state === 'open') {
    return { state: 'open', bootId: typeof found.bootId === 'string' ? found.bootId : undefined };
  }
  if (found?.state === 'closed' && typeof found.fingerprint === 'string') {
    return { state: 'closed', fingerprint: found.fingerprint };
  }
  return { state: 'none' };
}

export function writeOpenMark(folder: string, mark: Exclude<OpenMark, { state: 'none' }>): void {
  writeDurably(markFile(folder), JSON.stringify(mark));
}

const DESTRUCTIVE = 'destructive';

/** Whether something that removes objects from the repository began and never ended. */
export function hasDestructiveMark(folder: string): boolean {
  return readIfThere(destructiveMark(folder)) !== undefined;
}

export function destructiveMark(folder: string): string {
  return join(folder, DESTRUCTIVE);
}
