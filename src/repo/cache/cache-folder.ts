import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isAlive, type ProcessIdentity, toHex } from '../../core/index.js';
import { readJsonObject, writeDurably } from './durable-file.js';

/**
 * The files of a cache folder: `about` (whose cache it is), `state` (see open-mark.ts), `claim-*` and `held-*` (see
 * claim.ts), `destructive`, the data file with LMDB's lock file, and folders `private-*` of processes that found it held.
 */

export function dataFile(folder: string): string {
  return join(folder, 'data.mdb');
}

/** LMDB's table of readers. Nobody else has the file open, so an old one holds nothing but damage. */
export function removeReaderTable(folder: string): void {
  rmSync(`${dataFile(folder)}-lock`, { force: true });
}

/** Removes the database itself. A process that still has it open goes on with files that have no name. */
export function removeDatabase(folder: string): void {
  rmSync(dataFile(folder), { recursive: true, force: true });
  removeReaderTable(folder);
}

export interface About {
  readonly repositoryId: string;
  readonly location: string;
}

export function writeAbout(folder: string, repositoryId: Uint8Array, location: string): void {
  const about: About = { repositoryId: toHex(repositoryId), location };
  const known = readAbout(folder);
  if (known?.repositoryId === about.repositoryId && known.location === location) return;
  writeDurably(join(folder, 'about'), JSON.stringify(about));
}

/** Undefined for a folder that is no cache. */
export function readAbout(folder: string): About | undefined {
  const found = readJsonObject(join(folder, 'about'));
  return typeof found?.repositoryId === 'string' && typeof found.location === 'string'
    ? { repositoryId: found.repositoryId, location: found.location }
    : undefined;
}

const OWNER = 'owner';

/** A new folder below `parent` for this process alone. */
export function makePrivateFolder(parent: string, prefix: string, owner: ProcessIdentity): string {
  mkdirSync(parent, { recursive: true });
  const folder = mkdtempSync(join(parent, prefix));
  writeFileSync(join(folder, OWNER), JSON.stringify(owner));
  return folder;
}

/** Files of whoever holds the folder: once it is held anew they are nobody's. */
const OF_HOLDER = /^(merge-|data\.mdb-walked-)/;
/** Files that may belong to a process that lives, unless they are old. */
const OF_ANYONE = /^(new-|private-)/;
const OLD_MS = 24 * 3600 * 1000;

/** Removes what killed processes left in a folder that this process holds. */
export function removeLeftovers(folder: string, own: ProcessIdentity, now: number): void {
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    if (!OF_HOLDER.test(name) && !OF_ANYONE.test(name)) continue;
    const owner = name.startsWith('private-') ? readJsonObject(join(path, OWNER)) : undefined;
    const dead = owner !== undefined && isAlive(owner as unknown as ProcessIdentity, own) === 'dead';
    const modified = statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? now;
    if (OF_HOLDER.test(name) || dead || now - modified > OLD_MS)
      rmSync(path, { recursive: true, force: true });
  }
}
