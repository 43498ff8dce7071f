import type { MetadataChoice, Problem, Replaced, TargetFolderHandle, TemporaryFile } from '../../fs/index.js';
import type { KeyMaterial } from '../../repo/index.js';

/**
 * The tasks of the workers that restore: open blocks, write what files need of them, finish files. `feedFile` says for each
 * chunk of its part whether it was copied (1) or is to be fetched (0).
 */
export type RestoreTasks = {
  writeBlocks: { input: BlocksInput; output: FilesOutput };
  finishFiles: { input: FinishInput; output: FilesOutput };
  feedFile: { input: FeedInput; output: Uint8Array };
  verifyFile: { input: VerifyInput; output: Verdict };
};

/** What each worker is given before its first task. */
export interface RestoreWorkerData {
  readonly keys: KeyMaterial;
  readonly portable: boolean;
  readonly metadata: MetadataChoice;
}

/** The files of a task, in columns: few large values cross to a worker much faster than many small ones. */
export interface TaskFiles {
  readonly folders: readonly TargetFolderHandle[];
  /** For each file its position in `folders`. */
  readonly folderOf: Uint32Array;
  /**
   * Encoded tree entries, with all attribute values inline that are known, one behind the other, and where each ends. Nothing for a file
   * that is open while its blocks are written: it is finished by a task of its own.
   */
  readonly entries: Uint8Array;
  readonly entryEnds: Uint32Array;
  /** Those that are open already, because their content comes in several tasks; the others this task makes whole. */
  readonly open: readonly (readonly [file: number, temporary: TemporaryFile])[];
  /** Those that take the place of something; the others are named only where nothing has their name. */
  readonly replaces: readonly (readonly [file: number, replaced: Replaced])[];
}

/** Neighbouring blocks of one pack with everything that is needed of them. */
export interface BlocksInput {
  readonly pack: string;
  /** The pack's header as stored. */
  readonly header: Uint8Array;
  /** Stored bytes of the blocks, one behind the other. */
  readonly stored: Uint8Array;
  readonly firstBlock: number;
  /** How long each is, stored and opened. */
  readonly blocks: readonly { readonly stored: number; readonly plain: number }[];
  readonly files: TaskFiles;
  /** PIECE numbers for each piece, sorted by file. */
  readonly pieces: Float64Array;
  /** The chunk id of each piece, 32 bytes. */
  readonly ids: Uint8Array;
}

/** A piece: file, block (counted from firstBlock), ordinal in the block, offset in the file, length. */
export const PIECE_NUMBERS = 5;

export interface FinishInput {
  readonly files: TaskFiles;
}

/** How it ended for a file. */
export const WRITTEN = Object.freeze({
  /** Whole under its name, or its pieces written. */
  done: 0,
  /** Something of that name is there and was left alone. */
  existed: 1,
  /** A block it needs cannot be opened or does not hold its chunk, or its content list is wrong. */
  damaged: 2,
  /** The target refused it. */
  refused: 3,
});

export interface FilesOutput {
  readonly states: Uint8Array;
  readonly reasons: readonly (readonly [file: number, reason: string])[];
  readonly problems: readonly Problem[];
  /** Blocks of the task, counted from firstBlock, that cannot be opened. */
  readonly badBlocks: readonly number[];
  /** Chunks that are not where the index says, in blocks that were opened well. */
  readonly wrongChunks: readonly (readonly [block: number, ordinal: number])[];
}

/**
 * A part of a file, of which the file that it replaces may have chunks already: those are copied, if they are right. One that
 * an interrupted restore has left has some itself.
 */
export interface FeedInput extends Omit<VerifyInput, 'isLast'> {
  readonly temporary: TemporaryFile;
  readonly isContinued: boolean;
  /** Something that may have chunks is in its place. */
  readonly replaces: boolean;
}

/** A part of a file that is to be compared. */
export interface VerifyInput {
  readonly folder: TargetFolderHandle;
  readonly name: string;
  /** Where the part begins. */
  readonly offset: number;
  /** The file must end with it. */
  readonly isLast: boolean;
  /** Positive: length of the next chunk, negative: of a hole. */
  readonly items: Float64Array;
  /** 32 bytes for each chunk. */
  readonly ids: Uint8Array;
}

/** What is found of a part: nothing when it is right. */
export interface Verdict {
  /** How it differs from the snapshot. */
  readonly difference?: string;
  /** Why this user cannot read it back: it may be right or not. */
  readonly unreadable?: string;
}
