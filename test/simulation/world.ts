import type { MemoryDatabase } from './memory-database.js';
import type { ModelRepository } from './model-repository.js';
import type { ModelTrees } from './model-trees.js';
import type { Oracle } from './oracle.js';
import type { Processes } from './processes.js';
import type { Random } from './random.js';
import type { Scheduler } from './scheduler.js';
import type { SimulatedStore } from './simulated-store.js';

/** One clock for all: the waiting period is kept by it. */
export interface WaitingWorld {
  readonly waitingMs: number;
  /** Milliseconds. */
  now(): number;
}

/** Everything one schedule happens in. */
export interface World {
  readonly its: ModelRepository;
  readonly trees: ModelTrees;
  readonly random: Random;
  readonly scheduler: Scheduler;
  readonly store: SimulatedStore;
  /** Of listings. */
  pageSize: number;
  readonly oracle: Oracle;
  readonly processes: Processes;
  /** On a store that silently overwrites. */
  readonly waiting?: WaitingWorld;
  /** Notes that a process ended with an error that it should not have met. */
  failed(process: string, error: unknown): void;
}

/** A repository with some history, that schedules begin with. */
export interface Beginning {
  readonly store: SimulatedStore;
  /** A cache that knows it, as of some moment. */
  readonly database: MemoryDatabase;
}
