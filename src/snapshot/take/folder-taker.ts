import { setImmediate } from 'node:timers/promises';
import { CbrError, fromLatin1, messageOf } from '../../core/index.js';
import {
  type EntryFilter,
  FileError,
  type FolderListing,
  joinRaw,
  listFolder,
  pathWithoutSymlinks,
  type RawPath,
  StatTable,
} from '../../fs/index.js';
import type { Blake3, DirectoryState } from '../../repo/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import { type EncodedEntry, storeTree, treePages } from '../tree.js';
import {
  type ChangedFolder,
  type EncoderParts,
  type FolderBefore,
  FolderEncoder,
  type FolderResult,
  folderKey,
  type Underway,
} from './folder-encoder.js';
import {
  encodeFolderState,
  FolderListBuilder,
  isFolderRow,
  listRows,
  stateList,
  stateTree,
} from './folder-state.js';
import { type FolderRules, SourceFilter } from './source-filter.js';
import { StateJournal } from './state-journal.js';

/** One source folder and how it is taken. */
export interface SourceRoot {
  readonly path: RawPath;
  /** What was seen last time; not used at all for a full snapshot. */
  readonly state: DirectoryState | undefined;
  /** Whether the snapshot the state belongs to is still valid: its trees may be reused without look-ups. */
  readonly trusted: boolean;
  readonly keepInodes: boolean;
  /** Stay on this device; undefined: go everywhere. */
  readonly device: number | undefined;
  readonly filter: EntryFilter | undefined;
}

export interface FolderTakerParts extends EncoderParts {
  readonly readTreeChunk: ReadTreeChunk;
  readonly directoryKeys: Blake3;
  /** Device and inode of folders that are never taken in, as `folderKey` makes them, with the reason. */
  readonly ownFolders: ReadonlyMap<string, string>;
  readonly signal: AbortSignal;
  /** Throws when the run has failed elsewhere. */
  readonly check: () => void;
}

/** A level takes a few calls; a stack holds some thousands. */
const LEVELS_PER_STACK = 200;

/** The scan gives way to messages, heartbeats and signals at least so often. */
const SLICE_MS = 20;

/** Walks one source root, takes in what changed since its state, and stores its trees from the leaves up. */
export class FolderTaker {
  /** What the state has to become once the snapshot is committed. */
  readonly puts = new StateJournal();
  readonly removes: Uint8Array[] = [];
  /** Where the root really lies: below it no symlink is followed, whatever a folder is swapped for. */
  private readonly real: RawPath;
  private readonly list: FolderListBuilder;
  private readonly freeTables: StatTable[] = [];
  private readonly encoder: FolderEncoder;
  private readonly filter: SourceFilter | undefined;
  private sliceStart = performance.now();
  private depth = 0;

  constructor(
    private readonly root: SourceRoot,
    private readonly its: FolderTakerParts,
  ) {
    this.real = pathWithoutSymlinks(root.path);
    this.list = new FolderListBuilder(root.keepInodes);
    this.filter = root.filter && new SourceFilter(root.filter, its.tally);
    this.encoder = new FolderEncoder(its, root.trusted, root.keepInodes);
  }

  /** Scans everything; the result waits for the content of the last file. Rejects (source) when the root cannot be read. */
  async take(): Promise<Underway> {
    this.its.tally.folders++;
    const listing = listFolder(this.real, this.table(), 'none');
    const rules = this.rulesIn(this.root.path, '', listing, undefined);
    return (await this.folder(this.root.path, '', listing, rules))!;
  }

  private realPath(relative: string): RawPath {
    return relative === '' ? this.real : joinRaw(this.real, relative);
  }

  private table(): StatTable {
    return this.freeTables.pop() ?? new StatTable(64);
  }

  private breathe(path: RawPath): Promise<void> | undefined {
    return performance.now() - this.sliceStart < SLICE_MS ? undefined : this.pause(path);
  }

  private async pause(path: RawPath): Promise<void> {
    this.its.tally.progress(() => path);
    await setImmediate();
    this.its.check();
    if (this.its.signal.aborted) throw new CbrError('interrupted', 'the snapshot was interrupted');
    this.sliceStart = performance.now();
  }

  /** Undefined for one below the root that is not chosen, nor anything in it. */
  private async folder(
    path: RawPath,
    relative: string,
    listing: FolderListing,
    rules: FolderRules | undefined,
  ): Promise<Underway | undefined> {
    const { tally } = this.its;
    const { names, stats } = listing;
    this.tellMissing(path, listing, rules);
    const rows: number[] = [];
    const below = new Map<number, Underway>();
    for (let row = 0; row < names.length; row++) {
      const name = names[row]!;
      const type = stats.type(row);
      const isFolder = type === 'directory';
      if (this.isLeftOut(path, listing, row, isFolder, rules)) continue;
      if (type === undefined) {
        tally.error(joinRaw(path, name), 'is of a type that cbr does not know');
        continue;
      }
      if (isFolder) {
        const child = await this.subfolder(path, relative, name, stats, row, rules);
        if (child === undefined) continue;
        tally.folders++;
        below.set(row, child);
      } else if (type === 'file') {
        tally.files++;
        tally.sourceBytes += stats.size(row);
      } else tally.others++;
      rows.push(row);
    }
    const pause = this.breathe(path);
    if (pause !== undefined) await pause;
    if (rules?.chosen === false && rows.length === 0 && relative !== '') {
      this.freeTables.push(stats);
      return undefined;
    }
    return this.finishFolder(path, relative, listing, rows, below);
  }

  /** Undefined where nothing is ever left out. */
  private rulesIn(
    path: RawPath,
    relative: string,
    listing: FolderListing,
    above: FolderRules | undefined,
  ): FolderRules | undefined {
    return this.filter?.enter({ path, real: this.realPath(relative), relative }, listing, above);
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
    parent: RawPath,
    parentRelative: string,
    name: string,
    stats: StatTable,
    row: number,
    above: FolderRules | undefined,
  ): Promise<Underway | undefined> {
    try {
      // Calls nest with the folders: now and then a fresh stack, for trees may be deeper than one.
      if (++this.depth % LEVELS_PER_STACK === 0) await setImmediate();
      return await this.enterSubfolder(parent, parentRelative, name, stats, row, above);
    } finally {
      this.depth--;
    }
  }

  private async enterSubfolder(
    parent: RawPath,
    parentRelative: string,
    name: string,
    stats: StatTable,
    row: number,
    above: FolderRules | undefined,
  ): Promise<Underway | undefined> {
    const path = joinRaw(parent, name);
    const relative = parentRelative === '' ? name : `${parentRelative}/${name}`;
    const { device } = this.root;
    const isChosen = above === undefined || this.filter?.choosesFolder(above, relative) === true;
    if (device !== undefined && stats.device(row) !== device) {
      if (!isChosen) return undefined;
      this.its.tally.note(
        path,
        'is on another file system and was stored without its contents (--one-file-system)',
      );
      return { done: this.emptyFolder(relative) };
    }
    let listing: FolderListing;
    try {
      listing = listFolder(this.realPath(relative), this.table(), 'none');
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      if (error.errno === 'ENOENT') {
        this.its.tally.note(path, 'vanished before it could be listed');
        return undefined;
      }
      this.its.tally.error(path, error.reason);
      return isChosen ? { done: this.emptyFolder(relative) } : undefined;
    }
    const rules = this.rulesIn(path, relative, listing, above);
    return this.folder(path, relative, listing, rules);
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
    path: RawPath,
    relative: string,
    listing: FolderListing,
    rows: readonly number[],
    below: ReadonlyMap<number, Underway>,
  ): Promise<Underway> {
    const { names, stats } = listing;
    this.list.reset();
    const places = rows.map((row) => this.list.add(names[row]!, stats, row));
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
    const before = old === undefined ? undefined : await this.readBefore(path, Buffer.from(old));
    const real = this.realPath(relative);
    const folder: ChangedFolder = { path, real, listing, rows, places, list, below, before };
    const slots = await this.encoder.encode(folder, () => this.breathe(path));
    const finish = (entries: readonly EncodedEntry[]): FolderResult => {
      const tree = storeTree(entries, this.its.storeTreeChunk);
      this.puts.put(key, encodeFolderState(tree, list));
      this.forgetVanished(relative, before, new Set(rows.map((row) => listing.names[row]!)));
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

  /** The states of folders that are no longer there, and of those below them. */
  private forgetVanished(relative: string, before: FolderBefore | undefined, now: ReadonlySet<string>): void {
    if (before === undefined) return;
    for (const [name, row] of before.rows) {
      if (isFolderRow(row) && !now.has(name))
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

  /** What the folder was in the last snapshot; its rows alone when its tree cannot be read. */
  private async readBefore(path: RawPath, state: Buffer): Promise<FolderBefore> {
    const rows = listRows(stateList(state));
    const entries = new Map<string, EncodedEntry>();
    try {
      for await (const page of treePages(stateTree(state), this.its.readTreeChunk)) {
        for (const entry of page) entries.set(entry.name, entry);
      }
    } catch (error) {
      if (!(error instanceof CbrError) || error.code === 'backend') throw error;
      entries.clear();
      this.its.tally.note(path, `is read again: its last tree cannot be read (${messageOf(error)})`);
    }
    return { rows, entries };
  }
}
