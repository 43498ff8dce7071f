import { randomBytes } from 'node:crypto';
import { link, mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { CbrError, errnoOf, isAlive, ownIdentity, type ProcessIdentity } from '../../core/index.js';
import { type ProgramMark, pidOf } from '../xorriso/program-file.js';
import { stagingFolderOf } from './staged-settings.js';

/**
 * One process at a time appends to the images of a folder. The lock is a number: who holds it has made `appending/<n>` for the highest n, and
 * `appending/<n>.free` says that it has let go. Nothing is ever removed to take it, so that of two who see it free one gets it. When a
 * holder was killed, the program that it ran may be at work still: so long nobody has the lock.
 */

const PAUSE_MS = 200;
const MOST_PAUSES = 9000; // half an hour: as long as a disc takes

/**
 * Runs `use` while nobody else does. `onWait` is told once that there is somebody to wait for. Rejects with `busy` when the holder never ends, and
 * with the signal's reason.
 */
export async function withAppendLock<T>(
  folder: string,
  signal: AbortSignal,
  onWait: (folder: string) => void,
  use: (mark: ProgramMark) => Promise<T>,
): Promise<T> {
  const locks = join(stagingFolderOf(folder), 'appending');
  await mkdir(locks, { recursive: true });
  for (let pause = 0; ; pause++) {
    const number = await take(locks);
    if (number !== undefined) return holding(locks, number, signal, use);
    if (pause === 0) onWait(folder);
    if (pause === MOST_PAUSES) {
      throw new CbrError('busy', `another process appends to the images in ${folder}`, {
        hint: `Wait until it is done. If there is certainly none, remove the folder ${locks}.`,
      });
    }
    await moment(signal);
  }
}

function moment(signal: AbortSignal): Promise<void> {
  return setTimeout(PAUSE_MS, undefined, { signal }).catch(() => signal.throwIfAborted());
}

async function holding<T>(
  locks: string,
  number: number,
  signal: AbortSignal,
  use: (mark: ProgramMark) => Promise<T>,
): Promise<T> {
  const lock = join(locks, String(number));
  try {
    // One that a process had begun to start before it was killed shows only now.
    while (await isProgramAtWork(locks)) await moment(signal);
    await removeOlder(locks, number);
    return await use({ file: `${lock}.program`, needed: lock, unwanted: join(locks, String(number + 1)) });
  } finally {
    await writeFile(`${lock}.free`, '');
  }
}

/** What a program looks for that is still to begin goes last. */
async function removeOlder(locks: string, number: number): Promise<void> {
  const older = (await readdir(locks)).filter((name) => {
    const [, its] = /^([0-9]+)(\.free|\.program)?$/.exec(name) ?? [];
    return its !== undefined && Number(its) < number;
  });
  for (const name of older.sort((a, b) => b.length - a.length)) await rm(join(locks, name), { force: true });
}

/** The number of the lock that this process has now; undefined when somebody else has it. */
async function take(locks: string): Promise<number | undefined> {
  const names = await readdir(locks);
  const highest = highestOf(names);
  const isFree = highest === 0 || names.includes(`${highest}.free`) || (await isHolderDead(locks, highest));
  if (!isFree || (await isProgramAtWork(locks))) return undefined;
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
  return number;
}

function highestOf(names: readonly string[]): number {
  const numbers = names.flatMap((name) => (/^[0-9]{1,15}$/.test(name) ? [Number(name)] : []));
  return numbers.reduce((most, each) => Math.max(most, each), 0);
}

async function isHolderDead(locks: string, number: number): Promise<boolean> {
  const holder = await holderOf(join(locks, String(number)));
  return holder !== undefined && isAlive(holder) === 'dead';
}

/** Whether a program is not proved dead that somebody has run who has not let go. */
async function isProgramAtWork(locks: string): Promise<boolean> {
  const names = await readdir(locks);
  for (const name of names) {
    const [, number] = /^([0-9]+)\.program$/.exec(name) ?? [];
    if (number === undefined || names.includes(`${number}.free`)) continue;
    const program = await pidOf(join(locks, name));
    if (program === undefined) continue;
    // One that looks for its lock in vain ends at once, on whichever machine.
    const { startTime: _, ...where } = (await holderOf(join(locks, number))) ?? ownIdentity(hostname());
    if (isAlive({ ...where, ...program }) !== 'dead') return true;
  }
  return false;
}

async function holderOf(file: string): Promise<ProcessIdentity | undefined> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as ProcessIdentity;
  } catch {
    // Not there any more, or nothing that can be understood: then nothing is proved.
    return undefined;
  }
}
