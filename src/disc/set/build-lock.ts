import { randomBytes } from 'node:crypto';
import { link, open, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { CbrError, errnoOf, isAlive, type ProcessIdentity } from '../../core/index.js';

/** One process at a time makes images in a folder: their work folder and their unfinished images have fixed names. */

/** Which process it is, as JSON. */
const LOCK_FILE = '.cbr-building';
const MOST_ATTEMPTS = 3;

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
  for (let attempt = 1; attempt <= MOST_ATTEMPTS; attempt++) {
    if (await isMade(file, own)) return;
    const held = await readFile(file, 'utf8').catch(() => '');
    const holder = identityIn(held);
    if (holder === undefined || isAlive(holder, own) !== 'dead') break;
    await dropDead(file, held);
  }
  throw new CbrError('busy', `another run makes images in ${folder}`, {
    hint: `Wait until it is done, or choose another folder with --out. If there is none, remove ${file}.`,
  });
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

/** Removes the lock of a process that was killed, and puts back what another one has made meanwhile. */
async function dropDead(file: string, held: string): Promise<void> {
  const aside = `${file}-${randomBytes(8).toString('hex')}`;
  try {
    await rename(file, aside);
  } catch (error) {
    if (errnoOf(error) !== 'ENOENT') throw error;
    return;
  }
  if ((await readFile(aside, 'utf8')) !== held) {
    await link(aside, file).catch((error: unknown) => {
      if (errnoOf(error) !== 'EEXIST') throw error;
    });
  }
  await rm(aside, { force: true });
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
