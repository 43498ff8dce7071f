import type { SlabLayout } from '../../engine/index.js';
import type { Extent, Problem, Xattr } from '../../fs/index.js';
import type { FinishedPack, KeyMaterial } from '../../repo/index.js';

/** The tasks of the workers that take sources in: read, cut and hash into a slab; seal from a slab. */
export type IntakeTasks = {
  readBatch: { input: BatchInput; output: BatchOutput };
  openLarge: { input: { readonly path: string; readonly isDevice: boolean }; output: LargeFile };
  readWindow: { input: WindowInput; output: WindowOutput };
  cutWindow: { input: CutInput; output: CutOutput };
  closeLarge: { input: { readonly fd: number }; output: { readonly row: Uint8Array } };
  seal: { input: SealInput; output: { readonly packs: readonly FinishedPack[] } };
  finish: { input: Record<never, never>; output: { readonly packs: readonly FinishedPack[] } };
  /** Throws away what is not stored yet, its staged file too. */
  abandon: { input: Record<never, never>; output: Record<never, never> };
};

/** What each worker is given when it starts. */
export interface IntakeWorkerData {
  readonly slabs: readonly SharedArrayBuffer[];
  readonly layout: SlabLayout;
  readonly keys: KeyMaterial;
  readonly portable: boolean;
  readonly chunkMin: number;
  readonly chunkTarget: number;
  readonly chunkMax: number;
  readonly blockBytes: number;
  readonly packBytes: number;
  readonly compressionLevel: number;
  readonly pad: boolean;
  readonly stagingFolder: string;
}

/** Small files, read whole into one slab, one behind the other. */
export interface BatchInput {
  readonly slab: number;
  /** Raw paths, separated by NUL: one string crosses to a worker much faster than many. */
  readonly paths: string;
  /** Bytes set aside for each file: its size when it was scanned. */
  readonly rooms: Float64Array;
  /** 1 for each file that may have holes: it is asked for them. */
  readonly mayHaveHoles: Uint8Array;
}

/** How reading one file ended. */
export const READ = Object.freeze({
  ok: 0,
  /** It no longer exists. */
  vanished: 1,
  /** It is there and cannot be read; `notes` says why. */
  failed: 2,
  /** It outgrew the room set aside for it: read it again with the size in its row. */
  outgrown: 3,
  /** It changed each time it was read; what was read last is stored. */
  unsteady: 4,
});

/** What is said of a file beside its content; most have nothing. */
export interface FileNotes {
  readonly xattrs?: readonly Xattr[];
  readonly flags?: number;
  readonly problems?: readonly Problem[];
  readonly error?: string;
}

export interface BatchOutput {
  readonly states: Uint8Array;
  /** Chunks of each file, in the slab's table one behind the other. */
  readonly chunks: Uint32Array;
  /** A stat row (STAT_ROW_BYTES) for each file, taken before its content was read. */
  readonly rows: Uint8Array;
  readonly notes: readonly (readonly [file: number, notes: FileNotes])[];
  /** Files with holes; all of the others is data. */
  readonly sparse: readonly (readonly [file: number, sparse: SparseFile])[];
}

/** Where what was read of a file with holes belongs. No chunk reaches from one extent into the next. */
export interface SparseFile {
  readonly extents: readonly Extent[];
  /** Bytes of the file, with the hole that may be at its end. */
  readonly size: number;
}

export interface LargeFile {
  /** Open in the whole process: any worker may read it. */
  readonly fd: number;
  readonly row: Uint8Array;
  /** Where there is data; what lies between are holes. */
  readonly extents: readonly Extent[];
  readonly notes: FileNotes;
}

export interface WindowInput {
  readonly slab: number;
  readonly fd: number;
  readonly start: number;
  /** The end of the extent. */
  readonly end: number;
}

export interface WindowOutput {
  readonly chunks: number;
  /** Where the next window begins: behind the last cut. */
  readonly next: number;
  /** Fewer bytes were there than the extent said. */
  readonly truncated: boolean;
}

/** Content that the main thread has put into a slab. */
export interface CutInput {
  readonly slab: number;
  readonly start: number;
  readonly end: number;
  /** Nothing follows. */
  readonly isEnd: boolean;
}

export interface CutOutput {
  readonly chunks: number;
  /** Where in the slab the last chunk ends: what is behind it belongs in front of what follows. */
  readonly end: number;
}

export interface SealInput {
  readonly slab: number;
  /** Rows of the slab's chunk table. */
  readonly rows: Uint32Array;
}
