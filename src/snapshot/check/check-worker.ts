import { serveTasks } from '../../engine/index.js';
import { keysFrom, loadAlgorithms } from '../../repo/index.js';
import type { CheckWorkerData, PackTasks } from './pack-tasks.js';
import { PackVerifier } from './verify-pack.js';

/** The worker of a check: verifies the packs it is handed. */

serveTasks<PackTasks, CheckWorkerData>(async (data) => {
  const algorithms = await loadAlgorithms(data.portable);
  const verifier = new PackVerifier(keysFrom(data.keys, algorithms), algorithms, data.blockBytes);
  return {
    verify: (input) => {
      const output = verifier.verify(input);
      const buffers = [output.counts.buffer, output.ids.buffer, output.lengths.buffer] as ArrayBuffer[];
      return { output, transfer: buffers };
    },
  };
});
