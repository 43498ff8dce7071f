import type { RawPath } from './raw-path.js';

/**
 * Something about an entry that could not be read from a source or set in a target. Never fatal: problems are collected
 * and listed at the end.
 */
export interface Problem {
  readonly path: RawPath;
  /** What is affected: 'owner', 'group', 'mode', 'times', 'flags', 'xattrs' (their list) or 'xattr <name>'. */
  readonly what: string;
  /** Why, with the errno where there is one: 'operation not permitted (EPERM)'. */
  readonly reason: string;
}
