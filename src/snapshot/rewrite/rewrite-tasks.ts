import type { BlocksToSeal, BlockWriterOptions, FinishedPack, KeyMaterial } from '../../repo/index.js';

/** The tasks of the workers that put what is needed of old packs into new ones. */
export type RewriteTasks = {
  seal: { input: BlocksToSeal; output: readonly FinishedPack[] };
  finish: { input: Record<never, never>; output: readonly FinishedPack[] };
  /** Throws away what is not stored yet, its staged files too. */
  abandon: { input: Record<never, never>; output: Record<never, never> };
};

/** What each worker is given when it starts. */
export interface RewriteWorkerData {
  readonly keys: KeyMaterial;
  readonly portable: boolean;
  readonly settings: Omit<BlockWriterOptions, 'keys' | 'algorithms'>;
}
