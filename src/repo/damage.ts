import { CbrError } from '../core/index.js';

/** Only damage; anything else is thrown. */
export function ifDamaged(error: unknown): undefined {
  if (!isDamage(error)) throw error;
  return undefined;
}

/** By its code: errors of other threads have no classes. */
export function isDamage(error: unknown): boolean {
  return error instanceof CbrError && ['damaged', 'format', 'object-not-found'].includes(error.code);
}
