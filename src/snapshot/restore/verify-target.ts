import { CbrError, chunkIdBytes, messageOf } from '../../core/index.js';
import { Limiter, type WorkerPool } from '../../engine/index.js';
import { FileError, openFolder, openTarget, type RawPath, type TargetFolder } from '../../fs/index.js';
import { contentItems, type ReadTreeChunk } from '../content-list.js';
import type { ContentItem, Entry } from '../entry.js';
import type { FoundPath } from '../find-path.js';
import type { RestoreOptions } from './restore-options.js';
import type { RestoreReport } from './restore-report.js';
import type { RestoreTasks } from './restore-tasks.js';
import { type Selection, walkSelected } from './selection.js';

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
  pool: WorkerPool<RestoreTasks>,
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
  const compare = async (visited: Visited, entry: Entry, path: string): Promise<void> => {
    try {
      if (visited.folder === undefined) throw new CbrError('target', 'its folder is not there');
      const items: ContentItem[] = [];
      for await (const page of contentItems(entry.content!, entry.size ?? 0, read))
        for (const item of page) items.push(item);
      const { difference } = await pool.run('verifyFile', {
        folder: visited.folder.handle(),
        name: entry.name,
        items: Float64Array.from(items, (item) => (item.id === undefined ? -item.hole : item.length)),
        ids: Buffer.concat(items.flatMap((item) => (item.id === undefined ? [] : [chunkIdBytes(item.id)]))),
      });
      if (difference === undefined) right++;
      else report.lose(path, `verification: ${difference}`);
    } catch (error) {
      if (!(error instanceof CbrError) || error.code === 'interrupted') throw error;
      report.lose(path, `verification: ${messageOf(error)}`);
    } finally {
      release(visited);
    }
  };
  const path: Visited[] = [{ folder: openTarget(target), pending: 1 }];
  try {
    const steps =
      start.tree !== undefined ? walkSelected(start.tree, read, selection) : singleStep(start.entry);
    for await (const batch of steps) {
      if (options.signal.aborted) throw new CbrError('interrupted', 'the verification was interrupted');
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

async function* singleStep(entry: Entry): ReturnType<typeof walkSelected> {
  yield [{ kind: 'entry', entry, encoded: { name: entry.name, bytes: new Uint8Array() }, path: entry.name }];
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
