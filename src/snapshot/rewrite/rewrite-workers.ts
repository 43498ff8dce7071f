import { WorkerPool } from '../../engine/index.js';
import { type BlockSealer, blockWriterSettings, type Repository } from '../../repo/index.js';
import type { RewriteTasks, RewriteWorkerData } from './rewrite-tasks.js';

/** A sealer with as many threads as are given. */
export function startRewriteWorkers(repository: Repository, threads: number): BlockSealer {
  const script = new URL('./rewrite-worker.js', import.meta.url);
  const count = Math.max(1, threads);
  const pool = new WorkerPool<RewriteTasks>({ script, threads: count });
  const { keys, portable } = repository;
  const data: RewriteWorkerData = {
    keys: keys.material,
    portable,
    settings: blockWriterSettings(repository),
  };
  pool.open(data);
  return {
    // One for each thread to work on, and one each that waits for it.
    concurrency: 2 * count,
    seal: (blocks) => {
      // Handed over, not copied. A part of a larger buffer would take all of it along.
      const isWhole = blocks.bytes.byteLength === blocks.bytes.buffer.byteLength;
      const bytes = isWhole ? blocks.bytes : Uint8Array.from(blocks.bytes);
      return pool.run('seal', { ...blocks, bytes }, { transfer: [bytes.buffer as ArrayBuffer] });
    },
    finish: async () => {
      const finished = await pool.runOnEach('finish', {});
      await pool.close();
      return finished.flat();
    },
    abandon: async () => {
      // A thread that failed has nothing left to throw away.
      await pool.runOnEach('abandon', {}).catch(() => undefined);
      await pool.close();
    },
  };
}
