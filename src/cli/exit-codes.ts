import { CbrError, type ErrorCode } from '../core/index.js';

/** What the process exits with; part of the interface (README, "Exit codes"). */
export const EXIT = Object.freeze({
  done: 0,
  failed: 1,
  usage: 2,
  /** The snapshot exists, but something of the source could not be read, or the run was stopped and it is partial. */
  incomplete: 3,
  damage: 4,
  noRepository: 10,
  busy: 11,
  wrongPassword: 12,
  interrupted: 130,
});

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

const BY_ERROR: Readonly<Record<ErrorCode, ExitCode>> = {
  usage: EXIT.usage,
  ambiguous: EXIT.usage,
  'no-repository': EXIT.noRepository,
  'not-a-repository': EXIT.noRepository,
  'wrong-password': EXIT.wrongPassword,
  damaged: EXIT.damage,
  format: EXIT.damage,
  // What the protocol says must be there is gone: readers have looked twice before they say so.
  'object-not-found': EXIT.damage,
  busy: EXIT.busy,
  interrupted: EXIT.interrupted,
  'newer-format': EXIT.failed,
  'repository-exists': EXIT.failed,
  limit: EXIT.failed,
  'object-exists': EXIT.failed,
  backend: EXIT.failed,
  'read-only': EXIT.failed,
  fenced: EXIT.failed,
  source: EXIT.failed,
  target: EXIT.failed,
  'not-found': EXIT.failed,
  internal: EXIT.failed,
};

/** The exit code for anything thrown. */
export function exitCodeOf(error: unknown): ExitCode {
  return error instanceof CbrError ? BY_ERROR[error.code] : EXIT.failed;
}
