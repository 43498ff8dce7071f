import { CbrError, errnoOf, messageOf, PathNotFoundError } from '../core/index.js';
import { displayPath, FileError } from '../fs/index.js';
import { PolicyRefusedError } from '../policy/index.js';
import type { ProblemEvent } from '../snapshot/index.js';
import { displayText, rawField, rawListField } from './raw-names.js';
import { countText } from './sizes.js';

/** Something that went wrong or deserves a word; the run goes on. */
export interface Problem {
  /** error: counts for the exit code. note: nothing is wrong, and `-q` does not mention it. */
  readonly severity: 'error' | 'warning' | 'note';
  readonly about: 'source' | 'target' | 'metadata' | 'repository' | 'cache';
  readonly code?: string;
  /** Why, for people: without path and object. */
  readonly reason: string;
  readonly hint?: string;
  /** Raw. */
  readonly path?: string;
  readonly object?: string;
  /** What the problem reaches: raw paths, each behind the beginning of its snapshot's id and a ':'. */
  readonly affected?: readonly string[];
  /** How many more it reaches. */
  readonly unlisted?: number;
}

const MOST_PATHS_IN_JSON = 20;
const MOST_PATHS_SHOWN = 5;

/** The errno that reasons carry at their end: `permission denied (EACCES)`. */
const ERRNO = /\((E[A-Z0-9]+)\)$/;

/** An event of a running operation as a problem; `about` is what its errors are about. */
export function problemOf(event: ProblemEvent, about: 'source' | 'target' | 'repository'): Problem {
  const { subject, reason, severity } = event;
  const code = ERRNO.exec(reason)?.[1];
  const isObject = about === 'repository';
  return {
    severity: severity === 'error' || severity === 'note' ? severity : 'warning',
    about: severity === 'metadata' ? 'metadata' : about,
    reason,
    ...(code === undefined ? {} : { code }),
    ...(subject === '' ? {} : isObject ? { object: subject } : { path: subject }),
  };
}

/** What the CLI says of an error that stops a run. */
export interface ErrorText {
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
  /** Ids of snapshots that have what was not found. */
  readonly snapshots?: readonly string[];
}

export function errorText(error: unknown): ErrorText {
  if (error instanceof CbrError) {
    // What cannot be read may be left out of a snapshot; a target that cannot be written may not.
    const isTarget = error instanceof FileError && error.code === 'target' && error.errno === 'EACCES';
    const hint = isTarget ? 'Run cbr as a user who has access, or choose another target.' : error.hint;
    // It names tags as somebody has stored them.
    const message = error instanceof PolicyRefusedError ? displayText(error.message) : error.message;
    const holders = error instanceof PathNotFoundError ? { snapshots: error.holders } : {};
    return { code: error.code, message, ...(hint === undefined ? {} : { hint }), ...holders };
  }
  return { code: errnoOf(error) ?? 'internal', message: messageOf(error) };
}

/** The reason behind what it is about; the words of damaged objects name them already. */
function sentenceOf(subject: string | undefined, reason: string): string {
  return subject === undefined || reason.startsWith(`${subject}: `) ? reason : `${subject}: ${reason}`;
}

/** The lines for people. */
export function problemLines(problem: Problem): string[] {
  const { reason, path, object, hint, affected = [], unlisted = 0 } = problem;
  const about = path === undefined ? object : displayPath(path);
  const shown = affected.slice(0, MOST_PATHS_SHOWN).map((each) => `  affects ${displayPath(each)}`);
  const more = affected.length - shown.length + unlisted;
  return [
    sentenceOf(about, reason),
    ...shown,
    ...(more > 0 ? [`  affects ${countText(more)} more`] : []),
    ...(hint === undefined ? [] : [`  ${hint}`]),
  ];
}

/** The object for programs (docs/json.md, "problem"). */
export function problemFields(problem: Problem): Readonly<Record<string, unknown>> {
  const { severity, about, code, reason, hint, path, object, affected, unlisted = 0 } = problem;
  const subject = path === undefined ? object : displayPath(path);
  return {
    type: 'problem',
    severity,
    about,
    code,
    message: sentenceOf(subject, reason),
    hint,
    ...(path === undefined ? {} : rawField('path', path)),
    object,
    ...(affected === undefined ? {} : affectedFields(affected, unlisted)),
  };
}

function affectedFields(affected: readonly string[], unlisted: number): Readonly<Record<string, unknown>> {
  const more = Math.max(0, affected.length - MOST_PATHS_IN_JSON) + unlisted;
  const paths = rawListField('paths', affected.slice(0, MOST_PATHS_IN_JSON));
  return more > 0 ? { ...paths, pathsMore: more } : paths;
}
