import { getSystemErrorMap } from 'node:util';
import { CbrError, errnoOf, messageOf } from '../core/index.js';
import { displayPath, type RawPath } from './raw-path.js';

/** A file of the source could not be read ('source'), or one of the target not be written ('target'). */
export class FileError extends CbrError {
  /** The errno code ('ENOENT', ...) where the kernel refused, else undefined. */
  readonly errno: string | undefined;
  /** The reason alone, for where the path is said already. */
  readonly reason: string;

  /** `action` completes "cannot ..."; `cause` is what node:fs threw, a native error, or the reason as text. */
  constructor(
    code: 'source' | 'target',
    action: string,
    readonly path: RawPath,
    cause: unknown,
  ) {
    const errno = errnoOf(cause);
    const hint = errno === undefined ? undefined : HINTS[errno];
    super(code, `cannot ${action} ${displayPath(path)}: ${reasonOf(cause)}`, {
      ...(hint === undefined ? {} : { hint }),
      cause,
    });
    this.errno = errno;
    this.reason = reasonOf(cause);
  }
}

const HINTS: Readonly<Record<string, string>> = Object.freeze({
  EACCES: 'Run cbr as a user who has access, or exclude it.',
  EPERM: 'Run cbr as a user who has the right to do this.',
  ENOSPC: 'Free some space, then run the same command again.',
  EDQUOT: 'Free some space, then run the same command again.',
  EROFS: 'Choose a place that is mounted for writing.',
  EIO: 'Look for errors of the medium in the system log.',
});

/** What the kernel answered to a native call, in the shape in which node:fs reports it. */
export function nativeError(call: string, errno: number): Error {
  const [code, text] = getSystemErrorMap().get(-errno) ?? [`E${errno}`, 'unknown error'];
  return Object.assign(new Error(`${code}: ${text}, ${call}`), { code, errno: -errno, syscall: call });
}

/** The reason in words with its errno code, without path and call: 'permission denied (EACCES)'. */
export function reasonOf(error: unknown): string {
  const number = (error as { errno?: unknown } | null)?.errno;
  const known = typeof number === 'number' ? getSystemErrorMap().get(number) : undefined;
  return known === undefined ? messageOf(error) : `${known[1]} (${known[0]})`;
}

/** The positive errno number of an error of node:fs; EIO for anything else. */
export function errnoNumberOf(error: unknown): number {
  const number = (error as { errno?: unknown } | null)?.errno;
  return typeof number === 'number' ? -number : 5;
}
