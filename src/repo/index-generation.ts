import type { RepositoryCache } from './cache/index.js';

/**
 * Counts how often something that the chunk index named has gone. A directory state is trusted without looking up what its
 * trees name only if nothing has gone since it was written; the count is raised before anything is dropped, so that no
 * later run can miss it.
 */

const NAME = 'index generation';

export function indexGeneration(cache: RepositoryCache): number {
  const stored = cache.getValue(NAME);
  return stored === undefined ? 0 : Buffer.from(stored).readUInt32LE(0);
}

export function raiseIndexGeneration(cache: RepositoryCache): void {
  const next = Buffer.alloc(4);
  next.writeUInt32LE((indexGeneration(cache) + 1) >>> 0, 0);
  cache.setValue(NAME, next);
}

function nameOf(rootKey: Uint8Array): string {
  return `generation of ${Buffer.from(rootKey).toString('hex')}`;
}

/** Whether nothing has gone since the state of this source root was written. */
export function isStateCurrent(cache: RepositoryCache, rootKey: Uint8Array): boolean {
  const stored = cache.getValue(nameOf(rootKey));
  return stored !== undefined && Buffer.from(stored).readUInt32LE(0) === indexGeneration(cache);
}

/** To be called after a state is written, with the generation that its snapshot began with. */
export function setStateGeneration(cache: RepositoryCache, rootKey: Uint8Array, generation: number): void {
  const value = Buffer.alloc(4);
  value.writeUInt32LE(generation >>> 0, 0);
  cache.setValue(nameOf(rootKey), value);
}
