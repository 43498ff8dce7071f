import { constants, openSync } from 'node:fs';
import { CbrError, errnoOf } from '../../core/index.js';
import {
  FILLED_FOLDER,
  FileError,
  identityOf,
  isFilled,
  lacksOwnerRights,
  lookAt,
  lookAtOpen,
  openFolder,
  type RawPath,
  type SeenEntry,
  TargetFolder,
  toNodePath,
  withShortPath,
} from '../../fs/index.js';
import type { Entry } from '../entry.js';
import type { DeletionPlanner } from './deletion-plan.js';
import { type Fate, fateOf, mayReplace, type OverwriteRule } from './overwrite-rule.js';
import { loseRefused } from './refused-entry.js';
import type { RestoreReport } from './restore-report.js';
import { hasSameContent } from './same-content.js';
import type { EntryStep, Step } from './selection.js';

/** A folder on the way: open; `absent`, so that nothing exists in it; or `refused`, so that nothing could be put there. */
type PreviewedFolder = TargetFolder | 'absent' | 'refused';

/** The first name of a link group, and what it is in the target if it is right already. */
interface FirstName {
  readonly entry: Entry;
  readonly identity: string | undefined;
}

/** The first name of each link group; undefined where it would not be made, so that the others stand alone. */
type FirstNames = Map<string, FirstName | undefined>;

export interface PreviewParts {
  readonly target: RawPath;
  readonly rule: OverwriteRule;
  readonly report: RestoreReport;
  readonly signal: AbortSignal;
  /** Whether a file of the target has the content of the entry that is to be restored there. */
  readonly hasContent: (folder: TargetFolder, entry: Entry) => Promise<boolean>;
  /** Whether a file of the target would be given rights, so that its content counts, whatever its time says. */
  readonly lendsRights: (folder: TargetFolder, entry: Entry, seen: SeenEntry) => boolean;
  /** Told of each file that would be written, and what would give way to it. */
  readonly willWrite: (entry: Entry, seen: SeenEntry | undefined) => Promise<void> | undefined;
  /** Told of each folder that exists, on the file system of the target. */
  readonly willEnter: (folder: TargetFolder) => void;
  /** Finds what would be deleted; called with the open target, if there is one. */
  readonly deletionsIn?: ((target: TargetFolder) => DeletionPlanner) | undefined;
}

/** Reports what a restore would do, and looks at the target for it without changing anything or following a symlink. */
export class Preview {
  private readonly firsts: FirstNames = new Map();
  private readonly path: PreviewedFolder[] = [];
  /** The raw path of each folder on the way, below the target. */
  private readonly paths: string[] = [''];
  /** Whether each of them lies on the file system of the target: nothing is known of the room on others. */
  private readonly counted: boolean[] = [true];
  private deletions: DeletionPlanner | undefined;
  private fileSystem: number | undefined;

  constructor(private readonly its: PreviewParts) {}

  async run(batches: AsyncGenerator<readonly Step[]>): Promise<void> {
    const { target, signal } = this.its;
    const root = lookAtTarget(target);
    this.path.push(root);
    try {
      if (root instanceof TargetFolder) {
        this.fileSystem = lookAtOpen(root.fd).fileSystem;
        this.deletions = this.its.deletionsIn?.(root);
        this.its.willEnter(root);
      }
      for await (const steps of batches) {
        if (signal.aborted) throw new CbrError('interrupted', 'the restore was interrupted');
        for (const step of steps) await this.take(step);
      }
    } finally {
      for (const folder of this.path) close(folder);
    }
  }

  private take(step: Step): Promise<void> | undefined {
    const folder = this.path.at(-1)!;
    switch (step.kind) {
      case 'enter': {
        const entered = this.enter(folder, step);
        const isHere =
          !(entered instanceof TargetFolder) || this.fileSystem === lookAtOpen(entered.fd).fileSystem;
        this.path.push(entered);
        this.paths.push(step.path);
        const isCounted = this.counted.at(-1)! && isHere;
        this.counted.push(isCounted);
        if (isCounted && entered instanceof TargetFolder) this.its.willEnter(entered);
        return undefined;
      }
      case 'leave':
        close(this.path.pop()!);
        this.paths.pop();
        this.counted.pop();
        return undefined;
      case 'lost':
        this.its.report.lose(step.path, step.reason);
        return undefined;
      case 'names':
        if (folder instanceof TargetFolder)
          this.deletions?.planFolder(folder, this.paths.at(-1)!, step.names, step.chosen);
        return undefined;
      case 'entry':
        return this.entry(folder, step);
    }
  }

  private enter(parent: PreviewedFolder, { entry, path }: Extract<Step, { kind: 'enter' }>): PreviewedFolder {
    if (parent === 'refused') return 'refused';
    let folder: PreviewedFolder = 'absent';
    try {
      if (parent !== 'absent') folder = this.openBelow(parent, entry);
    } catch (error) {
      loseRefused(path, error, this.its.report);
      return 'refused';
    }
    this.its.report.folders++;
    return folder;
  }

  private openBelow(parent: TargetFolder, entry: Entry): PreviewedFolder {
    const seen = lookAt(parent, entry.name);
    if (seen === undefined) return 'absent';
    if (seen.type !== 'directory' && mayReplace(entry, seen, this.its.rule)) return 'absent';
    try {
      return openFolder(parent, entry.name);
    } catch (error) {
      // The restore gives its owner the right to look into it; a preview changes nothing.
      if (error instanceof FileError && error.errno === 'EACCES' && lacksOwnerRights(seen)) return 'absent';
      throw error;
    }
  }

  private async entry(folder: PreviewedFolder, { entry, path }: EntryStep): Promise<void> {
    const { report } = this.its;
    try {
      if (folder === 'refused') report.lose(path, 'its folder could not be made');
      else {
        const seen = folder === 'absent' ? undefined : lookAt(folder, entry.name);
        await this.decide(folder, entry, path, seen);
      }
    } catch (error) {
      loseRefused(path, error, report);
    }
  }

  private async decide(
    folder: TargetFolder | 'absent',
    entry: Entry,
    path: string,
    seen: SeenEntry | undefined,
  ): Promise<void> {
    const { report, hasContent, willWrite } = this.its;
    const first = this.firstOf(entry);
    if (seen !== undefined && folder !== 'absent') {
      const fate = this.fateOf(folder, entry, seen, first);
      const isRight = fate === 'right' || (fate === 'compare' && (await hasContent(folder, entry)));
      if (isRight) {
        this.setFirst(entry, { entry, identity: identityOf(seen) });
        return report.right(path);
      }
      const isKept = fate === 'keep';
      if (isKept || this.isBlocked(folder, entry, path, seen)) {
        this.setFirst(entry, undefined);
        return isKept ? report.existed(path) : report.lose(path, FILLED_FOLDER);
      }
    }
    this.setFirst(entry, { entry, identity: undefined });
    // A link is counted as a file without bytes, whatever its type, as the restore does.
    if (first !== undefined) return report.restored(path, 0, 'file', seen !== undefined);
    if (entry.type === 'file' && this.counted.at(-1)!) await willWrite(entry, seen);
    const type = entry.type === 'file' ? 'file' : 'other';
    report.restored(path, entry.size ?? 0, type, seen !== undefined);
  }

  private fateOf(folder: TargetFolder, entry: Entry, seen: SeenEntry, first: FirstName | undefined): Fate {
    const { rule, lendsRights } = this.its;
    if (first !== undefined) return linkFateOf(entry, seen, first, rule);
    const fate = fateOf(entry, seen, rule);
    if (fate !== 'right' || entry.type !== 'file' || seen.names > 1) return fate;
    return lendsRights(folder, entry, seen) ? 'compare' : fate;
  }

  private isBlocked(folder: TargetFolder, { name }: Entry, path: string, seen: SeenEntry): boolean {
    if (seen.type !== 'directory' || !isFilled(folder, name)) return false;
    return this.deletions?.planInTheWay(folder, name, path) !== true;
  }

  /** Remembers the first name of a group. */
  private setFirst({ linkGroup: group }: Entry, first: FirstName | undefined): void {
    if (group === undefined || this.firsts.has(group)) return;
    // Kept to the end, and attributes may be large.
    const { xattrs: _, ...kept } = first?.entry ?? {};
    this.firsts.set(group, first && { ...first, entry: kept as Entry });
  }

  /** The first name, if this is a further one that becomes a link to it. */
  private firstOf(entry: Entry): FirstName | undefined {
    const first = entry.linkGroup === undefined ? undefined : this.firsts.get(entry.linkGroup);
    return first !== undefined && hasSameContent(first.entry, entry) ? first : undefined;
  }
}

function linkFateOf(entry: Entry, seen: SeenEntry, first: FirstName, rule: OverwriteRule): Fate {
  if (!mayReplace(entry, seen, rule)) return 'keep';
  return first.identity === identityOf(seen) ? 'right' : 'replace';
}

/** The target as it is. Throws FileError (target) where a restore would. */
function lookAtTarget(target: RawPath): PreviewedFolder {
  try {
    const flags = constants.O_RDONLY | constants.O_DIRECTORY;
    const fd = withShortPath(target, (short) => openSync(toNodePath(short), flags));
    return TargetFolder.adopt(fd, target, false);
  } catch (error) {
    if (errnoOf(error) === 'ENOENT') return 'absent';
    throw error instanceof FileError ? error : new FileError('target', 'open the target', target, error);
  }
}

function close(folder: PreviewedFolder): void {
  if (folder instanceof TargetFolder) folder.close();
}
