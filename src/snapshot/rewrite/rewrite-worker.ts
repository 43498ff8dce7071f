import { serveTasks, type TaskResult } from '../../engine/index.js';
import { BlockWriters, type FinishedPack, keysFrom, loadAlgorithms } from '../../repo/index.js';
import type { RewriteTasks, RewriteWorkerData } from './rewrite-tasks.js';

/** The worker of a prune: opens blocks of old packs and seals what is needed of them into packs of its own. */

function handOver(finished: readonly FinishedPack[]): TaskResult<readonly FinishedPack[]> {
  return { output: finished, transfer: finished.map(({ table }) => table.lengths.buffer as ArrayBuffer) };
}

serveTasks<RewriteTasks, RewriteWorkerData>(async ({ keys: material, portable, settings }) => {
  const algorithms = await loadAlgorithms(portable);
  const writers = new BlockWriters({ ...settings, algorithms, keys: keysFrom(material, algorithms) });
  return {
    seal: (blocks) => handOver(writers.seal(blocks)),
    finish: () => handOver(writers.finish()),
    abandon: () => {
      writers.abandon();
      return { output: {} };
    },
  };
});
