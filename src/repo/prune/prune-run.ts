import { CbrError, type ObjectDigest } from '../../core/index.js';
import type { Repository } from '../repository.js';
import type { PruneOptions, WalkTrees } from './prune-options.js';
import type { PruneWorkers } from './prune-workers.js';
import { SilenceObserver } from './silence.js';

/** What all steps of one prune work with. */
export interface PruneRun {
  readonly repository: Repository;
  readonly walk: WalkTrees;
  readonly options: PruneOptions;
  readonly silence: SilenceObserver;
  /** Starts them when they are first asked for; undefined where there are none. */
  readonly workers: () => PruneWorkers | undefined;
  /** Ends the workers, if they were started. */
  readonly endWorkers: () => Promise<void>;
}

export function newPruneRun(repository: Repository, walk: WalkTrees, options: PruneOptions): PruneRun {
  const { timeToLiveMs } = options.timing;
  // Where a fence keeps nobody out a wrong guess would cost data: nobody is held for dead before the waiting period is over.
  const timing = { ...options.timing, timeToLiveMs: Math.max(timeToLiveMs, repository.waitingMs ?? 0) };
  const silence = new SilenceObserver(repository.cache, repository.now, timing);
  let started: PruneWorkers | undefined;
  const workers = (): PruneWorkers | undefined => {
    started ??= options.startWorkers?.(repository);
    return started;
  };
  return { repository, walk, options, silence, workers, endWorkers: async () => started?.close() };
}

/** Rejects (interrupted) when the prune is to stop; between its steps, where nothing is half done. */
export function stopIfAborted({ options }: PruneRun): void {
  if (options.signal.aborted) throw new CbrError('interrupted', 'the prune was interrupted');
}

export function digestBytes(names: Iterable<ObjectDigest>): Buffer[] {
  return [...names].map((name) => Buffer.from(name, 'hex'));
}
