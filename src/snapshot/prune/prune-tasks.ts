import type {
  BlocksToSeal,
  BlockWriterOptions,
  FinishedPack,
  KeyMaterial,
  PlainBlock,
  StoredBlock,
} from '../../repo/index.js';

/** The tasks of the workers of a prune: they open blocks of trees, and put what is needed of old packs into new ones. */
export type PruneTasks = {
  open: { input: StoredBlock; output: PlainBlock };
  seal: { input: BlocksToSeal; output: readonly FinishedPack[] };
  finish: { input: Record<never, never>; output: readonly FinishedPack[] };
  /** Throws away what is not stored yet, its staged files too. */
  abandon: { input: Record<never, never>; output: Record<never, never> };
};

/** What each worker is given when it starts. */
export interface PruneWorkerData {
  readonly keys: KeyMaterial;
  readonly portable: boolean;
  readonly settings: Omit<BlockWriterOptions, 'keys' | 'algorithms'>;
}
