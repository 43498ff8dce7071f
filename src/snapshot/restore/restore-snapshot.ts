import { CbrError, messageOf } from '../../core/index.js';
import {
  displayPath,
  MetadataWriter,
  Owners,
  openTarget,
  parentPath,
  type RawPath,
  rawPath,
  type TargetFolder,
} from '../../fs/index.js';
import { type ChunkReader, chunkReader, type Repository } from '../../repo/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { Listener } from '../events.js';
import { findNamedPath } from '../find-named-path.js';
import type { FoundPath } from '../find-path.js';
import { settleAside } from './aside-folders.js';
import { DeletionPlan, DeletionPlanner } from './deletion-plan.js';
import { deletePlanned } from './deletion-run.js';
import { partsOf } from './file-parts.js';
import { metadataOf } from './file-writer.js';
import { loadWithWholeIndex, PacksOfFiles } from './gather-packs.js';
import { stopIfAborted } from './interruption.js';
import { KnownPlaces, refuseIncomplete } from './known-places.js';
import { Preview } from './preview.js';
import type { RestoreOptions, RestoreSummary } from './restore-options.js';
import { checkPlaces } from './restore-places.js';
import { RestoreReport } from './restore-report.js';
import { RestoreRun, WINDOW_BYTES } from './restore-run.js';
import { type RestoreWorkers, startRestoreWorkers } from './restore-workers.js';
import { fitsSurely, missingRoomFor, RoomCount } from './room.js';
import { compileSelection, type Selection, type Step, stepsOf } from './selection.js';
import { laidOut } from './target-layout.js';
import { FileVerifier } from './verify-file.js';
import { verifyTarget } from './verify-target.js';

/** What all parts of one restore share. */
interface Restoring {
  readonly repository: Repository;
  readonly options: RestoreOptions;
  readonly reader: ChunkReader;
  readonly read: ReadTreeChunk;
  readonly start: FoundPath;
  readonly selection: Selection;
  readonly target: RawPath;
  readonly listener: Listener;
}

/**
 * Restores a snapshot, or a part of it, below a target folder. What may be done to what is there says the rule of the options.
 * A file that cannot be restored whole does not appear under its name; it is reported and counted, and the restore goes on.
 * Rejects before anything is written when the place is refused or has too little room; later when the target takes nothing
 * more, and when stopped. `workers` may have been started before, and are closed by the caller then.
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
  if (options.confirmDeletions !== undefined) refuseIncomplete(options.snapshot);
  const target = rawPath(options.target);
  const { folder } = repository.backend;
  if (folder !== undefined) checkPlaces(target, folder, options.confirmDeletions !== undefined);
  const reader = chunkReader(repository, await loadWithWholeIndex(repository, options.signal));
  const read: ReadTreeChunk = (reference) => reader.read('tree', reference.id, reference.length);
  const start = await findNamedPath(repository, options.snapshot, options.path, read);
  const selection = compileSelection(options.rules, start);
  const restoring = { repository, options, reader, read, start, selection, target, listener };
  return options.dryRun || workers === undefined ? dryRun(restoring) : restore(restoring, workers);
}

async function dryRun(restoring: Restoring): Promise<RestoreSummary> {
  const { target } = restoring;
  const report = reportOf(restoring);
  const { deletions, needed } = await preview(restoring, report, true);
  noteKept(deletions, report);
  if (report.lost === 0) for (const { path } of deletions.deletions) report.deleted(path);
  return { ...summaryOf(report), missingRoom: missingRoomFor(target, needed) };
}

async function restore(restoring: Restoring, workers: RestoreWorkers): Promise<RestoreSummary> {
  const { repository, options, reader, read, start } = restoring;
  const report = reportOf(restoring);
  const deletions = await prepare(restoring, report);
  await gatherPacks(restoring);
  workers.open({
    keys: repository.keys.material,
    portable: repository.portable,
    metadata: options.metadata,
  });
  const target = openTarget(restoring.target);
  const run = new RestoreRun(repository, options, reader, read, report, workers, target, deletions);
  // A single file lies in the target: what is known of it says nothing about that folder.
  const own = isLaidOut(options) || start.tree === undefined ? undefined : start.entry;
  try {
    await run.run(steps(restoring, report), own);
    const verified = options.verify ? await verify(restoring, report, workers) : undefined;
    if (deletions.deletions.length > 0) await deleteIfWhole(restoring, report, deletions);
    return { ...summaryOf(report), ...(verified === undefined ? {} : { verified }) };
  } finally {
    // Also when it was stopped: nobody else knows of these folders.
    if (deletions.movedAside().length > 0) await settle(restoring, report, deletions);
  }
}

async function verify(restoring: Restoring, report: RestoreReport, workers: RestoreWorkers): Promise<number> {
  const { read, target, options } = restoring;
  return verifyTarget(steps(restoring, silentReport()), read, workers, target, report, options);
}

/** Looks before anything is written: whether there is room, and what is to be deleted. Rejects to stop. */
async function prepare(restoring: Restoring, report: RestoreReport): Promise<DeletionPlan> {
  const { options, target } = restoring;
  const { sourceBytes, files } = options.snapshot.about.statistics;
  if (options.confirmDeletions === undefined && fitsSurely(target, sourceBytes, files))
    return new DeletionPlan();
  const silent = silentReport();
  const { deletions, needed } = await preview(restoring, silent, false);
  const missing = missingRoomFor(target, needed);
  if (missing > 0) throw tooLittleRoom(target, needed, missing);
  if (silent.lost > 0 && deletions.deletions.length > 0) {
    report.note('', 'nothing is going to be deleted, because not all can be restored');
    return new DeletionPlan();
  }
  noteKept(deletions, report);
  if (deletions.deletions.length > 0) await options.confirmDeletions?.(deletions.deletions);
  return deletions;
}

/** Where parts of the medium have to be put in, each is put in once, before anything is written. */
async function gatherPacks(restoring: Restoring): Promise<void> {
  const { options, read, repository } = restoring;
  const { gathering } = repository.backend;
  if (gathering?.isNeeded !== true) return;
  const packs = new PacksOfFiles(repository.cache, read);
  await preview(restoring, silentReport(), true, packs);
  await gathering.gather(packs.names, { signal: options.signal });
}

/** Of a look at the target that nobody is told of. */
function silentReport(): RestoreReport {
  return new RestoreReport(
    () => undefined,
    false,
    undefined,
    () => 0,
  );
}

/** Goes through the restore without doing it; counts the bytes that it writes, unless they surely fit. */
async function preview(
  { options, read, start, selection, target, repository, ...others }: Restoring,
  report: RestoreReport,
  comparesContent: boolean,
  packs?: PacksOfFiles,
): Promise<{ readonly deletions: DeletionPlan; readonly needed: number }> {
  const room = new RoomCount(read, target, WINDOW_BYTES);
  const { sourceBytes, files } = options.snapshot.about.statistics;
  const isCounted = !fitsSurely(target, sourceBytes, files);
  const deletions = new DeletionPlan();
  const { folder } = repository.backend;
  const planning = {
    selection,
    known: new KnownPlaces(options.snapshot.about),
    start: start.tree === undefined ? parentPath(start.path as RawPath) : start.path,
    own: folder === undefined ? options.ownFolders : [...options.ownFolders, folder],
  };
  const verifier = new FileVerifier(repository.keys.chunkIds('data'));
  const metadata = new MetadataWriter(new Owners(), [], options.metadata);
  const deletes = options.confirmDeletions !== undefined && !isLaidOut(options);
  await new Preview({
    target,
    rule: options.rule,
    report,
    signal: options.signal,
    hasContent: async (folder, entry) => {
      if (!comparesContent) return true;
      for await (const part of partsOf(folder, entry, read)) {
        const { difference, unreadable } = verifier.verdictOn(part);
        if (difference !== undefined || unreadable !== undefined) return false;
      }
      return true;
    },
    lendsRights: (folder, entry, seen) => metadata.lendsRights(folder, entry.name, seen, metadataOf(entry)),
    willWrite: (entry, seen) => packs?.add(entry) ?? (isCounted ? room.add(entry, seen) : undefined),
    willEnter: (folder) => {
      if (isCounted) room.addLeftovers(folder);
    },
    deletionsIn: deletes ? (folder) => new DeletionPlanner(deletions, folder, planning) : undefined,
  }).run(steps({ options, read, start, selection, target, repository, ...others }, report, deletes));
  return { deletions, needed: room.needed };
}

async function deleteIfWhole(
  restoring: Restoring,
  report: RestoreReport,
  deletions: DeletionPlan,
): Promise<void> {
  const { signal, rule } = restoring.options;
  stopIfAborted(signal);
  if (report.lost > 0) {
    report.note('', 'nothing was deleted, because not all could be restored');
    return;
  }
  const keepsTimes = rule.overwrite !== 'never';
  await withTarget(restoring, (root) => deletePlanned(root, deletions, { keepsTimes, report, signal }));
}

/** Must not hide why the restore was stopped. */
async function settle(restoring: Restoring, report: RestoreReport, deletions: DeletionPlan): Promise<void> {
  try {
    await withTarget(restoring, (root) => settleAside(root, deletions, report));
  } catch (error) {
    report.note('', messageOf(error));
  }
}

/** Opens the target once more: the restore has closed it. */
async function withTarget(
  { target }: Restoring,
  action: (root: TargetFolder) => void | Promise<void>,
): Promise<void> {
  const root = openTarget(target);
  try {
    await action(root);
  } finally {
    root.close();
  }
}

function noteKept({ kept }: DeletionPlan, report: RestoreReport): void {
  for (const { path, reason } of kept) report.note(path, reason);
}

function steps(
  { options, start, selection, read }: Restoring,
  report: RestoreReport,
  withNames = false,
): AsyncGenerator<readonly Step[]> {
  const all = stepsOf(start, selection, read, withNames);
  return isLaidOut(options) ? laidOut(all, options.layout, report) : all;
}

function isLaidOut({ layout }: RestoreOptions): boolean {
  return layout.flatten || layout.stripComponents > 0;
}

function reportOf({ options, listener }: Restoring): RestoreReport {
  const { files, sourceBytes } = options.snapshot.about.statistics;
  const isWhole = options.path === undefined && options.rules.include.length === 0;
  const expected = isWhole ? { files, bytes: sourceBytes } : undefined;
  return new RestoreReport(listener, options.items, expected, () => performance.now(), options.verify);
}

function tooLittleRoom(target: RawPath, needed: number, missing: number): CbrError {
  const free = needed - missing;
  return new CbrError(
    'target',
    `the target has room for ${free} bytes, and ${needed} would have to be written: ${displayPath(target)}`,
    { hint: 'Free some space or choose another target; nothing was written.' },
  );
}

function summaryOf(report: RestoreReport): RestoreSummary {
  const { files, folders, others, replaced, unchanged, bytes, skippedExisting, lost } = report;
  const { metadataProblems, deletions: deleted, undeleted, stripped } = report;
  return {
    ...{ files, folders, others, replaced, unchanged, bytes, skippedExisting, lost },
    ...{ metadataProblems, deleted, undeleted, stripped, missingRoom: 0 },
  };
}
