import type {
  BlocksToSeal,
  BlockToStore,
  BlockWriterOptions,
  FinishedPack,
  KeyMaterial,
  OpenedBlock,
} from '../../repo/index.js';

/** The tasks of the workers of a copy: they open blocks of the source, and seal what the target lacks of them. */
export type CopyTasks = {
  open: { input: BlocksToSeal; output: readonly OpenedBlock[] };
  store: { input: readonly BlockToStore[]; output: readonly FinishedPack[] };
  finish: { input: Record<never, never>; output: readonly FinishedPack[] };
  /** Throws away what is not stored yet, its staged files too. */
  abandon: { input: Record<never, never>; output: Record<never, never> };
};

/** What each worker is given when it starts. */
export interface CopyWorkerData {
  readonly source: KeyMaterial;
  readonly target: KeyMaterial;
  readonly portable: boolean;
  readonly settings: Omit<BlockWriterOptions, 'keys' | 'algorithms'>;
}
