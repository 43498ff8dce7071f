import { mkdtemp, rm, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Backend } from './backend.js';
import { localFailure } from './local-errors.js';
import { createLocalBackend } from './local-folder.js';

/**
 * A medium for trial on the file system where a folder is or would be, in a folder of its own that is removed when `use` has
 * ended. Rejects with BackendError where nothing can be made.
 */
export async function withTrialFolder<T>(path: string, use: (medium: Backend) => Promise<T>): Promise<T> {
  const parent = await existingFolder(path);
  const folder = await mkdtemp(join(parent, '.cbr-trial-')).catch((error: unknown) => {
    throw localFailure(`cannot make a folder for trial in ${parent}`, error);
  });
  try {
    return await use(await createLocalBackend(folder));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** The folder itself, or the nearest one above it that is there. */
async function existingFolder(path: string): Promise<string> {
  for (let folder = path; ; folder = dirname(folder)) {
    const found = await stat(folder).catch(() => undefined);
    if (found?.isDirectory() || folder === dirname(folder)) return folder;
  }
}
