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
import type { TakenFile } from '../intake/intake.js';
import type { FileNotes } from '../intake/tasks.js';
import { decodeEntry, type EncodedEntry, encodeEntry } from '../tree.js';
import type { EarlyEnd } from './early-end.js';
import type { FolderBefore } from './folder-before.js';
import { FolderSlots, type Slot } from './folder-slots.js';
import {
  type ChangeRules,
  differsInMetadataOnly,
  isRacy,
  markForReading,
  replaceRow,
} from './folder-state.js';
import type { FileTaker, LinkedFiles } from './linked-files.js';
import { fileEntry, fileNotes, folderEntry, otherEntry, type SourceEntryContext } from './source-entry.js';
import type { Tally } from './tally.js';

export interface EncoderParts extends SourceEntryContext, FileTaker {
  readonly known: KnownChunks;
  readonly linkGroups: Blake3;
  /** Files with several names, of all sources. */
  readonly linkedFiles: LinkedFiles;
  readonly tally: Tally;
  readonly early: EarlyEnd;
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
  /** By row, those that do not lie in `real` under their name: where they do. */
  readonly elsewhere?: ReadonlyMap<number, RawPath>;
  /** Its entries were named one by one: that one is gone is an error. */
  readonly isNamed?: boolean;
  /** Rows of block devices whose content is taken in: they become files. */
  readonly devices?: ReadonlySet<number>;
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
  /** Its row in the list of the last snapshot. */
  readonly oldRow: Buffer | undefined;
  /** Its entry of the last snapshot, if nothing about it changed. */
  readonly reusable: EncodedEntry | undefined;
}

/** What `blocks` of a row counts. */
const BLOCK_BYTES = 512;

function isContentTaken({ listing, devices }: ChangedFolder, row: number): boolean {
  return listing.stats.type(row) === 'file' || devices?.has(row) === true;
}

/** Turns the rows of changed folders into entries, reusing what is as it was and taking in the rest. */
export class FolderEncoder {
  private readonly table = new StatTable(1);
  private readonly writer = new MessagePackWriter();

  /** `trusted`: what the last snapshot names is stored, without looking it up. */
  constructor(
    private readonly its: EncoderParts,
    private readonly trusted: boolean,
    private readonly rules: ChangeRules,
  ) {}

  /** Fills the slots of a folder, in the order of its rows; those of files and subfolders may still wait. */
  async encode(folder: ChangedFolder, breathe: () => Promise<void> | undefined): Promise<FolderSlots> {
    const slots = new FolderSlots(folder.rows.length);
    for (const [i, row] of folder.rows.entries()) {
      const item = this.itemAt(folder, row, folder.places[i]!);
      const child = folder.below.get(row);
      if (child !== undefined) this.placeFolder(folder, item, child, slots, i);
      else if (!isContentTaken(folder, row)) slots.set(i, this.otherSlot(folder, item));
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
    const last = before?.entries?.get(name);
    const entry = isSame ? last : undefined;
    const path = joinRaw(folder.path, name);
    return {
      name,
      path,
      real: folder.elsewhere?.get(row) ?? (real === folder.path ? path : joinRaw(real, name)),
      row,
      place,
      // A row without an entry is of a file that was not taken in.
      existed: before?.entries === undefined ? old !== undefined : last !== undefined,
      old: last,
      oldRow: old,
      reusable: entry !== undefined && this.isStored(entry) ? entry : undefined,
    };
  }

  /** Whether everything an entry of the last snapshot names may be relied on. A tree below is looked at by itself. */
  private isStored(encoded: EncodedEntry): boolean {
    if (this.trusted) return true;
    const { content, xattrs } = decodeEntry(encoded);
    // What the pages of a list name would have to be read first.
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

  private vanished({ isNamed }: ChangedFolder, path: RawPath): void {
    const reason = 'vanished before it could be read';
    if (isNamed === true) this.its.tally.error(path, reason);
    else this.its.tally.note(path, reason);
  }

  private otherSlot(folder: ChangedFolder, item: Item): Slot {
    const { list } = folder;
    const { stats } = folder.listing;
    if (item.reusable !== undefined) return item.reusable;
    if (isRacy(list, item.place, this.its.now() / 1000)) markForReading(list, item.place);
    try {
      const linkGroup = this.linkGroup(stats, item.row);
      return encodeEntry(otherEntry(item.name, stats, item.row, item.real, linkGroup, this.its), this.writer);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      markForReading(list, item.place);
      if (error.errno === 'ENOENT') this.vanished(folder, item.path);
      else this.its.tally.error(item.path, error.reason);
      return undefined;
    }
  }

  private linkGroup(stats: StatTable, row: number): string | undefined {
    if (stats.nlink(row) < 2) return undefined;
    const { linkGroups, linkedFiles } = this.its;
    return linkGroups.digest(fromLatin1(linkedFiles.keyOf(stats, row))).toString('latin1', 0, 8);
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
    if (this.its.early.isAsked) {
      slots.set(slot, this.leaveOut(folder, item));
      return undefined;
    }
    const kept = this.rules.trustMtime ? this.withContentOfBefore(folder, item) : undefined;
    if (kept !== undefined) {
      slots.set(slot, kept);
      return undefined;
    }
    const startSeconds = this.its.now() / 1000;
    const finish = (taken: TakenFile): void =>
      slots.set(slot, this.finishFile(folder, item, taken, startSeconds));
    const mayHaveHoles = size - stats.blocks(item.row) * BLOCK_BYTES >= SMALLEST_HOLE;
    if (folder.devices?.has(item.row) === true) {
      return this.its.addFile({ path: item.real, size, mayHaveHoles: false, isDevice: true }, finish);
    }
    const file = { path: item.real, size, mayHaveHoles };
    if (stats.nlink(item.row) < 2) return this.its.addFile(file, finish);
    return this.its.linkedFiles.add(stats, item.row, { file, finish }, this.its);
  }

  /**
   * The entry of a file of which nothing that shows a change of content differs from the last snapshot: its metadata anew,
   * its content as it was. Undefined when it has to be read.
   */
  private withContentOfBefore({ list }: ChangedFolder, item: Item): Slot {
    const { old, oldRow, place } = item;
    if (old === undefined || oldRow === undefined || !differsInMetadataOnly(oldRow, list, place))
      return undefined;
    const { content, size } = decodeEntry(old);
    if (content === undefined || size === undefined || !this.isStored(old)) return undefined;
    this.table.clear();
    let notes: FileNotes;
    try {
      notes = fileNotes(item.real, this.table);
    } catch (error) {
      if (error instanceof FileError) return undefined; // reading it tells why
      throw error;
    }
    const row = Buffer.alloc(oldRow.length);
    replaceRow(row, 0, this.table.rowBytes(0), this.rules);
    if (this.table.size(0) !== size || !differsInMetadataOnly(oldRow, row, 0)) return undefined;
    list.set(row, place);
    if (isRacy(list, place, this.its.now() / 1000)) markForReading(list, place);
    const linkGroup = this.linkGroup(this.table, 0);
    const entry = fileEntry(item.name, this.table, 0, content, size, linkGroup, notes, this.its);
    const encoded = encodeEntry(entry, this.writer);
    const same = sameBytes(old.bytes, encoded.bytes);
    this.its.tally.file(() => item.path, same ? 'unchanged' : 'changed', same ? size : 0);
    return encoded;
  }

  /** A file that is not taken in because the run was told to stop. */
  private leaveOut({ list, listing }: ChangedFolder, item: Item): undefined {
    markForReading(list, item.place);
    this.its.tally.leftOut(listing.stats.size(item.row));
    this.its.early.leftOut();
  }

  private finishFile(folder: ChangedFolder, item: Item, taken: TakenFile, startSeconds: number): Slot {
    if (taken.state === 'stopped') return this.leaveOut(folder, item);
    const { list, listing, devices } = folder;
    const { tally } = this.its;
    const size = listing.stats.size(item.row);
    if (taken.row === undefined || taken.state === 'vanished' || taken.state === 'failed') {
      markForReading(list, item.place);
      tally.leftOut(size);
      if (taken.state === 'vanished') this.vanished(folder, item.path);
      else tally.error(item.path, taken.notes.error ?? 'cannot be read');
      return undefined;
    }
    replaceRow(list, item.place, taken.row, this.rules);
    if (taken.state === 'unsteady')
      tally.unsteady(item.path, 'changed while it was read; stored as it was read last');
    // Nothing about a device tells whether its content changed.
    const isDevice = devices?.has(item.row) === true;
    if (isDevice || taken.state === 'unsteady' || isRacy(list, item.place, startSeconds))
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
