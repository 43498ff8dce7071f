import type { ObjectDigest } from '../core/index.js';
import type { RepositoryCache } from './cache/index.js';

/**
 * Packs that a check on this machine found damaged. Their sound chunks still serve readers; a writer stores what they hold
 * again, so that the next snapshot of the same files is whole.
 */

const NAME = 'bad packs';
const NAME_BYTES = 32;

export function badPacks(cache: RepositoryCache): Set<ObjectDigest> {
  const stored = Buffer.from(cache.getValue(NAME) ?? []);
  const names = new Set<ObjectDigest>();
  for (let at = 0; at + NAME_BYTES <= stored.length; at += NAME_BYTES) {
    names.add(stored.toString('hex', at, at + NAME_BYTES) as ObjectDigest);
  }
  return names;
}

/** Notes whether a pack was found damaged or sound. */
export function judgePack(cache: RepositoryCache, name: ObjectDigest, sound: boolean): void {
  judgePacks(cache, [name], sound);
}

/** As `judgePack`, for many at once. */
export function judgePacks(cache: RepositoryCache, judged: readonly ObjectDigest[], sound: boolean): void {
  const names = badPacks(cache);
  const changed = judged.filter((name) => names.has(name) === sound);
  if (changed.length === 0) return;
  for (const name of changed) {
    if (sound) names.delete(name);
    else names.add(name);
  }
  cache.setValue(NAME, Buffer.from([...names].join(''), 'hex'));
}
