import type { BlockSummary, KeyMaterial } from '../../repo/index.js';

/** The task of the workers that verify whole packs. */
export type PackTasks = {
  verify: { input: PackToVerify; output: VerifiedPack };
};

/** What each worker is given when it starts. */
export interface CheckWorkerData {
  readonly keys: KeyMaterial;
  readonly portable: boolean;
  /** Plain bytes of a block as this repository makes them. */
  readonly blockBytes: number;
}

export interface PackToVerify {
  readonly name: string;
  /** The stored bytes, as far as they are there. */
  readonly bytes: Uint8Array;
  readonly kind: string;
  /** Its blocks by the index segments. */
  readonly blocks: readonly BlockSummary[];
}

export interface VerifiedPack {
  /** What is wrong with it, one sentence each; empty: it is what was written. */
  readonly problems: readonly string[];
  /** For each block, the chunks found in it; 0 if it cannot be opened. */
  readonly counts: Uint32Array;
  /** Ids and plain lengths of these chunks, taken from their content, block after block. */
  readonly ids: Uint8Array;
  readonly lengths: Uint32Array;
}
