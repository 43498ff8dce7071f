import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CbrError, messageOf } from '../core/index.js';
import type { Backend } from './backend.js';
import { checkNewLocalBackend, createLocalBackend, openLocalBackend } from './local-folder.js';

/** Where a repository lies. `path` is absolute. */
export type Location = { readonly kind: 'local'; readonly path: string };

/**
 * Reads what a user names as a repository: a path, or an absolute `file:` url. Rejects with CbrError 'usage' what is
 * neither; a path that looks like a url is written with `./` in front.
 */
export function parseLocation(text: string): Location {
  if (text === '') throw unusable(text, 'it is empty', 'name the folder of the repository');
  if (text.includes('\0')) throw unusable(text, 'it holds a NUL character', 'name a folder');
  const scheme = /^([A-Za-z][A-Za-z0-9+.-]+):/.exec(text)?.[1]?.toLowerCase();
  if (scheme === undefined) return { kind: 'local', path: resolve(text) };
  if (scheme !== 'file') {
    throw unusable(
      text,
      `${scheme}: is not supported by this version`,
      `use a folder; for a folder that is really named so write ./${text}`,
    );
  }
  if (!text.startsWith('/', 'file:'.length)) {
    throw unusable(text, 'a file: url needs an absolute path', 'write file:///path/to/repository');
  }
  try {
    return { kind: 'local', path: fileURLToPath(text) };
  } catch (error) {
    throw unusable(text, messageOf(error), 'write file:///path/to/repository');
  }
}

function unusable(text: string, reason: string, hint: string): CbrError {
  return new CbrError('usage', `${JSON.stringify(text)} is no location of a repository: ${reason}`, { hint });
}

/** Opens the repository's medium; rejects as `openLocalBackend`. */
export async function openBackend(location: Location): Promise<Backend> {
  return openLocalBackend(location.path);
}

/** Whether a medium can be made there, without making it; rejects as `checkNewLocalBackend`. */
export async function checkNewBackend(location: Location): Promise<void> {
  return checkNewLocalBackend(location.path);
}

/** Makes the repository's medium; rejects as `createLocalBackend`. */
export async function createBackend(location: Location): Promise<Backend> {
  return createLocalBackend(location.path);
}
