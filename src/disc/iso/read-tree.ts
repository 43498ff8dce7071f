import { CbrError, DamagedError } from '../../core/index.js';
import { SECTOR_BYTES } from '../media.js';
import type { FolderExtent } from './descriptors.js';
import { type DirectoryRecord, directoryRecords } from './directory-record.js';
import { entryName, nameFault } from './entry-names.js';
import { FolderReader } from './folder-reader.js';
import type { IsoExtent, IsoFile, IsoNaming } from './iso-volume.js';
import { type SectorSource, subjectOf } from './sectors.js';
import { type RockRidge, readRockRidge, skippedBytes } from './system-use.js';

/** Deeper than any tree that cbr or a user writes on a disc, and paths no longer than systems take. */
const MOST_LEVELS = 128;
const MOST_PATH_CHARACTERS = 4096;
const REGULAR = 0o100000;
const NOTHING: RockRidge = { name: undefined, type: undefined, childSector: undefined, isRelocated: false };

interface Folder {
  /** With a slash behind; empty for the root. */
  readonly path: string;
  readonly level: number;
  readonly extent: IsoExtent;
}

/**
 * All regular files below `root`, by path. Rejects with DamagedError what cannot be the tree of a disc (folders that hold each other,
 * names that no file can have), with CbrError `limit` what is larger than any disc needs, and as the source does.
 */
export async function readTree(
  source: SectorSource,
  root: FolderExtent,
  naming: IsoNaming,
): Promise<ReadonlyMap<string, IsoFile>> {
  return new TreeReader(source, naming).read(root);
}

/** How many bytes a disc with Rock Ridge has before its fields; undefined without Rock Ridge. */
export async function rockRidgeSkip(source: SectorSource, root: FolderExtent): Promise<number | undefined> {
  const content = await new FolderReader(source).readFolder(ownSector(root.sector), '/');
  for (const { systemUse } of directoryRecords(content, subjectOf(source), '/'))
    return skippedBytes(systemUse);
  return undefined;
}

/** Where a folder's first record is: the one of itself. */
function ownSector(sector: number): IsoExtent {
  return { offset: sector * SECTOR_BYTES, length: SECTOR_BYTES };
}

class TreeReader {
  private readonly reader: FolderReader;
  private readonly subject: string;
  private readonly files = new Map<string, IsoFile>();
  private readonly seen = new Set<number>();
  private readonly folders: Folder[] = [];
  private skip = 0;

  constructor(
    private readonly source: SectorSource,
    private readonly naming: IsoNaming,
  ) {
    this.reader = new FolderReader(source);
    this.subject = subjectOf(source);
  }

  async read(root: FolderExtent): Promise<ReadonlyMap<string, IsoFile>> {
    if (this.naming === 'rock-ridge') this.skip = (await rockRidgeSkip(this.source, root)) ?? 0;
    this.enter({ path: '', level: 0, extent: { offset: root.sector * SECTOR_BYTES, length: root.bytes } });
    for (let folder = this.folders.pop(); folder !== undefined; folder = this.folders.pop()) {
      await this.readFolder(folder);
    }
    return this.files;
  }

  private enter(folder: Folder): void {
    const { path, level, extent } = folder;
    if (this.seen.has(extent.offset))
      throw this.damaged(`the folder /${path} lies within itself, or in two places`);
    if (level > MOST_LEVELS || path.length > MOST_PATH_CHARACTERS) {
      throw new CbrError('limit', `${this.subject}: its folders lie too deep, at /${path.slice(0, 100)}...`, {
        hint: 'It is no disc of cbr, or it is damaged.',
      });
    }
    this.seen.add(extent.offset);
    this.folders.push(folder);
  }

  private async readFolder(folder: Folder): Promise<void> {
    const content = await this.reader.readFolder(folder.extent, `/${folder.path}`);
    /** Extents of a file whose last record is still to come. */
    let parts: IsoExtent[] = [];
    let first: DirectoryRecord | undefined;
    for (const record of directoryRecords(content, this.subject, `/${folder.path}`)) {
      if (isSelfOrParent(record)) continue;
      if (first !== undefined && !record.name.equals(first.name)) break;
      first ??= record;
      parts.push(record.extent);
      if (record.continues && !record.isFolder) continue;
      await this.add(folder, first, parts);
      parts = [];
      first = undefined;
    }
    if (first !== undefined) throw this.damaged(`the folder /${folder.path} lacks the last part of a file`);
  }

  private async add(folder: Folder, record: DirectoryRecord, extents: readonly IsoExtent[]): Promise<void> {
    const about = await this.about(folder, record);
    if (about.isRelocated) return;
    const name = entryName(this.naming, record.name, about.name);
    const fault = nameFault(name);
    if (fault !== undefined) throw this.damaged(`the folder /${folder.path} has a name that ${fault}`);
    const path = folder.path + name;
    if (about.childSector !== undefined) {
      this.enter({
        path: `${path}/`,
        level: folder.level + 1,
        extent: await this.wholeFolder(about.childSector, path),
      });
    } else if (record.isFolder) {
      this.enter({ path: `${path}/`, level: folder.level + 1, extent: record.extent });
    } else if (about.type === undefined || about.type === REGULAR) {
      this.addFile(path, extents);
    }
  }

  private addFile(path: string, parts: readonly IsoExtent[]): void {
    if (this.files.has(path)) {
      // Of plain names the first is the newest version.
      if (this.naming === 'plain') return;
      throw this.damaged(`it names ${path} twice`);
    }
    const extents = parts.filter(({ length }) => length > 0);
    this.files.set(path, { path, size: extents.reduce((sum, { length }) => sum + length, 0), extents });
  }

  private async about(folder: Folder, record: DirectoryRecord): Promise<RockRidge> {
    if (this.naming !== 'rock-ridge') return NOTHING;
    return readRockRidge(record.systemUse, this.skip, this.reader, (reason) =>
      this.damaged(`the folder /${folder.path} has a record that ${reason}`),
    );
  }

  /** A folder that was put elsewhere: how long it is it says itself. */
  private async wholeFolder(sector: number, path: string): Promise<IsoExtent> {
    const content = await this.reader.readFolder(ownSector(sector), `/${path}`);
    for (const { extent, isFolder } of directoryRecords(content, this.subject, `/${path}`)) {
      if (isFolder && extent.offset === sector * SECTOR_BYTES) return extent;
      break;
    }
    throw this.damaged(`there is no folder where /${path} is said to be`);
  }

  private damaged(message: string): DamagedError {
    return new DamagedError(this.subject, message, { hint: 'Take another copy of the disc.' });
  }
}

function isSelfOrParent({ name }: DirectoryRecord): boolean {
  return name.length === 1 && name[0]! <= 1;
}
