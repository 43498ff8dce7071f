import { CbrError, messageOf } from '../../core/index.js';
import { Limiter } from '../../engine/index.js';
import { FileError, openFolder, openTarget, type RawPath, TargetFolder } from '../../fs/index.js';
import type { ReadTreeChunk } from '../content-list.js';
import type { Entry } from '../entry.js';
import { partsOf } from './file-parts.js';
import type { RestoreOptions } from './restore-options.js';
import type { RestoreReport } from './restore-report.js';
import type { Verdict } from './restore-tasks.js';
import type { RestoreWorkers } from './restore-workers.js';
import type { Step } from './selection.js';
import { NO_ACCESS } from './verify-file.js';

/** A folder of the target on the walk, open until the last file in it was read. */
interface Visited {
  readonly folder: TargetFolder | 'missing' | 'unreadable';
  pending: number;
}

/**
 * Reads every chosen file of the target again and compares it with the chunk ids of the snapshot. What differs is lost,
 * unless it was there before; what this user may not read back is neither lost nor right.
 * Resolves with the number of files found right.
 */
export async function verifyTarget(
  steps: AsyncGenerator<readonly Step[]>,
  read: ReadTreeChunk,
  workers: RestoreWorkers,
  target: RawPath,
  report: RestoreReport,
  options: RestoreOptions,
): Promise<number> {
  const running = new Limiter(2 * options.threads);
  let right = 0;
  const release = (visited: Visited): void => {
    visited.pending--;
    if (visited.pending === 0 && visited.folder instanceof TargetFolder) visited.folder.close();
  };
  const stopIfAborted = (): void => {
    if (options.signal.aborted) throw new CbrError('interrupted', 'the verification was interrupted');
  };
  const compare = async (visited: Visited, entry: Entry, path: string): Promise<void> => {
    try {
      for await (const part of partsOf(visited.folder, entry, read)) {
        stopIfAborted();
        const verdict = await workers.run('verifyFile', part);
        if (verdict.difference !== undefined || verdict.unreadable !== undefined) {
          return reportVerdict(path, verdict, report);
        }
      }
      right++;
    } catch (error) {
      if (!(error instanceof CbrError) || error.code === 'interrupted') throw error;
      report.lose(path, `verification: ${messageOf(error)}`);
    } finally {
      release(visited);
    }
  };
  const path: Visited[] = [{ folder: openTarget(target), pending: 1 }];
  try {
    for await (const batch of steps) {
      stopIfAborted();
      for (const step of batch) {
        const visited = path.at(-1)!;
        if (step.kind === 'enter') {
          const folder = openBelow(visited.folder, step.entry.name, step.path, report);
          path.push({ folder, pending: 1 });
        } else if (step.kind === 'leave') release(path.pop()!);
        else if (step.kind === 'entry' && step.entry.type === 'file' && visited.folder !== 'unreadable') {
          await running.room();
          visited.pending++;
          running.start(() => compare(visited, step.entry, step.path));
        }
      }
    }
  } finally {
    await running.idle();
    for (const visited of path) release(visited);
  }
  running.check();
  return right;
}

function reportVerdict(path: string, { difference, unreadable }: Verdict, report: RestoreReport): void {
  if (unreadable !== undefined) report.note(path, `could not be verified: ${unreadable}`);
  else if (report.hasExisted(path)) {
    report.note(path, `existed, was left alone, and differs from the snapshot: ${difference}`);
  } else report.lose(path, `verification: ${difference}`);
}

/** One word about a folder that cannot be entered, and none about each file below it. */
function openBelow(
  folder: Visited['folder'],
  name: string,
  path: string,
  report: RestoreReport,
): Visited['folder'] {
  if (!(folder instanceof TargetFolder)) return folder;
  try {
    return openFolder(folder, name);
  } catch (error) {
    if (error instanceof FileError && NO_ACCESS.has(error.errno)) {
      report.note(path, `could not be verified, nor what is in it: ${error.reason}`);
      return 'unreadable';
    }
    const isThis = error instanceof FileError || (error instanceof CbrError && error.code === 'format');
    if (!isThis) throw error;
    return 'missing';
  }
}
