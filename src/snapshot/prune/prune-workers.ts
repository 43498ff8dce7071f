import { WorkerPool } from '../../engine/index.js';
import {
  type BlockSealer,
  blockWriterSettings,
  type PruneWorkers,
  type Repository,
} from '../../repo/index.js';
import { abandonEach, finishEach, handedOver } from '../sealing-workers.js';
import type { PruneTasks, PruneWorkerData } from './prune-tasks.js';

/** As many threads as are given, at least one. */
export function startPruneWorkers(repository: Repository, threads: number): PruneWorkers {
  const script = new URL('./prune-worker.js', import.meta.url);
  const count = Math.max(1, threads);
  const pool = new WorkerPool<PruneTasks>({ script, threads: count });
  const { keys, portable } = repository;
  const data: PruneWorkerData = {
    keys: keys.material,
    portable,
    settings: blockWriterSettings(repository),
  };
  pool.open(data);
  pool.warmUp(count);
  return {
    open: (block) => {
      const stored = handedOver(block.stored);
      return pool.run('open', { ...block, stored }, { transfer: [stored.buffer] });
    },
    sealer: () => sealerOf(pool, count),
    close: () => pool.close(),
  };
}

function sealerOf(pool: WorkerPool<PruneTasks>, threads: number): BlockSealer {
  return {
    // One for each thread to work on, and one each that waits for it.
    concurrency: 2 * threads,
    seal: (blocks) => {
      const bytes = handedOver(blocks.bytes);
      return pool.run('seal', { ...blocks, bytes }, { transfer: [bytes.buffer] });
    },
    finish: () => finishEach(pool),
    abandon: () => abandonEach(pool),
  };
}
