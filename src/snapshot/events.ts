import type { FilterRule } from '../fs/index.js';

/** What a running operation tells whoever shows it. All sizes in bytes. */

/** How far it is; sent a few times a second. */
export interface ProgressEvent {
  readonly type: 'progress';
  readonly phase:
    | 'scan'
    | 'snapshot'
    | 'restore'
    | 'verify'
    | 'dump'
    | 'check'
    | 'prune'
    | 'measure'
    | 'copy'
    | 'index'
    | 'scrub'
    | 'mirror'
    | 'image';
  /**
   * Of a prune: the parts of a step that are done; of a measurement, of the path index and of a copy: the snapshots; of a scrub and
   * a mirror: objects.
   */
  readonly files: number;
  /** Undefined while it is not known. */
  readonly totalFiles?: number;
  readonly bytes: number;
  readonly totalBytes?: number;
  /** Bytes stored so far that the repository did not have. */
  readonly newBytes?: number;
  /** What is being worked on: a raw path, the name of an object, the step of a prune, or the id of a snapshot. */
  readonly current?: string;
}

/** Something that did not go as it should. */
export interface ProblemEvent {
  readonly type: 'problem';
  /**
   * error: content is missing or damaged; changed: a file was stored while it changed; metadata: something beside content
   * could not be read or set; note: worth a word, nothing is wrong.
   */
  readonly severity: 'error' | 'changed' | 'metadata' | 'note';
  /** A raw path (latin1, see src/fs), or the name of an object. */
  readonly subject: string;
  readonly reason: string;
}

/** One file or folder, as it is dealt with; sent only when asked for. */
export interface ItemEvent {
  readonly type: 'item';
  readonly path: string;
  readonly action:
    | 'new'
    | 'changed'
    | 'unchanged'
    | 'excluded'
    | 'restored'
    | 'replaced'
    | 'kept'
    | 'deleted'
    | 'differs';
  readonly bytes?: number;
  /** Of what is excluded: what left it out. */
  readonly rule?: FilterRule;
}

export type OperationEvent = ProgressEvent | ProblemEvent | ItemEvent;
export type Listener = (event: OperationEvent) => void;
