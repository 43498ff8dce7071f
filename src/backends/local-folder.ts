import type { Stats } from 'node:fs';
import { access, constants, mkdir, readdir, stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { CbrError } from '../core/index.js';
import { type Backend, OBJECT_KINDS } from './backend.js';
import { LocalBackend } from './local.js';
import { localFailure } from './local-errors.js';
import { FOLDER_MODE, ifErrno, syncFolder } from './local-publish.js';

/** Folders that a repository owns. */
const OWN_FOLDERS: readonly string[] = [...OBJECT_KINDS, 'tmp'];

/** What a fresh file system holds: a repository may be the root of a disk of its own. */
const IGNORED = new Set(['lost+found', 'reserve']);

/**
 * The repository in the folder `root`. Rejects with CbrError 'no-repository' when there is no such folder or it is empty,
 * 'not-a-repository' when it is a file or holds other things, BackendError when the system refuses to look.
 */
export async function openLocalBackend(root: string): Promise<Backend> {
  const path = resolve(root);
  return explained(`cannot open the repository ${path}`, async () => {
    const found = await statOrAbsent(path);
    if (found === undefined) {
      throw new CbrError('no-repository', `there is no repository at ${path}: the folder does not exist`, {
        hint: 'check the location, and that its disk is mounted; `cbr init` makes a new repository',
      });
    }
    requireFolder(path, found);
    if (!(await statOrAbsent(join(path, 'config')))?.isDirectory()) {
      const names = await namesIn(path);
      if (names.length > 0) throw notARepository(path, `it holds ${quoted(names)} but no folder config`);
      throw new CbrError('no-repository', `there is no repository at ${path}: the folder is empty`, {
        hint: 'check that its disk is mounted; `cbr init` makes a new repository',
      });
    }
    const writable = await isWritable(path);
    if (writable) await mkdir(join(path, 'tmp'), { mode: FOLDER_MODE }).catch(ifErrno('EEXIST'));
    return new LocalBackend(path, writable);
  });
}

/**
 * Makes an empty repository in `root`, which may be absent (it is made, its parents too) or empty. Rejects with CbrError
 * 'repository-exists' when there is one, 'not-a-repository' when it is a file or a folder that holds anything else.
 */
export async function createLocalBackend(root: string): Promise<Backend> {
  const path = resolve(root);
  return explained(`cannot make a repository in ${path}`, async () => {
    const found = await statOrAbsent(path);
    if (found === undefined) await makeDurableFolder(path);
    else requireFolder(path, found);
    await requireUnused(path);
    // config comes last: only with it the folder is a repository, so an interrupted init can be repeated.
    for (const name of [...OWN_FOLDERS.filter((each) => each !== 'config'), 'config']) {
      await mkdir(join(path, name), { mode: FOLDER_MODE }).catch(ifErrno('EEXIST'));
    }
    await syncFolder(path);
    return new LocalBackend(path, true);
  });
}

/** Rejects as `createLocalBackend` would because of what is there now; makes nothing. */
export async function checkNewLocalBackend(root: string): Promise<void> {
  const path = resolve(root);
  await explained(`cannot make a repository in ${path}`, async () => {
    const found = await statOrAbsent(path);
    if (found !== undefined) {
      requireFolder(path, found);
      await requireUnused(path);
    }
    let folder = path;
    while ((await statOrAbsent(folder)) === undefined && folder !== dirname(folder)) folder = dirname(folder);
    // The dot: below a file no folder can be made.
    await access(`${folder}/.`, constants.W_OK | constants.X_OK);
  });
}

async function requireUnused(path: string): Promise<void> {
  const used: string[] = [];
  for (const kind of OBJECT_KINDS) {
    const names = await readdir(join(path, kind)).catch(ifErrno('ENOENT', 'ENOTDIR'));
    if (kind === 'config' && names !== undefined && names.length > 0) {
      throw new CbrError('repository-exists', `there is a repository at ${path} already`, {
        hint: 'use it, or choose another folder for the new one',
      });
    }
    if (names !== undefined && names.length > 0) used.push(kind);
  }
  const strange = (await namesIn(path)).filter((name) => !OWN_FOLDERS.includes(name));
  if (strange.length > 0) throw notARepository(path, `it holds ${quoted(strange)}`);
  // Keys alone are what an init leaves that was killed: they open nothing, and the new config knows its own.
  const beside = used.filter((kind) => kind !== 'keys');
  if (beside.length > 0) throw notARepository(path, `it holds objects (${used.join(', ')}) but no config`);
}

function notARepository(path: string, reason: string): CbrError {
  return new CbrError('not-a-repository', `${path} is not a repository: ${reason}`, {
    hint: 'choose the folder of a repository, or a new or empty folder for `cbr init`',
  });
}

function quoted(names: readonly string[]): string {
  const shown = names.slice(0, 3).map((name) => JSON.stringify(name));
  return names.length > shown.length
    ? `${shown.join(', ')} and ${names.length - shown.length} more`
    : shown.join(', ');
}

function requireFolder(path: string, found: Stats): void {
  if (!found.isDirectory()) throw notARepository(path, 'it is not a folder');
}

async function statOrAbsent(path: string): Promise<Stats | undefined> {
  return stat(path).catch(ifErrno('ENOENT', 'ENOTDIR'));
}

async function namesIn(path: string): Promise<string[]> {
  return (await readdir(path)).filter((name) => !IGNORED.has(name)).sort();
}

/** Whether the file system and the permissions let this process write; a repository on a read-only medium can be read. */
async function isWritable(path: string): Promise<boolean> {
  const refused = await access(path, constants.W_OK).then(
    () => false,
    (error) => {
      ifErrno('EROFS', 'EACCES', 'EPERM')(error);
      return true;
    },
  );
  return !refused;
}

/** Makes a folder and the parents it lacks, and makes the entry of each durable. */
async function makeDurableFolder(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: FOLDER_MODE });
  if (first === undefined) return;
  for (let folder = path; folder.length >= first.length; folder = dirname(folder)) {
    await syncFolder(dirname(folder));
  }
}

async function explained<T>(what: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    throw localFailure(what, error);
  }
}
