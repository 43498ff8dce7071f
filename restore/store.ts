import { closeSync, readdirSync, readSync } from 'node:fs';
import { join } from 'node:path';
import { Damage, messageOf, rethrowUnlessDamage } from './failure.js';
import { openFile } from './file.js';

/** The objects of all folders in reach, as if they lay in one: docs/format.md, "Objects". */

/** Kinds whose names are one part, and the names that count. `packs` have a level of folders in between. */
const NAMES = Object.freeze({
  config: /^[1-9][0-9]{0,8}$/,
  keys: /^[0-9a-f]{32}$/,
  snapshots: /^[0-9a-f]{32}$/,
  forgotten: /^[0-9a-f]{32}$/,
  index: /^[0-9a-f]{64}$/,
  catalog: /^[1-9][0-9]{0,14}$/,
});
const PACK = /^[0-9a-f]{64}$/;
const SESSION = /^[0-9a-f]{32}$/;
const NOTE = /^[1-9][0-9]{0,14}$/;

export type FlatKind = keyof typeof NAMES;
export type Kind = FlatKind | 'notes' | 'packs';

/** Records and index segments are at most so long, with padding and seal. */
const MOST_WHOLE_BYTES = 80 * 2 ** 20;
const MOST_PACK_BYTES = 2 ** 30;
const OPEN_FILES = 16;

/** Opened packs are kept open; `close` before a disc is taken out. */
export class Store {
  private readonly copies = new Map<Kind, Map<string, string[]>>();
  private readonly open = new Map<string, { readonly file: number; readonly size: number }>();

  constructor(readonly folders: readonly string[]) {
    for (const folder of folders) this.scan(folder);
  }

  /** Names of all objects of a kind, sorted. Those of notes are `<sid>/<n>`. */
  names(kind: Kind): string[] {
    return [...(this.copies.get(kind)?.keys() ?? [])].sort();
  }

  has(kind: Kind, name: string): boolean {
    return this.copies.get(kind)?.has(name) ?? false;
  }

  /**
   * What `use` makes of the whole object, from the first copy with which it throws no Damage; else the Damage of the first. A disc
   * may be scratched where another one is not.
   */
  read<T>(kind: Kind, name: string, use: (object: Buffer) => T): T {
    return this.firstCopy(kind, name, (path) => use(this.whole(path)));
  }

  /** As `read`, for a pack that `use` reads by ranges. */
  readPack<T>(name: string, use: (read: (offset: number, length: number) => Buffer, size: number) => T): T {
    return this.firstCopy('packs', name, (path) => {
      const { file, size } = this.opened(path);
      if (size > MOST_PACK_BYTES) throw new Damage('it is too large');
      return use((offset, length) => {
        if (offset < 0 || offset + length > size) throw new Damage('it is cut short');
        return rangeOf(file, offset, length);
      }, size);
    });
  }

  /** The files that hold an object. */
  pathsOf(kind: Kind, name: string): readonly string[] {
    return this.copies.get(kind)?.get(name) ?? [];
  }

  /** Names of the packs in one of the folders. */
  packsIn(folder: string): string[] {
    return this.names('packs').filter((name) => this.pathsOf('packs', name).includes(packPath(folder, name)));
  }

  close(): void {
    for (const { file } of this.open.values()) closeSync(file);
    this.open.clear();
  }

  /** What `use` makes of each copy of the whole object, without those with which it throws Damage; if all do, that of the first. */
  readAll<T>(kind: Kind, name: string, use: (object: Buffer) => T): T[] {
    const made = new Map<string, T>();
    let first: Damage | undefined;
    for (const path of this.pathsOf(kind, name)) {
      try {
        const object = this.whole(path);
        const key = object.toString('latin1');
        if (!made.has(key)) made.set(key, use(object));
      } catch (error) {
        rethrowUnlessDamage(error);
        first ??= error;
      }
    }
    if (made.size === 0) throw first ?? new Damage('it is not in reach');
    return [...made.values()];
  }

  private whole(path: string): Buffer {
    const { file, size } = this.opened(path);
    if (size > MOST_WHOLE_BYTES) throw new Damage('it is too large');
    return rangeOf(file, 0, size);
  }

  private firstCopy<T>(kind: Kind, name: string, use: (path: string) => T): T {
    let first: Damage | undefined;
    for (const path of this.pathsOf(kind, name)) {
      try {
        return use(path);
      } catch (error) {
        rethrowUnlessDamage(error);
        first ??= error;
      }
    }
    throw first ?? new Damage('it is not in reach');
  }

  private opened(path: string): { file: number; size: number } {
    const known = this.open.get(path);
    if (known !== undefined) return known;
    if (this.open.size >= OPEN_FILES) this.close();
    try {
      const opened = openFile(path);
      this.open.set(path, opened);
      return opened;
    } catch (error) {
      throw new Damage(`it cannot be read: ${messageOf(error)}`);
    }
  }

  private scan(folder: string): void {
    for (const kind of Object.keys(NAMES) as FlatKind[]) {
      for (const name of namesIn(join(folder, kind))) {
        if (NAMES[kind].test(name)) this.add(kind, name, join(folder, kind, name));
      }
    }
    for (const beginning of namesIn(join(folder, 'packs'))) {
      for (const name of namesIn(join(folder, 'packs', beginning))) {
        const isPack = PACK.test(name) && name.slice(0, 2) === beginning;
        if (isPack) this.add('packs', name, packPath(folder, name));
      }
    }
    for (const session of namesIn(join(folder, 'notes')).filter((name) => SESSION.test(name))) {
      for (const number of namesIn(join(folder, 'notes', session))) {
        const path = join(folder, 'notes', session, number);
        if (NOTE.test(number)) this.add('notes', `${session}/${number}`, path);
      }
    }
  }

  private add(kind: Kind, name: string, path: string): void {
    const names = this.copies.get(kind) ?? new Map<string, string[]>();
    this.copies.set(kind, names);
    const paths = names.get(name);
    if (paths === undefined) names.set(name, [path]);
    else paths.push(path);
  }
}

const packPath = (folder: string, name: string): string => join(folder, 'packs', name.slice(0, 2), name);

/** Nothing where there is no such folder, or where it cannot be read: what it holds is then not in reach. */
function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch {
    return [];
  }
}

/** Throws Damage for what a scratched disc answers. */
function rangeOf(file: number, offset: number, length: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let done = 0;
  try {
    while (done < length) {
      const read = readSync(file, bytes, done, length - done, offset + done);
      if (read === 0) throw new Damage('it is cut short');
      done += read;
    }
  } catch (error) {
    if (error instanceof Damage) throw error;
    throw new Damage(`it cannot be read: ${messageOf(error)}`);
  }
  return bytes;
}
