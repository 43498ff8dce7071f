/**
 * Typed errors. Every error says what went wrong and where (in the message), and what to do about it (the hint).
 * `code` is stable: scripts and tests rely on it, messages may be reworded.
 */

export type ErrorCode =
  | 'usage'
  | 'no-repository'
  | 'not-a-repository'
  | 'repository-exists'
  | 'wrong-password'
  | 'damaged'
  | 'format'
  | 'newer-format'
  | 'limit'
  | 'object-exists'
  | 'object-not-found'
  | 'backend'
  | 'read-only'
  | 'busy'
  | 'fenced'
  | 'interrupted'
  | 'source'
  | 'target'
  | 'ambiguous'
  | 'not-found'
  | 'internal';

export interface ErrorDetails {
  readonly hint?: string;
  readonly cause?: unknown;
}

/** The root of all errors cbr raises on purpose. */
export class CbrError extends Error {
  readonly code: ErrorCode;
  /** What the user can do about it: one sentence, imperative. */
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = new.target.name;
    this.code = code;
    this.hint = details.hint;
  }
}

/** A create-only write met an object of the same name; nothing was changed. */
export class ObjectExistsError extends CbrError {
  constructor(
    readonly object: string,
    details?: ErrorDetails,
  ) {
    super('object-exists', `the object ${object} exists already`, details);
  }
}

/** The named object is not there. `whereabouts` tells where it is instead, if that is known: "is on disc 2, which is missing". */
export class ObjectNotFoundError extends CbrError {
  constructor(
    readonly object: string,
    { whereabouts, ...details }: ErrorDetails & { readonly whereabouts?: string } = {},
  ) {
    // Each file that is lost says this: there the long name of a pack tells its owner nothing.
    const what =
      whereabouts === undefined ? `the object ${object} does not exist` : `what is needed ${whereabouts}`;
    super('object-not-found', what, details);
  }
}

/** The medium failed. `retryable`: the same call may succeed later. */
export class BackendError extends CbrError {
  constructor(
    message: string,
    readonly retryable: boolean,
    details?: ErrorDetails,
  ) {
    super('backend', message, details);
  }
}

/** Bytes do not follow docs/format.md; `subject` names what was read. */
export class FormatError extends CbrError {
  constructor(message: string, details?: ErrorDetails) {
    super('format', message, details);
  }
}

/** Stored bytes fail their checksum or authentication; `object` names the object they belong to. */
export class DamagedError extends CbrError {
  constructor(
    readonly object: string,
    message: string,
    details?: ErrorDetails,
  ) {
    super('damaged', `${object}: ${message}`, details);
  }
}

/** A path is not in the snapshot that was named; `holders` are the ids of some that have it. */
export class PathNotFoundError extends CbrError {
  constructor(
    message: string,
    readonly holders: readonly string[],
    details?: ErrorDetails,
  ) {
    super('not-found', message, details);
  }
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** The errno code ('ENOENT', ...) of an error of node:fs, or undefined. */
export function errnoOf(error: unknown): string | undefined {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^E[A-Z0-9]+$/.test(code) ? code : undefined;
}
