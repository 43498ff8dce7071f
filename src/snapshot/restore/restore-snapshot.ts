import { CbrError, messageOf } from '../../core/index.js';
import { WorkerPool } from '../../engine/index.js';
import {
  FileError,
  MetadataWriter,
  makeSpecial,
  makeSymlink,
  Owners,
  openFileLimit,
  openTarget,
  type Problem,
  rawPath,
  type TargetFolder,
} from '../../fs/index.js';
import { type ChunkReader, chunkReader, loadRepository, type Repository } from '../../repo/index.js';
import { contentItems, type ReadTreeChunk } from '../content-list.js';
import type { ContentItem, Entry, ExtendedAttribute } from '../entry.js';
import type { Listener } from '../events.js';
import { type FoundPath, findPath } from '../find-path.js';
import { type EncodedEntry, encodeEntry } from '../tree.js';
import { metadataOf } from './file-writer.js';
import { HardLinks } from './hard-links.js';
import type { RestoreOptions, RestoreSummary } from './restore-options.js';
import { RestoreReport } from './restore-report.js';
import type { RestoreTasks, RestoreWorkerData } from './restore-tasks.js';
import { compileSelection, type Selection, type Step, walkSelected } from './selection.js';
import { type TargetNode, TargetTree } from './target-tree.js';
import { verifyTarget } from './verify-target.js';
import type { WindowFile } from './window.js';
import { WindowRunner } from './window-runner.js';

/** A window ends when it holds so much: memory and open files are bounded by it, whatever the snapshot. */
const WINDOW_BYTES = 2 ** 30;
/** The first window is small, so that the workers start at once; each further one may be twice as large. */
const FIRST_WINDOW_BYTES = 32 * 2 ** 20;
/** Windows carried out at the same time: the next one fills the gaps in which the last one waits for its last block. */
const WINDOWS_UNDERWAY = 2;
const WINDOW_ITEMS = 500_000;
const WINDOW_FILES = 100_000;
const WINDOW_LARGE_FILES = 400;
const OPEN_FOLDERS = 2000;
/** Shares of the files that a process may hold open: two windows are underway, and others need some too. */
const FOLDER_SHARE = 1 / 4;
const LARGE_FILE_SHARE = 1 / 8;
/** Files of at least so many chunks may need several reads, and then stay open. */
const LARGE_FILE_ITEMS = 2;

/**
 * Restores a snapshot, or a part of it, below a target folder. What is there already is left alone. A file that cannot be
 * restored whole does not appear under its name; it is reported and counted, and the restore goes on. Rejects when the
 * target takes nothing more, when the path is not in the snapshot, and when stopped.
 */
export async function restoreSnapshot(
  repository: Repository,
  options: RestoreOptions,
  listener: Listener,
): Promise<RestoreSummary> {
  const loaded = await loadRepository(repository);
  const reader = chunkReader(repository, loaded);
  const read: ReadTreeChunk = (reference) => reader.read('tree', reference.id, reference.length);
  const start = await findPath(options.snapshot, options.path, read);
  const selection = compileSelection(options.include, options.exclude);
  const { files, sourceBytes } = options.snapshot.about.statistics;
  const isWhole = options.path === undefined && selection.include === undefined;
  const expected = isWhole ? { files, bytes: sourceBytes } : undefined;
  const report = new RestoreReport(listener, options.items, expected, () => performance.now());
  if (options.dryRun) await preview(start, selection, read, report, options.signal);
  else {
    const script = new URL('./restore-worker.js', import.meta.url);
    const data: RestoreWorkerData = { keys: repository.keys.material, portable: repository.portable };
    const pool = new WorkerPool<RestoreTasks>({ script, threads: options.threads, data });
    const target = openTarget(rawPath(options.target));
    try {
      await new Restore(repository, options, reader, read, report, pool, target).run(start, selection);
      if (options.verify) {
        const verified = await verifyTarget(start, selection, read, pool, target.location, report, options);
        return { ...summaryOf(report), verified };
      }
    } finally {
      await pool.close();
    }
  }
  return summaryOf(report);
}

function summaryOf(report: RestoreReport): RestoreSummary {
  const { files, folders, others, bytes, skippedExisting, lost, metadataProblems } = report;
  return { files, folders, others, bytes, skippedExisting, lost, metadataProblems };
}

/** The steps of a restore from where it begins. */
export async function* stepsOf(
  start: FoundPath,
  selection: Selection,
  read: ReadTreeChunk,
): AsyncGenerator<readonly Step[]> {
  if (start.tree !== undefined) yield* walkSelected(start.tree, read, selection);
  else {
    const { entry } = start;
    yield [{ kind: 'entry', entry, encoded: encodeEntry(entry), path: entry.name }];
  }
}

async function preview(
  start: FoundPath,
  selection: Selection,
  read: ReadTreeChunk,
  report: RestoreReport,
  signal: AbortSignal,
): Promise<void> {
  for await (const steps of stepsOf(start, selection, read)) {
    if (signal.aborted) throw new CbrError('interrupted', 'the restore was interrupted');
    for (const step of steps) {
      if (step.kind === 'enter') report.folders++;
      else if (step.kind === 'lost') report.lose(step.path, step.reason);
      else if (step.kind === 'entry') {
        report.restored(step.path, step.entry.size ?? 0, step.entry.type === 'file' ? 'file' : 'other');
      }
    }
  }
}

/** One restore under way: the walk fills a window while those before are carried out. */
class Restore {
  private readonly problems: Problem[] = [];
  private readonly metadata = new MetadataWriter(new Owners(), this.problems);
  private readonly tree = new TargetTree(this.metadata);
  private readonly links: HardLinks;
  private readonly runner: WindowRunner;
  private window: WindowFile[] = [];
  private windowBytes = 0;
  private windowItems = 0;
  private windowLarge = 0;
  private windowLimit = FIRST_WINDOW_BYTES;
  private readonly largeLimit = Math.min(WINDOW_LARGE_FILES, Math.floor(openFileLimit() * LARGE_FILE_SHARE));
  private readonly folderLimit = Math.min(OPEN_FOLDERS, Math.floor(openFileLimit() * FOLDER_SHARE));
  private readonly underway: Promise<void>[] = [];

  constructor(
    repository: Repository,
    private readonly options: RestoreOptions,
    reader: ChunkReader,
    private readonly read: ReadTreeChunk,
    private readonly report: RestoreReport,
    pool: WorkerPool<RestoreTasks>,
    private readonly target: TargetFolder,
  ) {
    const { backend, cache } = repository;
    const { threads, signal } = options;
    const readPack = (name: string, offset: number, length: number): Promise<Uint8Array> =>
      backend.read('packs', name, { offset, length });
    this.links = new HardLinks(target, report, this.metadata);
    this.runner = new WindowRunner({ pool, cache, reader, readPack, report, threads, signal });
  }

  async run(start: FoundPath, selection: Selection): Promise<void> {
    const root = this.tree.root(
      this.target,
      start.tree === undefined ? undefined : await this.inline(start.entry, ''),
    );
    try {
      await this.walk(stepsOf(start, selection, this.read), root);
      do {
        await this.flush();
        while (this.underway.length > 0) await this.underway.shift();
        await this.settleLinks();
      } while (this.window.length > 0);
    } finally {
      // A window that still runs must not outlive the folders it writes to.
      await Promise.allSettled(this.underway);
    }
    this.links.setFlags();
    this.tree.release(root);
    this.report.metadata(this.problems);
  }

  private async walk(batches: AsyncGenerator<readonly Step[]>, root: TargetNode): Promise<void> {
    const path: (TargetNode | undefined)[] = [root];
    for await (const steps of batches) {
      if (this.options.signal.aborted) throw new CbrError('interrupted', 'the restore was interrupted');
      for (const step of steps) {
        const wait = this.take(step, path);
        if (wait !== undefined) await wait;
        if (this.isFull()) await this.flush();
      }
    }
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
    if (!this.links.isFirst(entry, node, path)) return undefined;
    node.pending++;
    // Nearly all files: nothing has to be fetched before they can be planned.
    if (entry.content?.kind !== 'items' || !hasInlineXattrs(entry)) {
      return this.plan(node, entry, encoded, path);
    }
    this.addToWindow({ node, entry, encoded: encoded.bytes, items: entry.content.items, path });
    return undefined;
  }

  private addToWindow(file: WindowFile): void {
    this.window.push(file);
    this.windowBytes += file.entry.size ?? 0;
    this.windowItems += file.items.length;
    if (file.items.length >= LARGE_FILE_ITEMS) this.windowLarge++;
  }

  private async plan(node: TargetNode, entry: Entry, encoded: EncodedEntry, path: string): Promise<void> {
    let items: readonly ContentItem[];
    try {
      items = await this.itemsOf(entry);
    } catch (error) {
      if (!(error instanceof CbrError) || error.code === 'interrupted') throw error;
      this.report.lose(path, messageOf(error));
      this.links.ended(entry, 'lost');
      this.tree.release(node);
      return;
    }
    const whole = await this.inline(entry, path);
    const bytes = whole === entry ? encoded.bytes : encodeEntry(whole).bytes;
    this.addToWindow({ node, entry, encoded: bytes, items, path });
  }

  private async itemsOf(entry: Entry): Promise<readonly ContentItem[]> {
    if (entry.content?.kind === 'items') return entry.content.items;
    const items: ContentItem[] = [];
    for await (const page of contentItems(entry.content!, entry.size ?? 0, this.read))
      for (const item of page) items.push(item);
    return items;
  }

  private async other(node: TargetNode, entry: Entry, path: string): Promise<void> {
    if (!this.links.isFirst(entry, node, path)) return;
    try {
      const whole = await this.inline(entry, path);
      if (!makeOther(node.folder, whole)) {
        this.report.existed(path);
        this.links.ended(entry, 'existed');
        return;
      }
      this.metadata.applyToEntry(node.folder, entry.name, metadataOf(whole));
      this.report.restored(path, 0, 'other');
      this.links.ended(entry, 'restored');
    } catch (error) {
      this.links.ended(entry, 'lost');
      this.refused(path, error);
    }
  }

  private isFull(): boolean {
    return (
      this.window.length > 0 &&
      (this.windowBytes >= this.windowLimit ||
        this.windowItems >= WINDOW_ITEMS ||
        this.window.length >= WINDOW_FILES ||
        this.windowLarge >= this.largeLimit ||
        this.tree.open >= this.folderLimit)
    );
  }

  /** Starts the window that was filled, when there is room for it. */
  private async flush(): Promise<void> {
    while (this.underway.length >= WINDOWS_UNDERWAY) await this.underway.shift();
    await this.settleLinks();
    const files = this.window;
    this.window = [];
    this.windowBytes = 0;
    this.windowItems = 0;
    this.windowLarge = 0;
    this.windowLimit = Math.min(WINDOW_BYTES, 2 * this.windowLimit);
    const underway = this.carryOut(files);
    // Whoever awaits it sees a failure; until then it must not count as unhandled.
    underway.catch(() => undefined);
    this.underway.push(underway);
  }

  private async carryOut(files: readonly WindowFile[]): Promise<void> {
    if (files.length === 0) return;
    const ends = await this.runner.run(files);
    for (const [i, { entry, node }] of files.entries()) {
      this.links.ended(entry, ends[i]!);
      this.tree.release(node);
    }
  }

  /** Makes the further names of files whose first one is there; where that was lost, they are files of their own. */
  private async settleLinks(): Promise<void> {
    const { linked, orphans } = this.links.settle();
    for (const node of linked) this.tree.release(node);
    for (const { node, entry, path } of orphans) {
      if (entry.type === 'file') await this.plan(node, entry, encodeEntry(entry), path);
      else {
        const { linkGroup: _, ...alone } = entry;
        await this.other(node, alone, path);
        this.tree.release(node);
      }
    }
  }
}

function hasInlineXattrs({ xattrs }: Entry): boolean {
  return xattrs === undefined || xattrs.every(({ value }) => value instanceof Uint8Array);
}

function makeOther(folder: TargetFolder, entry: Entry): boolean {
  if (entry.type === 'symlink') return makeSymlink(folder, entry.name, entry.linkTarget!);
  if (entry.type === 'file' || entry.type === 'directory') return false;
  return makeSpecial(folder, entry.name, entry.type, entry.device);
}
