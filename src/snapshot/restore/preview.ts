import { constants, openSync } from 'node:fs';
import { CbrError, errnoOf, messageOf } from '../../core/index.js';
import {
  existingType,
  FileError,
  openFolder,
  type RawPath,
  TargetFolder,
  toNodePath,
  withShortPath,
} from '../../fs/index.js';
import type { Entry } from '../entry.js';
import type { RestoreReport } from './restore-report.js';
import { hasSameContent } from './same-content.js';
import type { Step } from './selection.js';

/** A folder on the way: open; `absent`, so that nothing exists in it; or `refused`, so that nothing could be put there. */
type PreviewedFolder = TargetFolder | 'absent' | 'refused';

/** The first name of each link group; undefined where it would not be made, so that the others stand alone. */
type FirstNames = Map<string, Entry | undefined>;

/** Reports what a restore would do, and looks at the target for it without changing anything or following a symlink. */
export async function previewRestore(
  batches: AsyncGenerator<readonly Step[]>,
  target: RawPath,
  report: RestoreReport,
  signal: AbortSignal,
): Promise<void> {
  const firsts: FirstNames = new Map();
  const path: PreviewedFolder[] = [lookAtTarget(target)];
  try {
    for await (const steps of batches) {
      if (signal.aborted) throw new CbrError('interrupted', 'the restore was interrupted');
      for (const step of steps) {
        const folder = path.at(-1)!;
        if (step.kind === 'enter') path.push(enter(folder, step, report));
        else if (step.kind === 'leave') close(path.pop()!);
        else if (step.kind === 'lost') report.lose(step.path, step.reason);
        else previewEntry(folder, step, firsts, report);
      }
    }
  } finally {
    for (const folder of path) close(folder);
  }
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

function enter(
  parent: PreviewedFolder,
  { entry, path }: Extract<Step, { kind: 'enter' }>,
  report: RestoreReport,
): PreviewedFolder {
  if (parent === 'refused') return 'refused';
  let folder: PreviewedFolder = 'absent';
  try {
    if (parent !== 'absent') folder = openFolder(parent, entry.name);
  } catch (error) {
    if (!(error instanceof FileError) || error.errno !== 'ENOENT') {
      loseRefused(path, error, report);
      return 'refused';
    }
  }
  report.folders++;
  return folder;
}

function previewEntry(
  folder: PreviewedFolder,
  { entry, path }: Extract<Step, { kind: 'entry' }>,
  firsts: FirstNames,
  report: RestoreReport,
): void {
  try {
    if (folder === 'refused') report.lose(path, 'its folder could not be made');
    else {
      const exists = folder !== 'absent' && existingType(folder, entry.name) !== undefined;
      const isLink = becomesLink(entry, exists, firsts);
      if (exists) report.existed(path);
      // A link is counted as a file without bytes, whatever its type, as the restore does.
      else if (isLink) report.restored(path, 0);
      else report.restored(path, entry.size ?? 0, entry.type === 'file' ? 'file' : 'other');
    }
  } catch (error) {
    loseRefused(path, error, report);
  }
}

function becomesLink(entry: Entry, exists: boolean, firsts: FirstNames): boolean {
  const { linkGroup: group, xattrs: _, ...kept } = entry;
  if (group === undefined) return false;
  if (!firsts.has(group)) {
    firsts.set(group, exists ? undefined : kept);
    return false;
  }
  const first = firsts.get(group);
  return first !== undefined && hasSameContent(first, entry);
}

/** Rethrows what is not about this one entry. */
function loseRefused(path: string, error: unknown, report: RestoreReport): void {
  const isEntry = error instanceof FileError || (error instanceof CbrError && error.code === 'format');
  if (!isEntry) throw error;
  report.lose(path, messageOf(error));
}

function close(folder: PreviewedFolder): void {
  if (folder instanceof TargetFolder) folder.close();
}
