import type { PlainBlock, StoredBlock } from '../stored-block.js';
import type { BlockSealer } from './block-sealer.js';

/** Threads of one prune. */
export interface PruneWorkers {
  /** Takes over the stored bytes. Rejects (damaged, format) when they are not what was written. */
  open(block: StoredBlock): Promise<PlainBlock>;
  /** One at a time: the next when it is finished or abandoned. */
  sealer(): BlockSealer;
  close(): Promise<void>;
}
