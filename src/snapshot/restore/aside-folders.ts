import { displayPath, FileError, lookAt, nameNew, type TargetFolder } from '../../fs/index.js';
import type { DeletionPlan } from './deletion-plan.js';
import type { RestoreReport } from './restore-report.js';
import { reopen } from './target-tree.js';

/**
 * What becomes in the end of folders that were moved aside and are still there, because nothing was deleted or not all could
 * be: each gets its name back if that is free, else it is said where it is.
 */
export function settleAside(root: TargetFolder, plan: DeletionPlan, report: RestoreReport): void {
  for (const { path, aside } of plan.movedAside()) {
    const name = path.slice(path.lastIndexOf('/') + 1);
    const kept = `the folder that was in its place is kept as ${displayPath(aside)}`;
    let folder = root;
    try {
      folder = reopen(root, plan.namesTo(path).slice(0, -1));
      if (lookAt(folder, aside) === undefined || nameNew(folder, aside, name)) continue;
      report.note(path, kept);
    } catch (error) {
      if (!(error instanceof FileError)) throw error;
      report.note(path, `${kept}: ${error.reason}`);
    } finally {
      if (folder !== root) folder.close();
    }
  }
}
