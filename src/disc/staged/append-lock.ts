import { open, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { CbrError, errnoOf } from '../../core/index.js';
import { stagingFolderOf } from './staged-settings.js';

/** One process at a time appends to the images of a folder. */

const PAUSE_MS = 200;
const MOST_PAUSES = 9000; // half an hour: as long as a disc takes

/** Runs `use` while no other process of this machine does. Rejects with `busy` when another one never ends. */
export async function withAppendLock<T>(folder: string, use: () => Promise<T>): Promise<T> {
  const file = join(stagingFolderOf(folder), 'appending');
  for (let pause = 0; !(await isTaken(file)); pause++) {
    if (pause === MOST_PAUSES) {
      throw new CbrError('busy', `another process appends to the images in ${folder}`, {
        hint: `Wait until it is done. If there is none, remove ${file}.`,
      });
    }
    await setTimeout(PAUSE_MS);
  }
  try {
    return await use();
  } finally {
    await rm(file, { force: true });
  }
}

/** Whether it is ours now. The file of a process that has died is removed. */
async function isTaken(file: string): Promise<boolean> {
  try {
    const lock = await open(file, 'wx');
    try {
      await lock.writeFile(String(process.pid));
    } finally {
      await lock.close();
    }
    return true;
  } catch (error) {
    if (errnoOf(error) !== 'EEXIST') throw error;
  }
  const holder = Number(await readFile(file, 'utf8').catch(() => ''));
  // One that is being made has nothing in it yet.
  if (holder > 0 && !isAlive(holder)) await rm(file, { force: true });
  return false;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return errnoOf(error) === 'EPERM';
  }
}
