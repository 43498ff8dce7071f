import { randomBytes } from 'node:crypto';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { CbrError, errnoOf, isAlive, ownIdentity, type ProcessIdentity } from '../../core/index.js';
import { pidOf } from '../xorriso/program-file.js';
import { stagingFolderOf } from './staged-settings.js';

/**
 * One process at a time appends to the images of a folder. The lock is a number: who holds it has made `appending/<n>` for the highest n, and
 * `appending/<n>.free` says that it has let go. Nothing is ever removed to take it, so that of two who see it free one gets it.
 */

const PAUSE_MS = 200;
const MOST_PAUSES = 9000; // half an hour: as long as a disc takes

export interface AppendLock {
  /** Where the program that writes leaves its process id: as long as it runs the lock is held, whatever becomes of this process. */
  readonly programFile: string;
}

/**
 * Runs `use` while nobody else does. `onWait` is told once that there is somebody to wait for. Rejects with `busy` when the holder never ends, and
 * with the signal's reason.
 */
export async function withAppendLock<T>(
  folder: string,
  signal: AbortSignal,
  onWait: (folder: string) => void,
  use: (lock: AppendLock) => Promise<T>,
): Promise<T> {
  const locks = join(stagingFolderOf(folder), 'appending');
  await mkdir(locks, { recursive: true });
  for (let pause = 0; ; pause++) {
    const number = await take(locks);
    if (number !== undefined) return holding(locks, number, use);
    if (pause === 0) onWait(folder);
    if (pause === MOST_PAUSES) {
      throw new CbrError('busy', `another process appends to the images in ${folder}`, {
        hint: `Wait until it is done. If there is certainly none, remove the folder ${locks}.`,
      });
    }
    await setTimeout(PAUSE_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}

async function holding<T>(locks: string, number: number, use: (lock: AppendLock) => Promise<T>): Promise<T> {
  try {
    return await use({ programFile: join(locks, `${number}.program`) });
  } finally {
    await writeFile(join(locks, `${number}.free`), '');
  }
}

/** The number of the lock that this process has now; undefined when somebody else has it. */
async function take(locks: string): Promise<number | undefined> {
  const names = await readdir(locks);
  const highest = highestOf(names);
  if (highest > 0 && !names.includes(`${highest}.free`) && !(await isGivenUp(locks, highest)))
    return undefined;
  const number = highest + 1;
  const made = join(locks, `new-${randomBytes(8).toString('hex')}`);
  await writeFile(made, JSON.stringify(ownIdentity(hostname())), { flush: true });
  try {
    await link(made, join(locks, String(number)));
  } catch (error) {
    if (errnoOf(error) === 'EEXIST') return undefined;
    throw error;
  } finally {
    await rm(made, { force: true });
  }
  // Who looked long ago makes a number anew that was free then, and removed when the next one was taken.
  if (highestOf(await readdir(locks)) > number) {
    await rm(join(locks, String(number)), { force: true });
    return undefined;
  }
  for (const name of names) {
    const [, its] = /^([0-9]+)(\.free|\.program)?$/.exec(name) ?? [];
    if (its !== undefined && Number(its) <= highest) await rm(join(locks, name), { force: true });
  }
  return number;
}

function highestOf(names: readonly string[]): number {
  const numbers = names.flatMap((name) => (/^[0-9]{1,15}$/.test(name) ? [Number(name)] : []));
  return numbers.reduce((most, each) => Math.max(most, each), 0);
}

/** Whether the holder and the program that it ran are proved dead. */
async function isGivenUp(locks: string, number: number): Promise<boolean> {
  const holder = await holderOf(join(locks, String(number)));
  if (holder === undefined || isAlive(holder) !== 'dead') return false;
  const program = await pidOf(join(locks, `${number}.program`));
  if (program === undefined) return true;
  const { startTime: _, ...where } = holder;
  return isAlive({ ...where, ...program }) === 'dead';
}

async function holderOf(file: string): Promise<ProcessIdentity | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ProcessIdentity;
  } catch {
    // Not there any more, or nothing that can be understood: then nothing is proved.
    return undefined;
  }
}
