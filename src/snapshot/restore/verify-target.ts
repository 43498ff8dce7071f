import { CbrError, chunkIdBytes, messageOf } from '../../core/index.js';
import { Limiter } from '../../engine/index.js';
import { FileError, openFolder, openTarget, type RawPath, type TargetFolder } from '../../fs/index.js';
import { contentItems, type ReadTreeChunk } from '../content-list.js';
import { type ContentItem, type Entry, itemBytes } from '../entry.js';
import type { FoundPath } from '../find-path.js';
import type { RestoreOptions } from './restore-options.js';
import type { RestoreReport } from './restore-report.js';
import type { VerifyInput } from './restore-tasks.js';
import type { RestoreWorkers } from './restore-workers.js';
import { type Selection, stepsOf } from './selection.js';

/** A folder of the target on the walk, open until the last file in it was read. */
interface Visited {
  readonly folder: TargetFolder | undefined;
  pending: number;
}

/**
 * Reads every chosen file of the target again and compares it with the chunk ids of the snapshot. What differs is lost.
 * Resolves with the number of files found right.
 */
export async function verifyTarget(
  start: FoundPath,
  selection: Selection,
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
    if (visited.pending === 0) visited.folder?.close();
  };
  const stopIfAborted = (): void => {
    if (options.signal.aborted) throw new CbrError('interrupted', 'the verification was interrupted');
  };
  const compare = async (visited: Visited, entry: Entry, path: string): Promise<void> => {
    try {
      for await (const part of partsOf(visited.folder, entry, read)) {
        stopIfAborted();
        const { difference } = await workers.run('verifyFile', part);
        if (difference !== undefined) return report.lose(path, `verification: ${difference}`);
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
    for await (const batch of stepsOf(start, selection, read)) {
      stopIfAborted();
      for (const step of batch) {
        const visited = path.at(-1)!;
        if (step.kind === 'enter') {
          path.push({ folder: openBelow(visited.folder, step.entry.name), pending: 1 });
        } else if (step.kind === 'leave') release(path.pop()!);
        else if (step.kind === 'entry' && step.entry.type === 'file') {
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

/** A file in parts of one page of its content list each: memory is bounded, whatever its size. */
async function* partsOf(
  folder: TargetFolder | undefined,
  entry: Entry,
  read: ReadTreeChunk,
): AsyncGenerator<VerifyInput> {
  if (folder === undefined) throw new CbrError('target', 'its folder is not there');
  const size = entry.size ?? 0;
  let offset = 0;
  for await (const items of contentItems(entry.content!, size, read)) {
    const end = items.reduce((sum, item) => sum + itemBytes(item), offset);
    const part = { folder: folder.handle(), name: entry.name, offset, isLast: end === size };
    yield { ...part, ...packItems(items) };
    offset = end;
  }
}

function packItems(items: readonly ContentItem[]): { items: Float64Array; ids: Uint8Array } {
  return {
    items: Float64Array.from(items, (item) => (item.id === undefined ? -item.hole : item.length)),
    ids: Buffer.concat(items.flatMap((item) => (item.id === undefined ? [] : [chunkIdBytes(item.id)]))),
  };
}

function openBelow(folder: TargetFolder | undefined, name: string): TargetFolder | undefined {
  try {
    return folder === undefined ? undefined : openFolder(folder, name);
  } catch (error) {
    if (error instanceof FileError || (error instanceof CbrError && error.code === 'format'))
      return undefined;
    throw error;
  }
}
