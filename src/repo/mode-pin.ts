import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DamagedError, errnoOf } from '../core/index.js';

/**
 * This machine remembers, beside its caches, that the repository at a location is encrypted. Whoever can write the store
 * could otherwise put an unencrypted config there, and the next run would store plain text without a word.
 */

const ENCRYPTED = 'encrypted\n';

/** Rejects with DamagedError when an encrypted repository says that it is not. Remembering may fail: then nothing is pinned. */
export function checkModePin(cacheRoot: string, location: string, encrypted: boolean): void {
  const folder = join(cacheRoot, 'pins');
  const path = join(folder, createHash('sha256').update(location).digest('hex').slice(0, 32));
  if (!encrypted && readPin(path) === ENCRYPTED) {
    throw new DamagedError('config', 'this repository was encrypted, and now says that it is not', {
      hint: `Somebody may have replaced it. If you made it anew without encryption, remove ${path}.`,
    });
  }
  if (!encrypted || readPin(path) === ENCRYPTED) return;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(path, ENCRYPTED, { mode: 0o600 });
  } catch {
    // A cache folder that cannot be written: its own messages say so.
  }
}

function readPin(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (errnoOf(error) === undefined) throw error;
    return undefined;
  }
}
