import { setImmediate } from 'node:timers/promises';
import { fromLatin1 } from '../../core/index.js';
import {
  type EntryFilter,
  FileError,
  type FolderListing,
  joinRaw,
  listFolder,
  type RawPath,
  StatTable,
  statPath,
} from '../../fs/index.js';
import type { Blake3, DirectoryState } from '../../repo/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import { type EncodedEntry, storeTree } from '../tree.js';
import { Breather, type BreatherParts } from './breather.js';
import { type FolderBefore, readBefore } from './folder-before.js';
import {
  type ChangedFolder,
  type EncoderParts,
  FolderEncoder,
  type FolderResult,
  type Underway,
} from './folder-encoder.js';
import {
  type ChangeRules,
  encodeFolderState,
  FolderListBuilder,
  isFolderRow,
  listRows,
  stateList,
  stateTree,
} from './folder-state.js';
import { type FollowedListing, followIn, type WalkedFolder } from './followed-listing.js';
import { LinkFollower } from './link-follower.js';
import { folderKey } from './linked-files.js';
import { NewestChange } from './newest-change.js';
import { type OwnFolders, OwnPlaces } from './own-folders.js';
import { type FolderRules, namesBelow, SourceFilter } from './source-filter.js';
import type { StateAfter } from './source-state.js';
import { StateJournal } from './state-journal.js';

/** One source folder and how it is taken. */
export interface SourceRoot {
  /** Under which it is stored, and told of. */
  readonly path: RawPath;
  /** Where it lies: no symlink is on that path, and below it none is followed, whatever a folder is swapped for. */
  readonly real: RawPath;
  /** What was seen last time; not used at all for a full snapshot. */
  readonly state: DirectoryState | undefined;
  /** Whether the snapshot the state belongs to is still valid: its trees may be reused without look-ups. */
  readonly trusted: boolean;
  readonly rules: ChangeRules;
  /** Stay on the file system of each folder; undefined: go everywhere. It is the device of this one. */
  readonly device: number | undefined;
  /** Folders below on other devices that are taken in all the same. */
  readonly mounts: ReadonlySet<RawPath>;
  readonly filter: EntryFilter | undefined;
  /** What is named below: the filter leaves none of it out. */
  readonly inside: ReadonlySet<RawPath>;
  /** So many symlinks are followed on the way to an entry. */
  readonly followLinks: number;
  /** Those that were followed to get to this folder. */
  readonly links: number;
  /** It is stored under another path: a mounted snapshot of a file system, in which nothing changes any more. */
  readonly isSnapshot: boolean;
}

export interface FolderTakerParts extends EncoderParts, BreatherParts {
  readonly readTreeChunk: ReadTreeChunk;
  readonly directoryKeys: Blake3;
  readonly ownFolders: OwnFolders;
}

/** A level takes a few calls; a stack holds some thousands. */
const LEVELS_PER_STACK = 200;

interface Place extends WalkedFolder {
  /** From the root on; '' for the root itself. */
  readonly relative: string;
}

/** Walks one source root, takes in what changed since its state, and stores its trees from the leaves up. */
export class FolderTaker {
  private readonly puts = new StateJournal();
  private readonly removes: Uint8Array[] = [];
  private readonly list: FolderListBuilder;
  private readonly freeTables: StatTable[] = [];
  private readonly encoder: FolderEncoder;
  private readonly filter: SourceFilter | undefined;
  private readonly follower: LinkFollower | undefined;
  private readonly newest: NewestChange | undefined;
  private readonly breather: Breather;
  private depth = 0;

  constructor(
    private readonly root: SourceRoot,
    private readonly its: FolderTakerParts,
  ) {
    this.list = new FolderListBuilder(root.rules);
    this.filter = root.filter && new SourceFilter(root.filter, its.tally, namesBelow(root));
    this.encoder = new FolderEncoder(its, root.trusted, root.rules);
    this.breather = new Breather(its);
    if (root.isSnapshot) this.newest = new NewestChange();
    if (root.followLinks > 0)
      this.follower = new LinkFollower(root.followLinks, new OwnPlaces(its.ownFolders), its.tally);
  }

  /** Scans everything; the result waits for the content of the last file. Rejects (source) when the root cannot be read. */
  async take(): Promise<Underway> {
    const { path, real, device, links } = this.root;
    this.its.tally.folders++;
    const stats = new StatTable(1);
    this.follower?.enter(path, stats, statPath(real, stats));
    const place: Place = { path, relative: '', real, device, links };
    const listing = listFolder(real, this.table(), 'none');
    const rules = this.filter?.enter(place, listing, undefined);
    if (rules?.content !== undefined) {
      // Named by the user, so this is hardly what he expects.
      this.its.tally.note(path, `its content is left out: ${rules.content.rule.option}`);
    }
    return (await this.folder(place, listing, rules))!;
  }

  /** What the state has to become once the snapshot is committed. */
  get after(): StateAfter {
    const { puts, removes, newest } = this;
    return {
      isWhole: puts.isWhole,
      entries: () => newest?.marked(puts.entries()) ?? puts.entries(),
      removes,
      close: () => puts.close(),
    };
  }

  private table(): StatTable {
    return this.freeTables.pop() ?? new StatTable(64);
  }

  /** Undefined for one below the root that is not chosen, nor anything in it. */
  private async folder(
    place: Place,
    listed: FolderListing,
    entered: FolderRules | undefined,
  ): Promise<Underway | undefined> {
    const { tally } = this.its;
    const { path } = place;
    this.tellMissing(path, listed, entered);
    const listing = followIn(
      place,
      listed,
      this.follower,
      (name) => entered !== undefined && this.filter?.excludedName(entered, name, false) !== undefined,
    );
    const rules = entered && this.filter?.behindLinks(entered, listing.followed);
    const { names, stats } = listing;
    const rows: number[] = [];
    const below = new Map<number, Underway>();
    for (let row = 0; row < names.length; row++) {
      if (this.its.early.isAsked) {
        this.its.early.leftOut();
        break;
      }
      const type = stats.type(row);
      const isFolder = type === 'directory';
      if (this.isLeftOut(path, listing, row, isFolder, rules)) continue;
      if (type === undefined) {
        tally.error(joinRaw(path, names[row]!), 'is of a type that cbr does not know');
        continue;
      }
      if (isFolder) {
        const child = await this.subfolder(place, listing, row, rules);
        if (child === undefined) continue;
        tally.folders++;
        below.set(row, child);
      } else if (type === 'file') {
        tally.files++;
        tally.sourceBytes += stats.size(row);
      } else tally.others++;
      rows.push(row);
    }
    const pause = this.breather.breathe(path);
    if (pause !== undefined) await pause;
    if (rules?.isWay === true && rows.length === 0 && place.relative !== '') {
      this.freeTables.push(stats);
      return undefined;
    }
    return this.finishFolder(place, listing, rows, below);
  }

  /** What could not be looked at, and is not left out by its name whatever it is. */
  private tellMissing(path: RawPath, listing: FolderListing, rules: FolderRules | undefined): void {
    const isMeant = (name: string): boolean =>
      rules === undefined ||
      [true, false].every((isFolder) => this.filter?.excludedName(rules, name, isFolder) === undefined);
    for (const { error, name } of listing.failed) {
      if (isMeant(name)) this.its.tally.error(joinRaw(path, name), error.reason);
    }
    for (const name of listing.vanished) {
      if (isMeant(name)) this.its.tally.note(joinRaw(path, name), 'vanished before it could be looked at');
    }
  }

  private isLeftOut(
    path: RawPath,
    listing: FolderListing,
    row: number,
    isFolder: boolean,
    rules: FolderRules | undefined,
  ): boolean {
    const { tally, ownFolders } = this.its;
    const here = (): RawPath => joinRaw(path, listing.names[row]!);
    const rule = rules === undefined ? undefined : this.filter?.excluded(rules, listing, row);
    if (rule !== undefined) tally.excluded(here, rule);
    const reason = isFolder && rule === undefined ? ownFolders.get(folderKey(listing.stats, row)) : undefined;
    if (reason !== undefined) tally.note(here(), `left out: ${reason}`);
    return rule !== undefined || reason !== undefined;
  }

  /** Undefined for one that has vanished since it was listed, and for one that was only on the way to what is chosen. */
  private async subfolder(
    parent: Place,
    { names, stats, followed }: FollowedListing,
    row: number,
    above: FolderRules | undefined,
  ): Promise<Underway | undefined> {
    const name = names[row]!;
    const path = joinRaw(parent.path, name);
    const relative = parent.relative === '' ? name : `${parent.relative}/${name}`;
    const isChosen = above === undefined || this.filter?.choosesFolder(above, relative) === true;
    const isElsewhere = parent.device !== undefined && stats.device(row) !== parent.device;
    if (isElsewhere && !this.root.mounts.has(path)) {
      if (!isChosen) return undefined;
      this.its.tally.note(
        path,
        'is on another file system and was stored without its contents (--one-file-system)',
      );
      return { done: this.emptyFolder(relative) };
    }
    const target = followed.get(row);
    const place: Place = {
      ...{ path, relative, real: target?.real ?? joinRaw(parent.real, name) },
      device: isElsewhere ? stats.device(row) : parent.device,
      links: target?.links ?? parent.links,
    };
    const key = this.follower?.enter(path, stats, row);
    try {
      // Calls nest with the folders: now and then a fresh stack, for trees may be deeper than one.
      if (++this.depth % LEVELS_PER_STACK === 0) await setImmediate();
      return await this.enterSubfolder(place, isChosen, above);
    } finally {
      this.depth--;
      this.follower?.leave(key);
    }
  }

  private async enterSubfolder(
    place: Place,
    isChosen: boolean,
    above: FolderRules | undefined,
  ): Promise<Underway | undefined> {
    const { path, relative, real } = place;
    let listing: FolderListing;
    try {
      listing = listFolder(real, this.table(), 'none');
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      if (error.errno === 'ENOENT') {
        this.its.tally.note(path, 'vanished before it could be listed');
        return undefined;
      }
      this.its.tally.error(path, error.reason);
      return isChosen ? { done: this.emptyFolder(relative) } : undefined;
    }
    return this.folder(place, listing, this.filter?.enter(place, listing, above));
  }

  /** A folder that is stored without its contents: what they were is not in this snapshot, so nothing may rely on it. */
  private emptyFolder(relative: string): FolderResult {
    this.forgetState(relative);
    return { tree: storeTree([], this.its.storeTreeChunk), same: false };
  }

  private directoryKey(relative: string): Buffer {
    return this.its.directoryKeys.digest(fromLatin1(relative)).subarray(0, 16);
  }

  private async finishFolder(
    { path, relative, real }: Place,
    listing: FollowedListing,
    rows: readonly number[],
    below: ReadonlyMap<number, Underway>,
  ): Promise<Underway> {
    const { names, stats, followed } = listing;
    this.list.reset();
    const places = rows.map((row) => this.list.add(names[row]!, stats, row));
    if (this.newest !== undefined) for (const row of rows) this.newest.see(stats, row);
    const key = this.directoryKey(relative);
    const old = this.root.state?.get(key);
    const allSame = [...below.values()].every(({ done }) => !(done instanceof Promise) && done.same);
    if (old !== undefined && this.root.trusted && allSame && stateList(old).equals(this.list.list)) {
      this.countUnchanged(path, listing, rows);
      this.freeTables.push(stats);
      return { done: { tree: stateTree(old), same: true } };
    }
    // Copies: the builder and the view of the state serve the next folder while this one waits for its files.
    const list = Buffer.from(this.list.list);
    const before = old === undefined ? undefined : await readBefore(path, Buffer.from(old), this.its);
    const elsewhere = new Map([...followed].map(([row, entry]) => [row, entry.real]));
    const folder: ChangedFolder = { path, real, listing, rows, places, list, below, before, elsewhere };
    const slots = await this.encoder.encode(folder, () => this.breather.breathe(path));
    const finish = (entries: readonly EncodedEntry[]): FolderResult => {
      const tree = storeTree(entries, this.its.storeTreeChunk);
      this.puts.put(key, encodeFolderState(tree, list));
      this.forgetOthers(relative, before, new Set([...below.keys()].map((row) => names[row]!)));
      this.freeTables.push(stats);
      return { tree, same: false };
    };
    const { entries } = slots;
    if (entries !== undefined) return { done: finish(entries) };
    const done = slots.whenFilled(finish);
    // It is awaited by the folder above, perhaps only after it failed.
    done.catch(() => undefined);
    return { done };
  }

  /**
   * The states of the folders that this snapshot does not hold as folders, and of those below them: nobody looks after
   * them from now on, and one that is back some day must not find a state that names what may be gone by then.
   */
  private forgetOthers(relative: string, before: FolderBefore | undefined, taken: ReadonlySet<string>): void {
    if (before === undefined) return;
    for (const [name, row] of before.rows) {
      if (isFolderRow(row) && !taken.has(name))
        this.forgetState(relative === '' ? name : `${relative}/${name}`);
    }
  }

  private forgetState(folder: string): void {
    const waiting = [folder];
    for (let relative = waiting.pop(); relative !== undefined; relative = waiting.pop()) {
      const key = this.directoryKey(relative);
      const state = this.root.state?.get(key);
      if (state === undefined) continue;
      this.removes.push(key);
      for (const [name, row] of listRows(stateList(Buffer.from(state)))) {
        if (isFolderRow(row)) waiting.push(`${relative}/${name}`);
      }
    }
  }

  private countUnchanged(path: RawPath, { names, stats }: FolderListing, rows: readonly number[]): void {
    for (const row of rows) {
      if (stats.type(row) === 'file') {
        this.its.tally.file(() => joinRaw(path, names[row]!), 'unchanged', stats.size(row));
      }
    }
  }
}
