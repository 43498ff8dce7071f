import { serveTasks, type TaskResult } from '../../engine/index.js';
import {
  BlockWriters,
  type FinishedPack,
  keysFrom,
  loadAlgorithms,
  openStoredBlock,
  type PlainBlock,
} from '../../repo/index.js';
import type { PruneTasks, PruneWorkerData } from './prune-tasks.js';

/** The worker of a prune: opens blocks of trees, and seals what is needed of old packs into packs of its own. */

function handOver(finished: readonly FinishedPack[]): TaskResult<readonly FinishedPack[]> {
  return { output: finished, transfer: finished.map(({ table }) => table.lengths.buffer as ArrayBuffer) };
}

function handOverBlock({ plain, chunkLengths }: PlainBlock): TaskResult<PlainBlock> {
  // What was not compressed is a part of what was read.
  const isWhole = plain.byteLength === plain.buffer.byteLength;
  const own = isWhole ? plain : Uint8Array.from(plain);
  return { output: { plain: own, chunkLengths }, transfer: [own.buffer as ArrayBuffer] };
}

serveTasks<PruneTasks, PruneWorkerData>(async ({ keys: material, portable, settings }) => {
  const algorithms = await loadAlgorithms(portable);
  const keys = keysFrom(material, algorithms);
  const newWriters = (): BlockWriters => new BlockWriters({ ...settings, algorithms, keys });
  /** Of the sealer at work. */
  let writers: BlockWriters | undefined;
  return {
    open: (block) => handOverBlock(openStoredBlock(block, keys, algorithms)),
    seal: (blocks) => {
      writers ??= newWriters();
      return handOver(writers.seal(blocks));
    },
    finish: () => {
      const finished = writers?.finish() ?? [];
      writers = undefined;
      return handOver(finished);
    },
    abandon: () => {
      writers?.abandon();
      writers = undefined;
      return { output: {} };
    },
  };
});
