import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  FileError,
  giveBackMode,
  isStill,
  lookAt,
  lookAtOpen,
  openToOwner,
  removeEmptyFolder,
  removeEntry,
  restoreTime,
  type SeenEntry,
  type TargetFolder,
} from '../../fs/index.js';
import type { Deletion, DeletionPlan } from './deletion-plan.js';
import { stopIfAborted } from './interruption.js';
import type { RestoreReport } from './restore-report.js';
import { reopen } from './target-tree.js';

/** A folder in which something is deleted. */
interface OpenParent {
  readonly path: string;
  readonly folder: TargetFolder;
  readonly before: SeenEntry;
  /** The mode to give back. */
  readonly lentMode: number | undefined;
}

interface DeletionParts {
  /** Folders keep the time that they were given. */
  readonly keepsTimes: boolean;
  readonly report: RestoreReport;
  readonly signal: AbortSignal;
}

/** Milliseconds after which others have their turn, and the signal is looked at. */
const TURN_MS = 4;

/**
 * Deletes what is planned, one by one, each only if it is still what was planned, and folders only once they are empty.
 * What cannot be deleted is reported, and the others go on. Rejects (interrupted) when it is to stop.
 */
export async function deletePlanned(
  root: TargetFolder,
  plan: DeletionPlan,
  { keepsTimes, report, signal }: DeletionParts,
): Promise<void> {
  let parent: OpenParent | undefined;
  const leave = (): void => {
    if (parent === undefined) return;
    giveBackMode(parent.folder, parent.lentMode);
    if (keepsTimes) restoreTime(parent.folder, parent.before.mtime);
    if (parent.folder !== root) parent.folder.close();
    parent = undefined;
  };
  let turn = performance.now();
  try {
    for (const deletion of plan.deletions) {
      if (performance.now() - turn >= TURN_MS) {
        await nextTurn();
        turn = performance.now();
      }
      stopIfAborted(signal);
      const names = plan.namesTo(deletion.path);
      const above = names.slice(0, -1);
      try {
        if (parent?.path !== above.join('/')) {
          leave();
          const folder = reopen(root, above);
          const before = lookAtOpen(folder.fd);
          parent = { path: above.join('/'), folder, before, lentMode: openToOwner(folder) };
        }
        deleteOne(parent.folder, names.at(-1)!, deletion, report);
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        report.keepUndeleted(deletion.path, error.reason);
      }
    }
  } finally {
    leave();
  }
}

function deleteOne(
  folder: TargetFolder,
  name: string,
  { path, seen }: Deletion,
  report: RestoreReport,
): void {
  const now = lookAt(folder, name);
  if (now === undefined) return;
  if (!isStill(now, seen)) {
    report.keepUndeleted(path, 'it was changed while this ran');
    return;
  }
  if (seen.type === 'directory') removeEmptyFolder(folder, name);
  else removeEntry(folder, name);
  report.deleted(path);
}
