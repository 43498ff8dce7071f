import { WorkerPool } from '../../engine/index.js';
import {
  BlockCopier,
  type BlocksToSeal,
  type BlockToStore,
  type BlockWriterOptions,
  blockWriterSettings,
  type FinishedPack,
  type OpenedBlock,
  type Repository,
} from '../../repo/index.js';
import { abandonEach, finishEach, handedOver } from '../sealing-workers.js';
import type { CopyTasks, CopyWorkerData } from './copy-tasks.js';

/** Opens blocks of the source, and stores chunks of them in packs of the target. */
export interface BlockWork {
  /** How many blocks may be under way at the same time. */
  readonly concurrency: number;
  /** Takes over what was read. Rejects (damaged) when a block is not what the index says. */
  open(blocks: BlocksToSeal): Promise<readonly OpenedBlock[]>;
  /** Takes over the payloads; resolves with the packs that were finished by it. */
  store(blocks: readonly BlockToStore[]): Promise<readonly FinishedPack[]>;
  /** When all is stored. */
  finish(): Promise<readonly FinishedPack[]>;
  /** Throws away what is not handed over. */
  abandon(): Promise<void>;
}

/** Below so many stored bytes threads would take longer to start than to work. */
const FEW_BYTES = 16 * 2 ** 20;

/** The threads of a copy, started when there is first enough to do. */
export class CopyWorkers {
  private pool: WorkerPool<CopyTasks> | undefined;

  constructor(
    private readonly source: Repository,
    private readonly target: Repository,
    private readonly threads: number,
  ) {}

  /** For content of so many stored bytes: one at a time, the next when it is finished or abandoned. */
  workOf(storedBytes: number): BlockWork {
    return storedBytes < FEW_BYTES && this.pool === undefined ? this.workHere() : this.workInThreads();
  }

  async close(): Promise<void> {
    await this.pool?.close();
  }

  private settings(): Omit<BlockWriterOptions, 'keys' | 'algorithms'> {
    const [from, to] = [this.source.config, this.target.config];
    // Compressed and padded as the target wants it, a block is only sealed anew.
    const isAlike = from.compression === to.compression && from.pad === to.pad;
    return { ...blockWriterSettings(this.target), adoptMost: isAlike ? to.blockBytes : 0 };
  }

  private workHere(): BlockWork {
    const { keys, algorithms } = this.target;
    const writers = { ...this.settings(), keys, algorithms };
    const copier = new BlockCopier({ source: this.source.keys, writers });
    return {
      concurrency: 1,
      open: async (blocks) => copier.open(blocks),
      store: async (blocks) => copier.store(blocks),
      finish: async () => copier.finish(),
      abandon: async () => copier.abandon(),
    };
  }

  private workInThreads(): BlockWork {
    const count = Math.max(1, this.threads);
    this.pool ??= this.start(count);
    const { pool } = this;
    return {
      // One for each thread to work on, and one each that waits for it.
      concurrency: 2 * count,
      open: (blocks) => {
        const bytes = handedOver(blocks.bytes);
        return pool.run('open', { ...blocks, bytes }, { transfer: [bytes.buffer] });
      },
      store: (blocks) => {
        const own = blocks.map((each) => ({ ...each, payload: handedOver(each.payload) }));
        const transfer = own.map(({ payload }) => payload.buffer);
        // What is opened waits in memory until it is stored.
        return pool.run('store', own, { urgent: true, transfer });
      },
      finish: () => finishEach(pool),
      abandon: () => abandonEach(pool),
    };
  }

  private start(count: number): WorkerPool<CopyTasks> {
    const script = new URL('./copy-worker.js', import.meta.url);
    const pool = new WorkerPool<CopyTasks>({ script, threads: count });
    const data: CopyWorkerData = {
      source: this.source.keys.material,
      target: this.target.keys.material,
      portable: this.target.portable,
      settings: this.settings(),
    };
    pool.open(data);
    pool.warmUp(count);
    return pool;
  }
}
