import { fromLatin1, MessagePackWriter, sameBytes } from '../../core/index.js';
import {
  FileError,
  type FolderListing,
  joinRaw,
  type RawPath,
  SMALLEST_HOLE,
  StatTable,
} from '../../fs/index.js';
import type { Blake3, KnownChunks } from '../../repo/index.js';
import type { ChunkReference, Entry } from '../entry.js';
import type { FileToTake, TakenFile } from '../intake/intake.js';
import { decodeEntry, type EncodedEntry, encodeEntry } from '../tree.js';
import { FolderSlots, type Slot } from './folder-slots.js';
import { isRacy, markForReading, replaceRow } from './folder-state.js';
import { fileEntry, folderEntry, otherEntry, type SourceEntryContext } from './source-entry.js';
import type { Tally } from './tally.js';

export interface EncoderParts extends SourceEntryContext {
  /** Takes a file in; a promise resolves when there is room for the next one. */
  readonly addFile: (file: FileToTake, taken: (result: TakenFile) => void) => Promise<void> | undefined;
  /** The same for a file that a `taken` asks for, without waiting for room. */
  readonly addFileAgain: (file: FileToTake, taken: (result: TakenFile) => void) => void;
  readonly known: KnownChunks;
  readonly linkGroups: Blake3;
  readonly tally: Tally;
  /** Milliseconds since 1970. */
  readonly now: () => number;
}

/** What a folder became. */
export interface FolderResult {
  readonly tree: ChunkReference;
  /** It and everything below is as it was in the snapshot of the state. */
  readonly same: boolean;
}

/** Finished, or waiting for the content of files. */
export interface Underway {
  readonly done: FolderResult | Promise<FolderResult>;
}

/** What a folder was in the last snapshot. */
export interface FolderBefore {
  readonly rows: ReadonlyMap<string, Buffer>;
  readonly entries: ReadonlyMap<string, EncodedEntry>;
}

/** A folder that is encoded anew, though most of its entries may be as before. */
export interface ChangedFolder {
  readonly path: RawPath;
  /** The same with no symlink on it: by this its entries are opened. */
  readonly real: RawPath;
  readonly listing: FolderListing;
  /** Rows of the listing that are taken in, and where each stands in `list`. */
  readonly rows: readonly number[];
  readonly places: readonly number[];
  /** What becomes its state; corrected as files are read. */
  readonly list: Buffer;
  /** By row, its subfolders. */
  readonly below: ReadonlyMap<number, Underway>;
  readonly before: FolderBefore | undefined;
}

interface Item {
  readonly name: string;
  readonly path: RawPath;
  readonly real: RawPath;
  readonly row: number;
  /** Where its stat row stands in the folder's list. */
  readonly place: number;
  /** It was there in the last snapshot, as this if that could be read. */
  readonly existed: boolean;
  readonly old: EncodedEntry | undefined;
  /** Its entry of the last snapshot, if nothing about it changed. */
  readonly reusable: EncodedEntry | undefined;
}

/** One name of a file with several. */
interface LinkedName {
  readonly file: FileToTake;
  readonly finish: (taken: TakenFile) => void;
}

/** What `blocks` of a row counts. */
const BLOCK_BYTES = 512;

/** Identifies a file or folder within this machine, until it is removed. */
export function folderKey(stats: StatTable, row: number): string {
  return `${stats.device(row)} ${stats.inodeKey(row)}`;
}

/** Turns the rows of changed folders into entries, reusing what is as it was and taking in the rest. */
export class FolderEncoder {
  private readonly table = new StatTable(1);
  private readonly writer = new MessagePackWriter();
  /** Files with several names: read once. What was taken, or who waits for it. */
  private readonly links = new Map<string, TakenFile | LinkedName[]>();

  /** `trusted`: what the last snapshot names is stored, without looking it up. */
  constructor(
    private readonly its: EncoderParts,
    private readonly trusted: boolean,
    private readonly keepInodes: boolean,
  ) {}

  /** Fills the slots of a folder, in the order of its rows; those of files and subfolders may still wait. */
  async encode(folder: ChangedFolder, breathe: () => Promise<void> | undefined): Promise<FolderSlots> {
    const slots = new FolderSlots(folder.rows.length);
    for (const [i, row] of folder.rows.entries()) {
      const item = this.itemAt(folder, row, folder.places[i]!);
      const child = folder.below.get(row);
      if (child !== undefined) this.placeFolder(folder, item, child, slots, i);
      else if (folder.listing.stats.type(row) !== 'file') slots.set(i, this.otherSlot(folder, item));
      else {
        const room = this.placeFile(folder, item, slots, i);
        if (room !== undefined) await room;
        const pause = breathe();
        if (pause !== undefined) await pause;
      }
    }
    return slots;
  }

  private itemAt(folder: ChangedFolder, row: number, place: number): Item {
    const { real, listing, before, list } = folder;
    const name = listing.names[row]!;
    const old = before?.rows.get(name);
    const isSame = old !== undefined && old.compare(list, place, place + old.length) === 0;
    const last = before?.entries.get(name);
    const entry = isSame ? last : undefined;
    const path = joinRaw(folder.path, name);
    return {
      name,
      path,
      real: real === folder.path ? path : joinRaw(real, name),
      row,
      place,
      existed: old !== undefined,
      old: last,
      reusable: entry !== undefined && this.isStored(entry) ? entry : undefined,
    };
  }

  /** Whether everything an entry of the last snapshot names may be relied on. A tree below is looked at by itself. */
  private isStored(encoded: EncodedEntry): boolean {
    if (this.trusted) return true;
    const { content, xattrs } = decodeEntry(encoded);
    if (content?.kind === 'list') return false;
    const chunks = content === undefined ? [] : content.items.map((item) => item.id);
    for (const { value } of xattrs ?? []) if (!(value instanceof Uint8Array)) chunks.push(value.id);
    return chunks.every((id) => id === undefined || this.its.known.has(id));
  }

  private placeFolder(
    { listing, list }: ChangedFolder,
    item: Item,
    child: Underway,
    slots: FolderSlots,
    slot: number,
  ): void {
    if (isRacy(list, item.place, this.its.now() / 1000)) markForReading(list, item.place);
    const encode = ({ tree }: FolderResult): Slot => {
      if (item.reusable !== undefined && decodeEntry(item.reusable).tree?.id === tree.id)
        return item.reusable;
      return encodeEntry(
        folderEntry(item.name, listing.stats, item.row, item.real, tree, this.its),
        this.writer,
      );
    };
    if (child.done instanceof Promise) {
      child.done.then((result) => slots.set(slot, encode(result))).catch((error) => slots.fail(error));
    } else slots.set(slot, encode(child.done));
  }

  private otherSlot({ listing: { stats }, list }: ChangedFolder, item: Item): Slot {
    if (item.reusable !== undefined) return item.reusable;
    if (isRacy(list, item.place, this.its.now() / 1000)) markForReading(list, item.place);
    try {
      const linkGroup = this.linkGroup(stats, item.row);
      return encodeEntry(otherEntry(item.name, stats, item.row, item.real, linkGroup, this.its), this.writer);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      markForReading(list, item.place);
      if (error.errno === 'ENOENT') this.its.tally.note(item.path, 'vanished before it could be read');
      else this.its.tally.error(item.path, error.reason);
      return undefined;
    }
  }

  private linkGroup(stats: StatTable, row: number): string | undefined {
    if (stats.nlink(row) < 2) return undefined;
    return this.its.linkGroups.digest(fromLatin1(folderKey(stats, row))).toString('latin1', 0, 8);
  }

  /** A promise resolves when there is room for the next file; without one there is. */
  private placeFile(
    folder: ChangedFolder,
    item: Item,
    slots: FolderSlots,
    slot: number,
  ): Promise<void> | undefined {
    const { stats } = folder.listing;
    const size = stats.size(item.row);
    if (item.reusable !== undefined) {
      this.its.tally.file(() => item.path, 'unchanged', size);
      slots.set(slot, item.reusable);
      return undefined;
    }
    const startSeconds = this.its.now() / 1000;
    const finish = (taken: TakenFile): void =>
      slots.set(slot, this.finishFile(folder, item, taken, startSeconds));
    const mayHaveHoles = size - stats.blocks(item.row) * BLOCK_BYTES >= SMALLEST_HOLE;
    const file = { path: item.real, size, mayHaveHoles };
    if (stats.nlink(item.row) < 2) return this.its.addFile(file, finish);
    return this.placeLinked(folderKey(stats, item.row), { file, finish });
  }

  /** A name of a file with several. */
  private placeLinked(key: string, name: LinkedName): Promise<void> | undefined {
    const known = this.links.get(key);
    if (known === undefined) {
      const waiting: LinkedName[] = [];
      this.links.set(key, waiting);
      return this.its.addFile(name.file, (taken) => this.linkTaken(key, name, taken, waiting));
    }
    if (Array.isArray(known)) known.push(name);
    else name.finish(known);
    return undefined;
  }

  /** Shares what was read only if it is of that very file: by then its name may have led to another one, or nowhere. */
  private linkTaken(key: string, name: LinkedName, taken: TakenFile, waiting: LinkedName[]): void {
    name.finish(taken);
    if (taken.row !== undefined && (taken.state === 'ok' || taken.state === 'unsteady')) {
      this.table.clear();
      this.table.addRow(taken.row);
      if (folderKey(this.table, 0) === key) {
        // With memory of its own, so that it does not keep the rows of its whole batch.
        const shared = { ...taken, row: Uint8Array.from(taken.row), newBytes: 0 };
        this.links.set(key, shared);
        for (const each of waiting) each.finish(shared);
        return;
      }
    }
    const next = waiting.shift();
    if (next === undefined) this.links.delete(key);
    else this.its.addFileAgain(next.file, (again) => this.linkTaken(key, next, again, waiting));
  }

  private finishFile(
    { list, listing }: ChangedFolder,
    item: Item,
    taken: TakenFile,
    startSeconds: number,
  ): Slot {
    const { tally } = this.its;
    const size = listing.stats.size(item.row);
    if (taken.row === undefined || taken.state === 'vanished' || taken.state === 'failed') {
      markForReading(list, item.place);
      tally.leftOut(size);
      if (taken.state === 'vanished') tally.note(item.path, 'vanished before it could be read');
      else tally.error(item.path, taken.notes.error ?? 'cannot be read');
      return undefined;
    }
    replaceRow(list, item.place, taken.row, this.keepInodes);
    if (taken.state === 'unsteady')
      tally.unsteady(item.path, 'changed while it was read; stored as it was read last');
    if (taken.state === 'unsteady' || isRacy(list, item.place, startSeconds))
      markForReading(list, item.place);
    tally.sourceBytes += taken.size - size;
    this.table.clear();
    this.table.addRow(taken.row);
    const entry: Entry = fileEntry(
      item.name,
      this.table,
      0,
      taken.content,
      taken.size,
      this.linkGroup(this.table, 0),
      taken.notes,
      this.its,
    );
    const encoded = encodeEntry(entry, this.writer);
    // Read again only because it might have changed, and found as it was.
    const same = item.old !== undefined && sameBytes(item.old.bytes, encoded.bytes);
    tally.file(() => item.path, same ? 'unchanged' : item.existed ? 'changed' : 'new', same ? 0 : taken.size);
    return encoded;
  }
}
