import { CbrError, DamagedError, type ErrorCode, errnoOf } from '../core/index.js';
import type { SerializedError } from './tasks.js';

export function serializeError(error: unknown): SerializedError {
  if (!(error instanceof Error)) return { name: 'Error', message: String(error) };
  const errno = errnoOf(error);
  return {
    name: error.name,
    message: error.message,
    ...(error instanceof CbrError ? { code: error.code } : {}),
    ...(errno === undefined ? {} : { errno }),
    ...(error instanceof CbrError && error.hint !== undefined ? { hint: error.hint } : {}),
    ...(error instanceof DamagedError ? { object: error.object } : {}),
    ...(error.stack === undefined ? {} : { stack: error.stack }),
  };
}

/** The error again, with its code, hint and errno; the cause keeps the stack of the thread it came from. */
export function reviveError(error: SerializedError): Error {
  const cause = error.stack;
  const details = { cause, ...(error.hint === undefined ? {} : { hint: error.hint }) };
  if (error.object !== undefined) {
    const reason = error.message.startsWith(`${error.object}: `)
      ? error.message.slice(error.object.length + 2)
      : error.message;
    return new DamagedError(error.object, reason, details);
  }
  if (error.code !== undefined) return new CbrError(error.code as ErrorCode, error.message, details);
  return Object.assign(
    new Error(error.message, { cause }),
    error.errno === undefined ? {} : { code: error.errno },
  );
}
