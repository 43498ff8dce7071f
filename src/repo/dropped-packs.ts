import type { ObjectDigest } from '../core/index.js';
import type { RepositoryCache } from './cache/index.js';

/**
 * Packs that were missing when the index was read, and so were dropped from the cache though segments name them. When one
 * is listed again (a disk that was not there, an object that was put back) the segments have to be read again.
 */

const NAME = 'dropped packs';

export function droppedPacks(cache: RepositoryCache): ObjectDigest[] {
  const stored = cache.getValue(NAME);
  const text = stored === undefined ? '' : Buffer.from(stored).toString('latin1');
  return text.split(' ').filter((name) => name !== '') as ObjectDigest[];
}

export function setDroppedPacks(cache: RepositoryCache, names: readonly ObjectDigest[]): void {
  if (names.length === 0 && cache.getValue(NAME) === undefined) return;
  cache.setValue(NAME, Buffer.from(names.join(' '), 'latin1'));
}
