import { serveTasks, type TaskResult } from '../../engine/index.js';
import { BlockCopier, type FinishedPack, keysFrom, loadAlgorithms } from '../../repo/index.js';
import type { CopyTasks, CopyWorkerData } from './copy-tasks.js';

/** The worker of a copy. */

function handOver(finished: readonly FinishedPack[]): TaskResult<readonly FinishedPack[]> {
  return { output: finished, transfer: finished.map(({ table }) => table.lengths.buffer as ArrayBuffer) };
}

/** What was not sealed by encryption is a part of what was read, which stays with this thread. */
function own(bytes: Uint8Array): Uint8Array {
  return bytes.byteLength === bytes.buffer.byteLength ? bytes : Uint8Array.from(bytes);
}

serveTasks<CopyTasks, CopyWorkerData>(async ({ source, target, portable, settings }) => {
  const algorithms = await loadAlgorithms(portable);
  const options = {
    source: keysFrom(source, algorithms),
    writers: { ...settings, algorithms, keys: keysFrom(target, algorithms) },
  };
  const newCopier = (): BlockCopier => new BlockCopier(options);
  /** Of the snapshot that is being copied. */
  let copier: BlockCopier | undefined;
  return {
    open: (blocks) => {
      copier ??= newCopier();
      const opened = copier.open(blocks).map((each) => ({ ...each, payload: own(each.payload) }));
      return { output: opened, transfer: opened.map(({ payload }) => payload.buffer as ArrayBuffer) };
    },
    store: (blocks) => {
      copier ??= newCopier();
      return handOver(copier.store(blocks));
    },
    finish: () => handOver(copier?.finish() ?? []),
    abandon: () => {
      copier?.abandon();
      copier = undefined;
      return { output: {} };
    },
  };
});
