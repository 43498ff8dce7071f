import { rmSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { CbrError, isAlive, messageOf, type ProcessIdentity, sameBytes } from '../../core/index.js';
import {
  dataFile,
  makePrivateFolder,
  removeDatabase,
  removeLeftovers,
  removeReaderTable,
  writeAbout,
} from './cache-folder.js';
import { type Claim, claimFolder } from './claim.js';
import { faultOf, fingerprintOf, settle } from './data-file.js';
import { type Database, openDatabase } from './database.js';
import { removeDurably, writeDurably } from './durable-file.js';
import { CACHE_SCHEMA } from './layout.js';
import { NamedValues } from './named-values.js';
import { destructiveMark, hasDestructiveMark, readOpenMark, writeOpenMark } from './open-mark.js';
import { type CacheHousing, RepositoryCache } from './repository-cache.js';
import { replaceBySound } from './walk-in-child.js';

export interface CacheOptions {
  /** The folder of this repository's cache; made if it is missing. */
  readonly folder: string;
  /** How the user names the repository; for listings. */
  readonly location: string;
  readonly repositoryId: Uint8Array;
  readonly encrypted: boolean;
  readonly identity: ProcessIdentity;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Takes whole sentences; `verbose` ones are for who asked for them. */
  readonly report: (message: string, weight: 'notice' | 'verbose') => void;
}

/**
 * Opens the cache of a repository, whatever state it is in: one that cannot be trusted is emptied, and one that another
 * process holds, or that cannot be written, is replaced by a private one that goes when it is closed. Rejects only when
 * there is no room for that either.
 */
export async function openCache(options: CacheOptions): Promise<RepositoryCache> {
  try {
    return await openLasting(options);
  } catch (error) {
    const reason = `the cache folder ${options.folder} cannot be used: ${messageOf(error)}`;
    options.report(`${reason}. This run keeps its cache in ${tmpdir()} and removes it at the end.`, 'notice');
  }
  try {
    return await openPrivate(tmpdir(), 'cbr-cache-', options);
  } catch (error) {
    throw new CbrError('internal', `no cache can be kept in ${options.folder} or in ${tmpdir()}`, {
      hint: 'name a folder that can be written with --cache-dir',
      cause: error,
    });
  }
}

async function openLasting(options: CacheOptions): Promise<RepositoryCache> {
  const { folder, identity, report } = options;
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const now = options.now();
  const result = await claimFolder(folder, identity, now);
  if (result.kind === 'busy') {
    const { holder, file } = result;
    const user = holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`;
    // One that cannot be examined may be gone: then somebody has to remove its file.
    const certain = holder === undefined || isAlive(holder, identity) === 'alive';
    const message = `The cache is used by ${user} (${file}). This run builds one of its own.`;
    report(message, certain ? 'verbose' : 'notice');
    return openPrivate(folder, 'private-', options);
  }
  try {
    writeAbout(folder, options.repositoryId, options.location);
    removeLeftovers(folder, identity, now);
    return await openHeld(result.claim, options);
  } catch (error) {
    result.claim.release();
    throw error;
  }
}

async function openHeld(claim: Claim, options: CacheOptions): Promise<RepositoryCache> {
  const { folder, report } = options;
  const housing = lastingHousing(claim, options);
  let reason = claim.contested
    ? 'the process that used it last cannot be examined'
    : await reasonNotToOpen(options).catch(messageOf);
  if (reason === undefined) {
    const opened = await openMarked(housing, options);
    if (typeof opened !== 'string') return opened;
    reason = opened;
  }
  report(`The cache of this repository is built anew: ${reason}.`, 'notice');
  removeDatabase(folder);
  const opened = await openMarked(housing, options);
  if (typeof opened === 'string') throw new CbrError('internal', opened);
  return opened;
}

/** Why the data file must not be opened by this process, or undefined. A file left open is checked and replaced. */
async function reasonNotToOpen({ folder, identity, report }: CacheOptions): Promise<string | undefined> {
  const data = dataFile(folder);
  const mark = readOpenMark(folder);
  const fingerprint = fingerprintOf(data);
  if (fingerprint === undefined) return mark.state === 'none' ? undefined : 'its data file is gone';
  if (!statSync(data).isFile()) return 'its data file is none';
  if (mark.state === 'none') return 'its state is not known';
  if (mark.state === 'closed') {
    // A file that others wrote to may be damaged in ways that no reading shows, such as its list of free pages.
    return mark.fingerprint === fingerprint ? faultOf(data) : 'its data file was changed since it was closed';
  }
  // What was not flushed when the machine stopped may be of any age, page by page.
  if (mark.bootId === undefined || mark.bootId !== identity.bootId)
    return 'the machine stopped while it was used';
  report('The cache was not closed by the last run. It is checked first.', 'verbose');
  removeReaderTable(folder);
  return replaceBySound(data);
}

/** Opens the data file, or makes one, and prepares the cache; resolves to the reason when that fails. */
async function openMarked(housing: CacheHousing, options: CacheOptions): Promise<RepositoryCache | string> {
  const { folder, identity, report } = options;
  removeReaderTable(folder);
  writeOpenMark(folder, { state: 'open', bootId: identity.bootId });
  let database: Database | undefined;
  try {
    database = await openDatabase(dataFile(folder), 'write');
    if (!bindTo(database, options)) throw new Error('it belongs to another repository or version');
    const cache = new RepositoryCache(database, housing);
    const interrupted = hasDestructiveMark(folder);
    await cache.prepare(interrupted);
    if (interrupted) {
      report('A run that removed packs was interrupted: the chunk index is built anew.', 'notice');
      removeDurably(destructiveMark(folder));
    }
    return cache;
  } catch (error) {
    await database?.close();
    return messageOf(error);
  }
}

/** Whether the database is of this repository, mode and schema; a new one is bound to them. */
function bindTo(database: Database, { repositoryId, encrypted }: CacheOptions): boolean {
  const meta = new NamedValues(database, database.tables.meta);
  const expected = Buffer.concat([Buffer.from([CACHE_SCHEMA, encrypted ? 1 : 0]), repositoryId]);
  const found = meta.get('cache', 'bound-to');
  if (found !== undefined) return sameBytes(found, expected);
  if (database.tables.meta.count > 0) return false;
  meta.put('cache', 'bound-to', expected);
  return true;
}

function lastingHousing(claim: Claim, { folder, report }: CacheOptions): CacheHousing {
  const mark = destructiveMark(folder);
  return {
    spillFolder: folder,
    isPrivate: false,
    beginDestructive: () => writeDurably(mark, ''),
    endDestructive: () => removeDurably(mark),
    leave: (sound) => {
      try {
        // A claim that was broken means that others use this folder, with another data file.
        if (!claim.stillHeld()) return;
        if (!sound) removeDatabase(folder);
        else writeOpenMark(folder, { state: 'closed', fingerprint: settle(dataFile(folder)) });
      } catch (error) {
        report(`The cache could not be closed: ${messageOf(error)}.`, 'verbose'); // the next run will check it
      } finally {
        claim.release();
      }
    },
  };
}

async function openPrivate(parent: string, prefix: string, options: CacheOptions): Promise<RepositoryCache> {
  const folder = makePrivateFolder(parent, prefix, options.identity);
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    const database = await openDatabase(dataFile(folder), 'write');
    bindTo(database, options);
    // Nobody finds this cache after this process, so there is nobody to warn.
    const nobody = () => {};
    return new RepositoryCache(database, {
      spillFolder: folder,
      isPrivate: true,
      beginDestructive: nobody,
      endDestructive: nobody,
      leave: remove,
    });
  } catch (error) {
    remove();
    throw error;
  }
}
