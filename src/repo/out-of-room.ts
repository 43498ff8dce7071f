import { errnoOf } from '../core/index.js';

/** Whether an error says that a medium is full; what the system said may be the cause of what a backend made of it. */
export function isOutOfRoom(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '') || isOutOfRoom(error.cause);
}
