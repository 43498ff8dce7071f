import { openTarget, rawPath } from '../../fs/index.js';
import { chunkReader, loadRepository, type Repository } from '../../repo/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { Listener } from '../events.js';
import { findNamedPath } from '../find-named-path.js';
import { previewRestore } from './preview.js';
import type { RestoreOptions, RestoreSummary } from './restore-options.js';
import { RestoreReport } from './restore-report.js';
import { RestoreRun } from './restore-run.js';
import { type RestoreWorkers, startRestoreWorkers } from './restore-workers.js';
import { compileSelection, stepsOf } from './selection.js';
import { verifyTarget } from './verify-target.js';

/**
 * Restores a snapshot, or a part of it, below a target folder. What is there already is left alone. A file that cannot be
 * restored whole does not appear under its name; it is reported and counted, and the restore goes on. Rejects when the
 * target takes nothing more, when the path is not in the snapshot, and when stopped. `workers` may have been started before,
 * and are closed by the caller then.
 */
export async function restoreSnapshot(
  repository: Repository,
  options: RestoreOptions,
  listener: Listener,
  workers?: RestoreWorkers,
): Promise<RestoreSummary> {
  if (workers === undefined && !options.dryRun) {
    const own = startRestoreWorkers(options.threads);
    try {
      return await restoreSnapshot(repository, options, listener, own);
    } finally {
      await own.close();
    }
  }
  const reader = chunkReader(repository, await loadRepository(repository));
  const read: ReadTreeChunk = (reference) => reader.read('tree', reference.id, reference.length);
  const start = await findNamedPath(repository, options.snapshot, options.path, read);
  const selection = compileSelection(options.include, options.exclude);
  const { files, sourceBytes } = options.snapshot.about.statistics;
  const isWhole = options.path === undefined && selection.include === undefined;
  const expected = isWhole ? { files, bytes: sourceBytes } : undefined;
  const clock = (): number => performance.now();
  const report = new RestoreReport(listener, options.items, expected, clock, options.verify);
  if (options.dryRun || workers === undefined) {
    const steps = stepsOf(start, selection, read);
    await previewRestore(steps, rawPath(options.target), report, options.signal);
    return summaryOf(report);
  }
  workers.open({ keys: repository.keys.material, portable: repository.portable });
  const target = openTarget(rawPath(options.target));
  await new RestoreRun(repository, options, reader, read, report, workers, target).run(start, selection);
  if (!options.verify) return summaryOf(report);
  const { location } = target;
  const verified = await verifyTarget(start, selection, read, workers, location, report, options);
  return { ...summaryOf(report), verified };
}

function summaryOf(report: RestoreReport): RestoreSummary {
  const { files, folders, others, bytes, skippedExisting, lost, metadataProblems } = report;
  return { files, folders, others, bytes, skippedExisting, lost, metadataProblems };
}
