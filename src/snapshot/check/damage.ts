import { type ObjectReader, objectPath } from '../../backends/index.js';
import { BackendError, CbrError, DamagedError, messageOf } from '../../core/index.js';

/** What of the things that go wrong while reading a repository is damage of one object. */

/**
 * The same objects; one that the medium refuses to give (a bad sector, no permission) counts as damaged as long as the
 * repository itself still answers. Anything that may pass, and a medium that is gone, stays a BackendError.
 */
export function refusedAsDamaged(backend: ObjectReader, configNumber: number): ObjectReader {
  return {
    location: backend.location,
    concurrency: backend.concurrency,
    capabilities: backend.capabilities,
    list: (kind, options) => backend.list(kind, options),
    stat: (kind, name, options) => backend.stat(kind, name, options),
    read: async (kind, name, range, options) => {
      try {
        return await backend.read(kind, name, range, options);
      } catch (error) {
        if (!(error instanceof BackendError) || error.retryable) throw error;
        await backend.stat('config', String(configNumber));
        const object = objectPath(kind, name);
        throw new DamagedError(object, `cannot be read: ${messageOf(error)}`, { cause: error });
      }
    },
    close: () => backend.close(),
  };
}

/** Whether an error says something about the object that was read, and not about the run. */
export function isDamage(error: unknown): error is CbrError {
  if (!(error instanceof CbrError)) return false;
  return ['damaged', 'format', 'newer-format', 'object-not-found', 'limit'].includes(error.code);
}

/** Why, without the name of the object in front. */
export function reasonOf(error: CbrError): string {
  if (error.code === 'object-not-found') {
    // A medium may know more: on which disc it is.
    return /^what is needed (.*)$/.exec(error.message)?.[1] ?? 'is missing';
  }
  return error.message.replace(/^[a-z]+\/[0-9A-Za-z._/-]*(?:: |, )/, '');
}

/** Ends the run when its signal says so. */
export function stopIfAborted(signal: AbortSignal): void {
  if (signal.aborted) throw new CbrError('interrupted', 'the check was interrupted');
}
