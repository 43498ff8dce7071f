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

/**
 * How states are looked after. Raised when earlier versions could leave states behind that later snapshots took for their
 * own: those of 1 kept what lay below a folder that became something else.
 */
const STATE_CARE = 2;

/** Whether the states of this source root are looked after as they are today. Others say nothing. */
export function areStatesSound(cache: RepositoryCache, rootKey: Uint8Array): boolean {
  const stored = cache.getValue(nameOf(rootKey));
  return stored?.byteLength === VALUE_BYTES && Buffer.from(stored).readUInt32LE(4) === STATE_CARE;
}

/** The generation, and the number above; the values of 1 held the generation alone. */
const VALUE_BYTES = 8;

/** Whether nothing has gone since the state of this source root was written. */
export function isStateCurrent(cache: RepositoryCache, rootKey: Uint8Array): boolean {
  const stored = cache.getValue(nameOf(rootKey));
  return stored !== undefined && Buffer.from(stored).readUInt32LE(0) === indexGeneration(cache);
}

/** To be called after a state is written, with the generation that its snapshot began with. */
export function setStateGeneration(cache: RepositoryCache, rootKey: Uint8Array, generation: number): void {
  const value = Buffer.alloc(VALUE_BYTES);
  value.writeUInt32LE(generation >>> 0, 0);
  value.writeUInt32LE(STATE_CARE, 4);
  cache.setValue(nameOf(rootKey), value);
}
