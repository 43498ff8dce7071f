import type { ObjectReader } from '../backends/index.js';
import { CbrError } from '../core/index.js';

/** Rejects (read-only) when nothing may be removed here: `what` would end in its middle. */
export function requireRemoval({ capabilities, location }: ObjectReader, what: string): void {
  if (capabilities.removable) return;
  if (!capabilities.writable) {
    throw new CbrError('read-only', `${what} removes objects, and ${location} can only be read`, {
      hint: 'Nothing was changed.',
    });
  }
  throw new CbrError('read-only', `${what} removes objects, and ${location} is opened for adding only`, {
    hint: 'Nothing was changed. Do it without --append-only, on a machine whose key may remove.',
  });
}
