import { createHash } from 'node:crypto';
import { linkSync, mkdirSync, symlinkSync, unlinkSync } from 'node:fs';
import type { Chunks, Reference } from './chunks.js';
import type { Content, Entry } from './entry.js';
import { Damage, type DamagedPack, mayCome, OutOfReach } from './failure.js';
import type { Keys } from './keys.js';
import { setMetadata, withoutPath } from './metadata.js';
import { nameProblem } from './names.js';
import type { Report } from './report.js';
import { inodeOf, makeFifo, Part, type Target, type TargetPath, within, withShortPath } from './target.js';
import { shown } from './text.js';
import { entriesOf, type LostPage, type Piece, piecesOf } from './tree.js';

/** A folder, or a file with the number of its part, if something of it was written. */
type Waiting = 'folder' | { readonly part: number | undefined };

/** The first name of a hard link: where it was restored and as what, or the path of the entry that still waits for its content. */
type First = Restored | { readonly waits: string };

interface Restored {
  /**
   * The part that it was: as its owner can reach it whatever the rights of folders are. Of a symlink its whole path, which holds longer
   * than the short ones that the walk goes by.
   */
  readonly place: TargetPath;
  readonly inode: string;
}

export type Start = { readonly tree: Reference } | { readonly entry: Entry };

export interface RestorerOptions {
  readonly chunks: Chunks;
  readonly keys: Keys;
  readonly target: Target;
  readonly report: Report;
  /** Why something is lost, for people. */
  readonly reasonOf: (loss: Damage | OutOfReach) => string;
  readonly progress: () => void;
}

/**
 * Makes entries from trees, in passes: with each disc that comes into reach the tree is walked again, but only where something still
 * waits for content. What is made once is not touched again.
 */
export class Restorer {
  /** By path of raw bytes: what a pass has left for the next one. */
  private readonly waiting = new Map<string, Waiting>();
  /** Pages of trees that were out of reach, with the path of their folder: all that is in them is new when they come. */
  private readonly unread = new Set<string>();
  private readonly linked = new Map<string, First>();
  private readonly missing = new Map<string, number>();
  private isLast = false;
  private isFirst = true;

  constructor(private readonly options: RestorerOptions) {}

  /**
   * One pass. With `isLast` nothing waits any more: what cannot be had is reported as lost.
   * Returns how many entries wait for each pack; for '' those of which no index says where they lie.
   */
  pass(start: Start, isLast: boolean): ReadonlyMap<string, number> {
    this.isLast = isLast;
    this.missing.clear();
    const { target } = this.options;
    if ('entry' in start) this.entry(target.folder, '', start.entry, this.isFirst);
    else if (this.isFirst || this.waiting.has(''))
      this.folderContent(target.folder, '', start.tree, this.isFirst);
    this.isFirst = false;
    return this.missing;
  }

  /** False if something in it waits. */
  private folderContent(folder: TargetPath, path: string, tree: Reference, isNew: boolean): boolean {
    let isWhole = true;
    const keyOf = ({ id }: Reference): string => `${path}\0${id.toString('hex')}`;
    withShortPath(folder, (short) => {
      const walked = entriesOf(this.options.chunks, tree, (page) => this.unread.delete(keyOf(page)));
      for (const each of walked) {
        if ('entry' in each) {
          if (!this.entry(short, path, each.entry, isNew || each.isNew)) isWhole = false;
        } else if (!this.lostPage(path, each)) {
          this.unread.add(keyOf(each.page));
          isWhole = false;
        }
      }
    });
    if (isWhole) this.waiting.delete(path);
    else this.waiting.set(path, 'folder');
    return isWhole;
  }

  private lostPage(path: string, { lost, from }: LostPage): boolean {
    const folder = path === '' ? '' : `${shownPath(path)}/`;
    const what = from === undefined ? 'all that is in it' : `${shown(from)} and what follows it`;
    return this.lose(`${folder} (${what})`, lost);
  }

  /** False if it waits for something. */
  private entry(folder: TargetPath, above: string, entry: Entry, isNew: boolean): boolean {
    const name = entry.name.toString('latin1');
    const path = above === '' ? name : `${above}/${name}`;
    if (!isNew && !this.waiting.has(path)) return true;
    const { report } = this.options;
    const allIn = entry.tree === undefined ? '' : ' (and all that is in it)';
    const problem = nameProblem(entry.name, process.platform);
    if (problem !== undefined) {
      report.unmade.push(`  ${shownPath(path)}${allIn}: ${problem}`);
      return true;
    }
    const place = within(folder, entry.name);
    try {
      if (entry.tree !== undefined) return this.folder(place, path, entry, entry.tree, isNew);
      if (entry.content !== undefined) return this.file(place, path, entry, entry.content);
      this.other(place, path, entry);
    } catch (error) {
      this.forget(path, entry);
      report.unmade.push(`  ${shownPath(path)}${allIn}: ${withoutPath(error)}`);
    }
    return true;
  }

  private folder(place: TargetPath, path: string, entry: Entry, tree: Reference, isNew: boolean): boolean {
    if (this.waiting.get(path) !== 'folder') mkdirSync(place, { mode: 0o700 });
    if (!this.folderContent(place, path, tree, isNew)) return false;
    this.options.report.folders++;
    this.dress(place, path, entry);
    return true;
  }

  private file(place: TargetPath, path: string, entry: Entry, content: Content): boolean {
    const first = this.firstOf(entry);
    if (first !== undefined && 'waits' in first && first.waits !== path && !this.isLast) {
      this.waiting.set(path, { part: undefined });
      return false;
    }
    if (first !== undefined && 'place' in first && this.link(first, place, path)) {
      this.waiting.delete(path);
      this.options.report.files++;
      return true;
    }
    const waits = this.waiting.get(path);
    const known = waits === undefined || waits === 'folder' ? undefined : waits.part;
    const { part, loss } = this.write(known, content);
    if (mayCome(loss) && !this.isLast) {
      this.waiting.set(path, { part });
      if (entry.linkGroup !== undefined) this.linked.set(groupOf(entry), { waits: path });
      return false;
    }
    this.waiting.delete(path);
    if (loss !== undefined) {
      if (part !== undefined) this.options.target.discard(part);
      if (entry.linkGroup !== undefined) this.linked.delete(groupOf(entry));
      return this.lose(shownPath(path), loss);
    }
    if (part === undefined) return true;
    this.finish(part, place, path, entry);
    const { report } = this.options;
    report.files++;
    report.bytes += content.size;
    return true;
  }

  /** Gives a part that is whole its place. Where further names of it may follow, the part stays for them until the end. */
  private finish(part: number, place: TargetPath, path: string, entry: Entry): void {
    const { target } = this.options;
    const from = target.partPath(part);
    const isLinked = entry.linkGroup !== undefined;
    try {
      this.dress(from, path, entry);
      target.place(part, place, isLinked);
    } catch (error) {
      target.discard(part);
      throw error;
    }
    if (isLinked) this.linked.set(groupOf(entry), { place: from, inode: inodeOf(place) });
  }

  /** Writes what is in reach and was not written before; `loss`: why it is not whole. */
  private write(
    known: number | undefined,
    content: Content,
  ): { part: number | undefined; loss: Damage | OutOfReach | undefined } {
    const { target, chunks, progress } = this.options;
    let part = known;
    let file: Part | undefined;
    let loss: Damage | OutOfReach | undefined;
    const away = new Map<string | undefined, DamagedPack | OutOfReach>();
    const opened = (): Part => {
      part ??= target.newPart();
      file ??= Part.open(target.partPath(part), known === undefined);
      return file;
    };
    try {
      for (const piece of piecesOf(chunks, content)) {
        const found = this.found(piece);
        if (Buffer.isBuffer(found)) opened().write(found, piece.offset);
        else if (known === undefined || !this.isWritten(opened(), piece)) {
          away.set(found.pack, found);
          if (this.isLast) break;
        }
        progress();
      }
      if (away.size === 0) opened().finish(content.size);
    } catch (error) {
      if (!(error instanceof Damage || error instanceof OutOfReach)) {
        // What is wrong with the machine, a full disk for one, is no property of what is stored.
        if (part !== undefined) target.discard(part);
        throw error;
      }
      loss = error;
    } finally {
      file?.close();
    }
    if (mayCome(loss)) away.set(loss.pack, loss);
    for (const each of away.values()) this.count(each);
    return { part, loss: loss ?? [...away.values()][0] };
  }

  /** The content of a chunk, or why it cannot be had now. */
  private found(piece: Piece): Buffer | DamagedPack | OutOfReach {
    const isAway = this.options.chunks.outOfReach('data', piece.id);
    if (isAway !== undefined) return isAway;
    try {
      return this.options.chunks.read('data', piece);
    } catch (error) {
      if (mayCome(error)) return error;
      throw error;
    }
  }

  /** Everything that was written by an earlier pass is read again: it alone says what is there. */
  private isWritten(file: Part, { id, length, offset }: Piece): boolean {
    const bytes = file.read(offset, length);
    return bytes.length === length && id.equals(this.options.keys.chunkId('data', bytes));
  }

  private other(place: TargetPath, path: string, entry: Entry): void {
    const { report } = this.options;
    const first = this.firstOf(entry);
    if (first !== undefined && 'place' in first && this.link(first, place, path)) {
      report.others++;
      return;
    }
    if (entry.target !== undefined) this.symlink(place, path, entry, entry.target);
    else if (entry.type === 'fifo') this.fifo(place, path, entry);
    else if (entry.type === 'socket') {
      report.lacks('sockets, which their programs make anew', shownPath(path));
      return;
    } else throw new Error(`it is a ${entry.type}, for which Node has no means`);
    report.others++;
  }

  private symlink(place: TargetPath, path: string, entry: Entry, to: Buffer): void {
    symlinkSync(process.platform === 'win32' ? to.toString('utf8') : to, place);
    this.dress(place, path, entry);
    if (entry.linkGroup === undefined) return;
    const { folder } = this.options.target;
    // Where paths are text, the walk goes by whole ones.
    const whole = typeof folder === 'string' ? place : within(folder, Buffer.from(path, 'latin1'));
    this.linked.set(groupOf(entry), { place: whole, inode: inodeOf(place) });
  }

  /** Under a name of ours first: that of the entry may be none that a program can be given. */
  private fifo(place: TargetPath, path: string, entry: Entry): void {
    const part = this.options.target.newPart();
    makeFifo(this.options.target.partPath(part));
    this.finish(part, place, path, entry);
  }

  private firstOf(entry: Entry): First | undefined {
    return entry.linkGroup === undefined ? undefined : this.linked.get(groupOf(entry));
  }

  /** A further name of what was restored; false where the file system has no such thing, or the first name is another file by now. */
  private link(first: Restored, place: TargetPath, path: string): boolean {
    try {
      withShortPath(first.place, (short) => linkSync(short, place));
      if (inodeOf(place) === first.inode) return true;
      unlinkSync(place);
    } catch {
      // What is in the way is said when the file is made.
    }
    this.options.report.lacks('hard links: they became files of their own', shownPath(path));
    return false;
  }

  private dress(place: TargetPath, path: string, entry: Entry): void {
    setMetadata(place, entry, (what) => this.options.report.lacks(what, shownPath(path)));
  }

  /** False if it waits for a disc. */
  private lose(what: string, loss: Damage | OutOfReach): boolean {
    if (mayCome(loss) && !this.isLast) {
      this.count(loss);
      return false;
    }
    this.options.report.lose(what, this.options.reasonOf(loss));
    return true;
  }

  private count({ pack = '' }: { readonly pack: string | undefined }): void {
    this.missing.set(pack, (this.missing.get(pack) ?? 0) + 1);
  }

  private forget(path: string, entry: Entry): void {
    this.waiting.delete(path);
    const first = this.firstOf(entry);
    if (first !== undefined && 'waits' in first && first.waits === path) this.linked.delete(groupOf(entry));
  }
}

/** Names are linked only if all that makes them one file agrees, not the group alone. */
function groupOf({ linkGroup, type, content, target }: Entry): string {
  const hash = createHash('sha256');
  hash.update(linkGroup ?? '').update(JSON.stringify([type, content?.size, content?.items]));
  for (const part of [content?.ids, content?.list?.id, target]) hash.update(part ?? '').update('|');
  return hash.digest('hex');
}

const shownPath = (path: string): string => shown(Buffer.from(path, 'latin1'));
