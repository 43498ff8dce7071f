import { randomBytes } from 'node:crypto';
import { probeBackend } from '../../backends/index.js';
import { BackendError, ObjectExistsError } from '../../core/index.js';
import type { Repository } from '../repository.js';

/**
 * Rejects with BackendError when a store that wrote a name once when it was tried does so no more: versioning that is switched on
 * makes some overwrite silently, and then a snapshot that ends while it is fenced may be lost. Three requests; local media do not
 * change.
 */
export async function refuseOverwriting({ backend, waitingMs }: Repository): Promise<void> {
  if (backend.isRemote !== true || waitingMs !== undefined) return;
  const name = `probe-1${randomBytes(8).toString('hex')}`;
  try {
    await backend.write('parity', name, randomBytes(32));
    await backend.write('parity', name, randomBytes(33));
  } catch (error) {
    if (error instanceof ObjectExistsError) return;
    throw error;
  } finally {
    await backend.remove('parity', name).catch(() => undefined);
  }
  // Another machine may have cleared the first one away: a whole trial tells.
  if ((await probeBackend(backend)).verdicts['create-only'] === 'fine') return;
  throw new BackendError(
    `${backend.location} silently overwrites what is there, and did not when it was tried before`,
    false,
    {
      hint: 'nothing was changed. If versioning was switched on, run cbr doctor: it notes that, and prunes keep a waiting period',
    },
  );
}
