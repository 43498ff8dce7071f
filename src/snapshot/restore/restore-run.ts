import { setImmediate as nextTurn } from 'node:timers/promises';
import { CbrError } from '../../core/index.js';
import {
  MetadataWriter,
  Owners,
  openFileLimit,
  type Problem,
  type Replaced,
  type TargetFolder,
} from '../../fs/index.js';
import type { ChunkReader, Repository } from '../../repo/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { Entry } from '../entry.js';
import { encodeEntry } from '../tree.js';
import { blockFetcher } from './block-fetcher.js';
import { ContentComparison } from './content-comparison.js';
import type { DeletionPlan } from './deletion-plan.js';
import type { EntryEnd } from './entry-end.js';
import { ExistingEntries } from './existing-entries.js';
import { FilePlanner } from './file-planner.js';
import type { FileUnderway, PlacedEntry } from './file-underway.js';
import { HardLinks } from './hard-links.js';
import { InlineAttributes } from './inline-attributes.js';
import { stopIfAborted } from './interruption.js';
import { OtherEntries } from './other-entries.js';
import { loseRefused } from './refused-entry.js';
import type { RestoreOptions } from './restore-options.js';
import type { RestoreReport } from './restore-report.js';
import type { RestoreWorkers } from './restore-workers.js';
import type { EntryStep, Step } from './selection.js';
import { TakenNames } from './taken-names.js';
import { type TargetNode, TargetTree } from './target-tree.js';
import { WindowFiller } from './window-filler.js';
import { WindowRunner } from './window-runner.js';

/** Limits of a window: 60 MB of memory for small files at 0.6 KB each, or for the pieces of large ones. */
const WINDOW_PARTS = 30_000;
const WINDOW_ITEMS = 100_000;
/** So much content is long enough to hide that the blocks at the borders of windows are opened twice. */
export const WINDOW_BYTES = 4 * 2 ** 30;
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
  private readonly taken: TakenNames;
  private readonly tree: TargetTree;
  private readonly links: HardLinks;
  private readonly attributes: InlineAttributes;
  private readonly runner: WindowRunner;
  private readonly filler: WindowFiller;
  private readonly planner: FilePlanner;
  private readonly others: OtherEntries;
  private readonly comparison: ContentComparison;
  private readonly existing: ExistingEntries;
  private readonly folderLimit = Math.min(OPEN_FOLDERS, Math.floor(openFileLimit() * FOLDER_SHARE));

  /** `deletions`: what is going to be deleted when all is restored; what is in the way among it is moved aside. */
  constructor(
    repository: Repository,
    private readonly options: RestoreOptions,
    reader: ChunkReader,
    read: ReadTreeChunk,
    private readonly report: RestoreReport,
    workers: RestoreWorkers,
    private readonly target: TargetFolder,
    deletions: DeletionPlan,
  ) {
    const { cache } = repository;
    const { threads, signal, rule } = options;
    const metadata = new MetadataWriter(new Owners(), this.problems, options.metadata);
    const fileEnded = (file: FileUnderway, end: EntryEnd): void => this.fileEnded(file, end);
    const ended = ({ entry, node }: PlacedEntry, end: EntryEnd): void =>
      this.ended(entry.linkGroup, node, end);
    const asideFor = (path: string, name: string): string | undefined => deletions.asideFor(path, name);
    const { flatten, stripComponents } = options.layout;
    this.taken = new TakenNames(report, flatten || stripComponents > 0, rule.overwrite === 'never');
    this.tree = new TargetTree(metadata, rule, report, this.taken);
    this.attributes = new InlineAttributes(read, report);
    this.links = new HardLinks(target, report, metadata, rule, this.taken, asideFor);
    const blocks = blockFetcher(repository, reader);
    const parts = { workers, cache, reader, blocks, report, threads, signal, ended: fileEnded };
    this.runner = new WindowRunner(parts);
    this.filler = new WindowFiller(this.runner, {
      bytes: WINDOW_BYTES,
      items: options.windowItems ?? WINDOW_ITEMS,
      parts: WINDOW_PARTS,
      entryBytes: WINDOW_ENTRY_BYTES,
      spreadParts: Math.min(WINDOW_SPREAD_PARTS, Math.floor(openFileLimit() * SPREAD_PART_SHARE)),
    });
    this.planner = new FilePlanner({
      filler: this.filler,
      runner: this.runner,
      read,
      attributes: this.attributes,
      stopIfAborted: () => stopIfAborted(this.options.signal),
      flush: () => this.flush(true),
    });
    this.others = new OtherEntries(metadata, report, this.attributes, this.taken, ended);
    this.comparison = new ContentComparison(workers, read, threads, signal);
    this.existing = new ExistingEntries({
      rule,
      metadata,
      report,
      attributes: this.attributes,
      comparison: this.comparison,
      taken: this.taken,
      asideFor,
      restore: (placed, replaces) => this.restore(placed, replaces),
      ended,
    });
  }

  /** Restores what the steps say into the target, which stands for the folder `own`, if for any; closes the target. */
  async run(steps: AsyncGenerator<readonly Step[]>, own: Entry | undefined): Promise<void> {
    const root = this.tree.root(this.target, own);
    try {
      root.entry = await this.attributes.of(own, '');
      await this.walk(steps, root);
      do {
        await this.comparison.settled();
        await this.existing.goOn();
        await this.flush();
        while (await this.filler.settleOne());
        // May start windows as well: only when none is left has nothing failed unseen.
        await this.settleLinks();
      } while (!this.filler.isDone || !this.comparison.isDone);
      this.links.setFlags();
      this.tree.release(root);
      // Whatever was met has ended one way or another, and with it its folder.
      if (this.tree.open > 0)
        throw new CbrError('internal', 'not all that was to be restored was dealt with');
    } finally {
      // What still runs must not outlive the folders it works in.
      await this.comparison.idle();
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
        if (this.filler.isFull) await this.flush(true);
        if (!this.comparison.isDone) await this.existing.goOn();
        if (this.tree.open >= this.folderLimit) await this.closeFolders();
      }
      if (performance.now() - turn < TURN_MS) continue;
      stopIfAborted(this.options.signal);
      await nextTurn();
      turn = performance.now();
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
        // By their nodes: with another layout the path that is reported is not that of the target.
        for (const open of path) if (open !== undefined) open.isIncomplete = true;
        this.report.lose(step.path, step.reason);
        return undefined;
      case 'entry':
        if (node !== undefined) return this.entry(node, step);
        this.report.lose(step.path, 'its folder could not be made');
        return undefined;
      case 'names':
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
      this.taken.meet(parent.folder, entry.name);
      const node = this.tree.enter(parent, await this.attributes.of(entry, path), path);
      this.report.folders++;
      return node;
    } catch (error) {
      loseRefused(path, error, this.report);
      return undefined;
    }
  }

  private entry(node: TargetNode, { entry, encoded, path }: EntryStep): Promise<void> | undefined {
    this.taken.meet(node.folder, entry.name);
    const role = this.links.roleOf(entry, node, path);
    if (role === 'waits') return undefined;
    node.pending++;
    if (role === 'first' || entry.linkGroup === undefined) return this.begin({ node, entry, encoded, path });
    return this.begin(standingAlone({ node, entry, encoded, path }));
  }

  /** The folder of the entry waits for it already. */
  private begin(placed: PlacedEntry): Promise<void> | undefined {
    // In a folder that this restore has made there is nothing that has to be looked at.
    return placed.node.folder.created ? this.restore(placed) : this.existing.meet(placed);
  }

  private restore(placed: PlacedEntry, replaces?: Replaced): Promise<void> | undefined {
    return placed.entry.type === 'file'
      ? this.planner.plan(placed, replaces)
      : this.others.restore(placed, replaces);
  }

  private fileEnded(file: FileUnderway, how: EntryEnd): void {
    const { node, name, path } = file;
    if (how === 'restored') this.report.restored(path, file.size, 'file', file.replaces !== undefined);
    // Nothing had its name when it was planned.
    const end = how === 'existed' ? this.taken.endOf(node.folder, name, path) : how;
    this.ended(file.linkGroup, node, end);
  }

  private ended(linkGroup: string | undefined, node: TargetNode, end: EntryEnd): void {
    this.links.ended(linkGroup, end);
    this.tree.release(node);
  }

  private async flush(goesOn = false): Promise<void> {
    await this.settleLinks();
    await this.filler.flush(goesOn);
  }

  /** Too many folders are open, which wait for files: what is planned goes first. */
  private async closeFolders(): Promise<void> {
    await this.comparison.settled();
    await this.existing.goOn();
    await this.flush();
    while (this.tree.open > this.folderLimit / 2 && (await this.filler.settleOne()));
  }

  /** Makes the further names of files whose first one is there; where that was lost, they are files of their own. */
  private async settleLinks(): Promise<void> {
    const { linked, orphans } = this.links.settle();
    for (const node of linked) this.tree.release(node);
    for (const { node, entry, path } of orphans) {
      await this.begin(standingAlone({ node, entry, encoded: encodeEntry(entry), path }));
      if (this.filler.isFull) await this.filler.flush();
    }
  }
}

/** The entry of a name that is no link: what waits for the other names of its group, its flags, must not wait. */
function standingAlone({ node, entry: { linkGroup: _, ...entry }, path }: PlacedEntry): PlacedEntry {
  return { node, entry, encoded: encodeEntry(entry), path };
}
