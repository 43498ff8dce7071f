import { open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CbrError, errnoOf, isAlive, type ProcessIdentity } from '../../core/index.js';

/** One process at a time makes images in a folder: their work folder and their unfinished images have fixed names. */

/** Which process it is, as JSON. */
const LOCK_FILE = '.cbr-building';

/** Runs `use` while no other process makes images in the folder. Rejects with `busy` when one does. */
export async function withBuildLock<T>(
  folder: string,
  own: ProcessIdentity,
  use: () => Promise<T>,
): Promise<T> {
  const file = join(folder, LOCK_FILE);
  await take(file, folder, own);
  try {
    return await use();
  } finally {
    await rm(file, { force: true });
  }
}

async function take(file: string, folder: string, own: ProcessIdentity): Promise<void> {
  if ((await isMade(file, own)) || (await isInherited(file, own))) return;
  throw new CbrError('busy', `another run makes images in ${folder}`, {
    hint: `Wait until it is done, or choose another folder with --out. If there is none, remove ${file} and ${heirOf(file)}.`,
  });
}

/** Puts a lock of one's own in the place of that of a process that was killed: one process at a time looks whether it was. */
async function isInherited(file: string, own: ProcessIdentity): Promise<boolean> {
  const heir = heirOf(file);
  if (!(await isHeldByDead(file, own)) || !(await isMade(heir, own))) return false;
  // Somebody may have done so since: nobody does now.
  const isDead = await isHeldByDead(file, own);
  await (isDead ? rename(heir, file) : rm(heir, { force: true }));
  return isDead;
}

function heirOf(file: string): string {
  return `${file}-next`;
}

async function isHeldByDead(file: string, own: ProcessIdentity): Promise<boolean> {
  const holder = identityIn(await readFile(file, 'utf8').catch(() => ''));
  return holder !== undefined && isAlive(holder, own) === 'dead';
}

async function isMade(file: string, own: ProcessIdentity): Promise<boolean> {
  try {
    const lock = await open(file, 'wx', 0o600);
    try {
      await lock.writeFile(JSON.stringify(own));
    } finally {
      await lock.close();
    }
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
    return false;
  }
}

/** Undefined for what nobody has written to its end. */
function identityIn(text: string): ProcessIdentity | undefined {
  try {
    const value = JSON.parse(text) as ProcessIdentity | null;
    return typeof value?.pid === 'number' && typeof value.host === 'string' ? value : undefined;
  } catch {
    return undefined;
  }
}
