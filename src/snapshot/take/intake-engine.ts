import { allocateSlabs, type SlabLayout, SlabPool, slabsOver, WorkerPool } from '../../engine/index.js';
import { SMALLEST_HOLE } from '../../fs/index.js';
import type { PackStore, Repository } from '../../repo/index.js';
import type { StoreTreeChunk } from '../content-list.js';
import { Intake } from '../intake/intake.js';
import { StreamIntake, type TakenStream } from '../intake/stream-intake.js';
import type { IntakeTasks, IntakeWorkerData } from '../intake/tasks.js';
import { INTAKE_WORKER } from '../intake/worker-script.js';

/** Content bytes of a slab: as much as a block, so that a slab of new files makes about one. */
const SLAB_BYTES = 4 * 2 ** 20;
const BATCH_FILES = 1024;

/** The worker threads of one snapshot with the memory they share. */
export interface IntakeEngine {
  readonly intake: Intake;
  /** Takes in content that is no file; `path` is what it is called. */
  takeStream(path: string, content: AsyncIterable<Uint8Array>): Promise<TakenStream>;
  /** Makes everything that runs or waits in it reject. */
  fail(error: unknown): void;
  close(): Promise<void>;
}

/** The workers of one snapshot, before it is known what they work with. */
export type IntakePool = WorkerPool<IntakeTasks>;

/** Workers for one snapshot. */
export function intakePool(threads: number): IntakePool {
  return new WorkerPool<IntakeTasks>({ script: INTAKE_WORKER, threads: Math.max(1, threads) });
}

export interface EngineOptions {
  /** Workers that were started ahead. */
  readonly pool: IntakePool | undefined;
  readonly threads: number;
  readonly compression: number;
  readonly stagingFolder: string;
  readonly onRead: (path: string, bytes: number, newBytes: number) => void;
  /** No large file is read on. */
  readonly isStopping: () => boolean;
}

export function startIntakeEngine(
  repository: Repository,
  store: PackStore,
  storeTreeChunk: StoreTreeChunk,
  options: EngineOptions,
): IntakeEngine {
  const { config, keys } = repository;
  const threads = Math.max(1, options.threads);
  const capacity = Math.max(SLAB_BYTES, 2 * config.chunkMax);
  const layout: SlabLayout = {
    // One to read into and one to seal from for each worker, and two on their way between them.
    count: 2 * threads + 2,
    capacity,
    // One for each file, and one more for each cut, or hole, within it.
    maxChunks: BATCH_FILES + Math.ceil(capacity / Math.min(config.chunkMin, SMALLEST_HOLE)) + 1,
  };
  const slabs = allocateSlabs(layout);
  const data: IntakeWorkerData = {
    slabs,
    layout,
    keys: keys.material,
    portable: repository.portable,
    chunkMin: config.chunkMin,
    chunkTarget: config.chunkTarget,
    chunkMax: config.chunkMax,
    blockBytes: config.blockBytes,
    packBytes: config.packBytes,
    compressionLevel: options.compression,
    pad: config.pad,
    stagingFolder: options.stagingFolder,
  };
  const pool = options.pool ?? intakePool(threads);
  pool.open(data);
  const slabPool = new SlabPool(slabsOver(slabs, layout));
  const parts = { pool, slabs: slabPool, capacity, store, storeTreeChunk };
  return {
    intake: new Intake({ ...parts, onRead: options.onRead, isStopping: options.isStopping }),
    takeStream: (path, content) => {
      const onRead = (bytes: number, newBytes: number): void => options.onRead(path, bytes, newBytes);
      return new StreamIntake({ ...parts, chunkMax: config.chunkMax, onRead }).take(content);
    },
    fail: (error) => slabPool.fail(error),
    close: () => pool.close(),
  };
}
