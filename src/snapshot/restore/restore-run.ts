import { setImmediate as nextTurn } from 'node:timers/promises';
import { CbrError, messageOf } from '../../core/index.js';
import {
  FileError,
  MetadataWriter,
  Owners,
  openFileLimit,
  type Problem,
  type TargetFolder,
} from '../../fs/index.js';
import type { ChunkReader, Repository } from '../../repo/index.js';
import { contentItems, type ReadTreeChunk } from '../content-list.js';
import { type Content, type ContentItem, type Entry, type ExtendedAttribute, itemBytes } from '../entry.js';
import type { FoundPath } from '../find-path.js';
import { type EncodedEntry, encodeEntry } from '../tree.js';
import { type FileEnd, FileUnderway } from './file-underway.js';
import { metadataOf } from './file-writer.js';
import { HardLinks } from './hard-links.js';
import { makeOther, UnmakeableEntry } from './other-entry.js';
import type { RestoreOptions } from './restore-options.js';
import type { RestoreReport } from './restore-report.js';
import type { RestoreWorkers } from './restore-workers.js';
import { type Selection, type Step, stepsOf } from './selection.js';
import { type TargetNode, TargetTree } from './target-tree.js';
import { WindowFiller } from './window-filler.js';
import { WindowRunner } from './window-runner.js';

/** Limits of a window: 60 MB of memory for small files at 0.6 KB each, or for the pieces of large ones. */
const WINDOW_PARTS = 30_000;
const WINDOW_ITEMS = 100_000;
/** So much content is long enough to hide that the blocks at the borders of windows are opened twice. */
const WINDOW_BYTES = 4 * 2 ** 30;
/** Encoded entries, which hold attribute values: nearly always little, and then the other limits come first. */
const WINDOW_ENTRY_BYTES = 32 * 2 ** 20;
const WINDOW_SPREAD_PARTS = 2000;
const OPEN_FOLDERS = 20_000;
/** Shares of the files that a process may hold open: two windows are underway, one is filled, and others need some too. */
const FOLDER_SHARE = 1 / 2;
const SPREAD_PART_SHARE = 1 / 8;
/** Milliseconds after which the walk lets others have their turn: workers wait for their next block meanwhile. */
const TURN_MS = 4;

/** One restore under way: the walk fills a window while those before are carried out. */
export class RestoreRun {
  private readonly problems: Problem[] = [];
  private readonly metadata = new MetadataWriter(new Owners(), this.problems);
  private readonly tree = new TargetTree(this.metadata);
  private readonly links: HardLinks;
  private readonly runner: WindowRunner;
  private readonly filler: WindowFiller;
  private readonly folderLimit = Math.min(OPEN_FOLDERS, Math.floor(openFileLimit() * FOLDER_SHARE));

  constructor(
    repository: Repository,
    private readonly options: RestoreOptions,
    reader: ChunkReader,
    private readonly read: ReadTreeChunk,
    private readonly report: RestoreReport,
    workers: RestoreWorkers,
    private readonly target: TargetFolder,
  ) {
    const { backend, cache } = repository;
    const { threads, signal } = options;
    const readPack = (name: string, offset: number, length: number): Promise<Uint8Array> =>
      backend.read('packs', name, { offset, length });
    const ended = (file: FileUnderway, end: FileEnd): void => this.fileEnded(file, end);
    this.links = new HardLinks(target, report, this.metadata);
    this.runner = new WindowRunner({
      workers,
      cache,
      reader,
      readPack,
      report,
      threads,
      signal,
      ended,
    });
    this.filler = new WindowFiller(this.runner, {
      bytes: WINDOW_BYTES,
      items: options.windowItems ?? WINDOW_ITEMS,
      parts: WINDOW_PARTS,
      entryBytes: WINDOW_ENTRY_BYTES,
      spreadParts: Math.min(WINDOW_SPREAD_PARTS, Math.floor(openFileLimit() * SPREAD_PART_SHARE)),
    });
  }

  /** Restores what the selection leaves of `start` into the target, and closes the target. */
  async run(start: FoundPath, selection: Selection): Promise<void> {
    const root = this.tree.root(this.target);
    try {
      root.entry = start.tree === undefined ? undefined : await this.inline(start.entry, '');
      await this.walk(stepsOf(start, selection, this.read), root);
      do {
        await this.flush();
        while (await this.filler.settleOne());
        // May start windows as well: only when none is left has nothing failed unseen.
        await this.settleLinks();
      } while (!this.filler.isDone);
      this.links.setFlags();
      this.tree.release(root);
    } finally {
      // A window that still runs must not outlive the folders it writes to.
      await this.filler.idle();
      this.runner.discardOpen();
      this.tree.closeAll();
    }
    this.report.metadata(this.problems);
  }

  private async walk(batches: AsyncGenerator<readonly Step[]>, root: TargetNode): Promise<void> {
    const path: (TargetNode | undefined)[] = [root];
    let turn = performance.now();
    for await (const steps of batches) {
      for (const step of steps) {
        const wait = this.take(step, path);
        if (wait !== undefined) await wait;
        if (this.filler.isFull) await this.flush();
        if (this.tree.open >= this.folderLimit) await this.closeFolders();
      }
      if (performance.now() - turn < TURN_MS) continue;
      this.stopIfAborted();
      await nextTurn();
      turn = performance.now();
    }
  }

  private stopIfAborted(): void {
    if (this.options.signal.aborted) throw new CbrError('interrupted', 'the restore was interrupted');
  }

  /** Does one step; `path` holds the folders on the way, undefined for those that could not be made. */
  private take(step: Step, path: (TargetNode | undefined)[]): Promise<void> | undefined {
    const node = path.at(-1);
    switch (step.kind) {
      case 'enter':
        return this.enter(node, step.entry, step.path).then((entered) => {
          path.push(entered);
        });
      case 'leave': {
        const left = path.pop();
        if (left !== undefined) this.tree.release(left);
        return undefined;
      }
      case 'lost':
        this.report.lose(step.path, step.reason);
        return undefined;
      case 'entry':
        if (node === undefined) this.report.lose(step.path, 'its folder could not be made');
        else if (step.entry.type === 'file') return this.file(node, step.entry, step.encoded, step.path);
        else return this.other(node, step.entry, step.path);
        return undefined;
    }
  }

  /** Undefined when the target refuses the folder: then all that would be in it is lost. */
  private async enter(
    parent: TargetNode | undefined,
    entry: Entry,
    path: string,
  ): Promise<TargetNode | undefined> {
    if (parent === undefined) return undefined;
    try {
      const node = this.tree.enter(parent, await this.inline(entry, path));
      this.report.folders++;
      return node;
    } catch (error) {
      this.refused(path, error);
      return undefined;
    }
  }

  private refused(path: string, error: unknown): void {
    const isEntry = error instanceof FileError || (error instanceof CbrError && error.code === 'format');
    const isFull =
      error instanceof FileError &&
      ['ENOSPC', 'EDQUOT', 'EROFS', 'EMFILE', 'ENFILE'].includes(error.errno ?? '');
    if (!isEntry || isFull) throw error;
    this.report.lose(path, messageOf(error));
  }

  /** An entry whose large attribute values are fetched; those that cannot be are reported and left out. */
  private async inline<E extends Entry | undefined>(entry: E, path: string): Promise<E> {
    if (entry?.xattrs === undefined || hasInlineXattrs(entry)) return entry;
    const xattrs: ExtendedAttribute[] = [];
    for (const { name, value } of entry.xattrs) {
      if (value instanceof Uint8Array) xattrs.push({ name, value });
      else {
        try {
          xattrs.push({ name, value: Uint8Array.from(await this.read(value)) });
        } catch (error) {
          if (!(error instanceof CbrError)) throw error;
          this.report.lose(path, `attribute ${name}: ${messageOf(error)}`);
        }
      }
    }
    return { ...entry, xattrs };
  }

  private file(
    node: TargetNode,
    entry: Entry,
    encoded: EncodedEntry,
    path: string,
  ): Promise<void> | undefined {
    const role = this.links.roleOf(entry, node, path);
    if (role === 'waits') return undefined;
    node.pending++;
    if (role === 'first' || entry.linkGroup === undefined) return this.plan(node, entry, encoded, path);
    const alone = standingAlone(entry);
    return this.plan(node, alone, encodeEntry(alone), path);
  }

  /** Puts a file into the window; `node` waits for it already. */
  private plan(
    node: TargetNode,
    entry: Entry,
    encoded: EncodedEntry,
    path: string,
  ): Promise<void> | undefined {
    if (!hasInlineXattrs(entry)) {
      return this.inline(entry, path).then((whole) => this.plan(node, whole, encodeEntry(whole), path));
    }
    const file = new FileUnderway(node, entry, encoded.bytes, path);
    const content = entry.content!;
    if (content.kind === 'list') return this.planParts(file, content);
    // Nearly all files: nothing has to be fetched before they can be planned.
    this.filler.add(file, content.items, 0);
    file.isPlanned = true;
    return undefined;
  }

  /** A content of any length, page by page: as many windows as it takes. */
  private async planParts(file: FileUnderway, content: Content): Promise<void> {
    const pages = contentItems(content, file.size, this.read);
    let offset = 0;
    for (;;) {
      const items = await this.nextPage(pages, file);
      if (items === undefined) break;
      if (offset > 0) {
        // Before a window begins: one that holds the first part would else take it for the whole.
        file.isParted = true;
        this.stopIfAborted();
        if (this.filler.isFull) await this.flush();
      }
      if (file.lost !== undefined) return;
      this.filler.add(file, items, offset);
      for (const item of items) offset += itemBytes(item);
    }
    file.isPlanned = true;
  }

  /** Undefined at the end, or where the file has to be given up. */
  private async nextPage(
    pages: AsyncGenerator<readonly ContentItem[]>,
    file: FileUnderway,
  ): Promise<readonly ContentItem[] | undefined> {
    try {
      const next = await pages.next();
      return next.done === true ? undefined : next.value;
    } catch (error) {
      if (!(error instanceof CbrError) || error.code === 'interrupted') throw error;
      this.runner.giveUp(file, messageOf(error));
      return undefined;
    }
  }

  private fileEnded(file: FileUnderway, end: FileEnd): void {
    if (end === 'restored') this.report.restored(file.path, file.size);
    if (end === 'existed') this.report.existed(file.path);
    this.links.ended(file.linkGroup, end);
    this.tree.release(file.node);
  }

  private async other(node: TargetNode, entry: Entry, path: string): Promise<void> {
    const role = this.links.roleOf(entry, node, path);
    if (role === 'waits') return;
    if (role === 'alone' && entry.linkGroup !== undefined)
      return this.other(node, standingAlone(entry), path);
    try {
      const whole = await this.inline(entry, path);
      const made = makeOther(node.folder, whole);
      if (made instanceof UnmakeableEntry) {
        const { what, reason } = made;
        this.report.metadata([{ path: node.folder.locate(entry.name), what, reason }]);
        this.links.ended(entry.linkGroup, 'lost');
      } else if (made) {
        this.metadata.applyToEntry(node.folder, entry.name, metadataOf(whole));
        this.report.restored(path, 0, 'other');
        this.links.ended(entry.linkGroup, 'restored');
      } else {
        this.report.existed(path);
        this.links.ended(entry.linkGroup, 'existed');
      }
    } catch (error) {
      this.links.ended(entry.linkGroup, 'lost');
      this.refused(path, error);
    }
  }

  private async flush(): Promise<void> {
    await this.settleLinks();
    await this.filler.flush();
  }

  /** Too many folders are open, which wait for files: what is planned goes first. */
  private async closeFolders(): Promise<void> {
    await this.flush();
    while (this.tree.open > this.folderLimit / 2 && (await this.filler.settleOne()));
  }

  /** Makes the further names of files whose first one is there; where that was lost, they are files of their own. */
  private async settleLinks(): Promise<void> {
    const { linked, orphans } = this.links.settle();
    for (const node of linked) this.tree.release(node);
    for (const { node, entry, path } of orphans) {
      const alone = standingAlone(entry);
      if (entry.type === 'file') {
        await this.plan(node, alone, encodeEntry(alone), path);
        if (this.filler.isFull) await this.filler.flush();
      } else {
        await this.other(node, alone, path);
        this.tree.release(node);
      }
    }
  }
}

function hasInlineXattrs({ xattrs }: Entry): boolean {
  return xattrs === undefined || xattrs.every(({ value }) => value instanceof Uint8Array);
}

/** The entry of a name that is no link: what waits for the other names of its group, its flags, must not wait. */
function standingAlone({ linkGroup: _, ...alone }: Entry): Entry {
  return alone;
}
