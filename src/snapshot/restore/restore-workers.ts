import { WorkerPool } from '../../engine/index.js';
import type { RestoreTasks } from './restore-tasks.js';

/** The worker threads of one restore; to be closed by whoever starts them. */
export type RestoreWorkers = WorkerPool<RestoreTasks>;

/** So many begin to start at once; the others when there is work for them. */
const EARLY_THREADS = 2;

/** Starts workers. They load their code while the password is stretched, if they are started before the repository is opened. */
export function startRestoreWorkers(threads: number): RestoreWorkers {
  const script = new URL('./restore-worker.js', import.meta.url);
  const workers = new WorkerPool<RestoreTasks>({ script, threads: Math.max(1, threads) });
  workers.warmUp(EARLY_THREADS);
  return workers;
}
