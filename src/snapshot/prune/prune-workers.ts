import { WorkerPool } from '../../engine/index.js';
import {
  type BlockSealer,
  blockWriterSettings,
  discardPacks,
  type PruneWorkers,
  type Repository,
} from '../../repo/index.js';
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
      const stored = whole(block.stored);
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
      const bytes = whole(blocks.bytes);
      return pool.run('seal', { ...blocks, bytes }, { transfer: [bytes.buffer] });
    },
    finish: async () => {
      const outcomes = await Promise.allSettled(pool.eachRun('finish', {}));
      const finished = outcomes.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
      const failed = outcomes.find((each) => each.status === 'rejected');
      if (failed === undefined) return finished;
      discardPacks(finished);
      throw failed.reason;
    },
    // A thread that failed has nothing left to throw away.
    abandon: async () => void (await pool.runOnEach('abandon', {}).catch(() => undefined)),
  };
}

/** Handed over, not copied; but a part of a larger buffer would take all of it along. */
function whole(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const isWhole = bytes.byteLength === bytes.buffer.byteLength && bytes.buffer instanceof ArrayBuffer;
  return isWhole ? (bytes as Uint8Array<ArrayBuffer>) : Uint8Array.from(bytes);
}
