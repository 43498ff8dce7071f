import { rmSync, statSync } from 'node:fs';
import { mkdir } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { CbrError, isAlive, messageOf, type ProcessIdentity, sameBytes } from '../../core/index.js';
import {
  dataFile,
  makePrivateFolder,
  removeDatabase,
  removeLeftovers,
  removeReaderTable,
  writeAbout,
} from './cache-folder.js';
import { type Claim, type ClaimResult, claimFolder } from './claim.js';
import { faultOf, fingerprintOf, settle } from './data-file.js';
import type { Database, Table } from './database.js';
import { removeDurably, writeDurably } from './durable-file.js';
import { NamedValues } from './named-values.js';
import { destructiveMark, hasDestructiveMark, readOpenMark, writeOpenMark } from './open-mark.js';
import { replaceBySound } from './walk-in-child.js';

/** Opening a data file that lies in a folder of its own, whatever state folder and file are in. */

export interface CacheOptions {
  /** The folder it lies in; made if it is missing. */
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

/** What ties a database to the folder it lies in. */
export interface Housing {
  /** Folder for files that outgrow memory, removed when they have served. */
  readonly spillFolder: string;
  /** Whether nobody else will see what is written here. */
  readonly isPrivate: boolean;
  beginDestructive(): void;
  endDestructive(): void;
  /** Called last, when the database is closed. `sound`: it may be used again. */
  leave(sound: boolean): void;
}

/** What is kept in a data file: how it is called, opened and checked. */
export interface Kept<D extends Database<{ readonly meta: Table<Buffer> }>, T> {
  /** In messages: `cache`. */
  readonly what: string;
  /** Raised with every change of its layouts: a data file of another number is built anew. */
  readonly schema: number;
  /** What walk.ts is told beside the files: see there. */
  readonly walkArguments: readonly string[];
  /** How long to wait for another process that has it, in milliseconds, before a private one is made. */
  readonly patienceMs: number;
  openDatabase(path: string): Promise<D>;
  /** `wasInterrupted`: a run that removed objects from the repository did not come to its end. */
  prepare(database: D, housing: Housing, wasInterrupted: boolean): Promise<T>;
}

/**
 * Opens what is kept in a folder: a data file that cannot be trusted is emptied, and one that another process holds, or that
 * cannot be written, is replaced by a private one that goes when it is closed. Rejects only when there is no room for that
 * either.
 */
export async function openHoused<D extends Database<{ readonly meta: Table<Buffer> }>, T>(
  options: CacheOptions,
  kept: Kept<D, T>,
): Promise<T> {
  return new Opening(options, kept).open();
}

/** Between two looks at a folder that another process has. */
const LOOK_MS = 100;

class Opening<D extends Database<{ readonly meta: Table<Buffer> }>, T> {
  constructor(
    private readonly options: CacheOptions,
    private readonly kept: Kept<D, T>,
  ) {}

  async open(): Promise<T> {
    const { folder, report } = this.options;
    const { what } = this.kept;
    try {
      return await this.openLasting();
    } catch (error) {
      const reason = `the ${what} folder ${folder} cannot be used: ${messageOf(error)}`;
      report(`${reason}. This run keeps its ${what} in ${tmpdir()} and removes it at the end.`, 'notice');
    }
    try {
      return await this.openPrivate(tmpdir(), 'cbr-cache-');
    } catch (error) {
      throw new CbrError('internal', `no ${what} can be kept in ${folder} or in ${tmpdir()}`, {
        hint: 'name a folder that can be written with --cache-dir',
        cause: error,
      });
    }
  }

  private async openLasting(): Promise<T> {
    const { folder, identity, location, repositoryId, report } = this.options;
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const now = this.options.now();
    const result = await this.claim(now);
    if (result.kind === 'busy') {
      const { holder, file } = result;
      // One that cannot be examined may be gone: then somebody has to remove its file.
      const certain = holder === undefined || isAlive(holder, identity) === 'alive';
      const message = `The ${this.kept.what} is used by ${userText(result)} (${file}). This run builds one of its own.`;
      report(message, certain ? 'verbose' : 'notice');
      return this.openPrivate(folder, 'private-');
    }
    try {
      writeAbout(folder, repositoryId, location);
      removeLeftovers(folder, identity, now);
      return await this.openHeld(result.claim);
    } catch (error) {
      result.claim.release();
      throw error;
    }
  }

  private async claim(now: number): Promise<ClaimResult> {
    const { folder, identity, report } = this.options;
    const { what, patienceMs } = this.kept;
    for (let waited = 0; ; waited += LOOK_MS) {
      const result = await claimFolder(folder, identity, now);
      if (result.kind === 'held' || waited >= patienceMs) return result;
      if (waited === 0) report(`The ${what} is used by ${userText(result)}: waiting for it.`, 'verbose');
      await setTimeout(LOOK_MS);
    }
  }

  private async openHeld(claim: Claim): Promise<T> {
    const { folder, report } = this.options;
    const { what } = this.kept;
    const housing = this.lastingHousing(claim);
    let reason = claim.contested
      ? 'the process that used it last cannot be examined'
      : await this.reasonNotToOpen().catch(messageOf);
    if (reason === undefined) {
      const opened = await this.openMarked(housing);
      if (typeof opened !== 'string') return opened.value;
      reason = opened;
    }
    report(`The ${what} of this repository is built anew: ${reason}.`, 'notice');
    removeDatabase(folder);
    const opened = await this.openMarked(housing);
    if (typeof opened === 'string') throw new CbrError('internal', opened);
    return opened.value;
  }

  /** Why the data file must not be opened by this process, or undefined. A file left open is checked and replaced. */
  private async reasonNotToOpen(): Promise<string | undefined> {
    const { folder, identity, report } = this.options;
    const data = dataFile(folder);
    const mark = readOpenMark(folder);
    const fingerprint = fingerprintOf(data);
    if (fingerprint === undefined) return mark.state === 'none' ? undefined : 'its data file is gone';
    if (!statSync(data).isFile()) return 'its data file is none';
    if (mark.state === 'none') return 'its state is not known';
    if (mark.state === 'closed') {
      // A file that others wrote to may be damaged in ways that no reading shows, such as its list of free pages.
      return mark.fingerprint === fingerprint
        ? faultOf(data)
        : 'its data file was changed since it was closed';
    }
    // What was not flushed when the machine stopped may be of any age, page by page.
    if (mark.bootId === undefined || mark.bootId !== identity.bootId)
      return 'the machine stopped while it was used';
    report(`The ${this.kept.what} was not closed by the last run. It is checked first.`, 'verbose');
    removeReaderTable(folder);
    return replaceBySound(data, this.kept.walkArguments);
  }

  /** Opens the data file, or makes one, and prepares it; resolves to the reason when that fails. */
  private async openMarked(housing: Housing): Promise<{ readonly value: T } | string> {
    const { folder, identity } = this.options;
    removeReaderTable(folder);
    writeOpenMark(folder, { state: 'open', bootId: identity.bootId });
    let database: D | undefined;
    try {
      database = await this.kept.openDatabase(dataFile(folder));
      if (!this.bindTo(database)) throw new Error('it belongs to another repository or version');
      const interrupted = hasDestructiveMark(folder);
      const value = await this.kept.prepare(database, housing, interrupted);
      if (interrupted) removeDurably(destructiveMark(folder));
      return { value };
    } catch (error) {
      await database?.close();
      return messageOf(error);
    }
  }

  /** Whether the database is of this repository, mode and schema; a new one is bound to them. */
  private bindTo(database: D): boolean {
    const { repositoryId, encrypted } = this.options;
    const meta = new NamedValues(database, database.tables.meta);
    const expected = Buffer.concat([Buffer.from([this.kept.schema, encrypted ? 1 : 0]), repositoryId]);
    const found = meta.get('cache', 'bound-to');
    if (found !== undefined) return sameBytes(found, expected);
    if (database.tables.meta.count > 0) return false;
    meta.put('cache', 'bound-to', expected);
    return true;
  }

  private lastingHousing(claim: Claim): Housing {
    const { folder, report } = this.options;
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
          // The next run will check it.
          report(`The ${this.kept.what} could not be closed: ${messageOf(error)}.`, 'verbose');
        } finally {
          claim.release();
        }
      },
    };
  }

  private async openPrivate(parent: string, prefix: string): Promise<T> {
    const folder = makePrivateFolder(parent, prefix, this.options.identity);
    const remove = () => rmSync(folder, { recursive: true, force: true });
    try {
      const database = await this.kept.openDatabase(dataFile(folder));
      this.bindTo(database);
      // Nobody finds this database after this process, so there is nobody to warn.
      const nobody = () => {};
      const housing: Housing = {
        spillFolder: folder,
        isPrivate: true,
        beginDestructive: nobody,
        endDestructive: nobody,
        leave: remove,
      };
      return await this.kept.prepare(database, housing, false);
    } catch (error) {
      remove();
      throw error;
    }
  }
}

function userText({ holder }: ClaimResult & { readonly kind: 'busy' }): string {
  return holder === undefined ? 'another process' : `process ${holder.pid} on ${holder.host}`;
}
