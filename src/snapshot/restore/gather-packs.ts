import { CbrError, type ObjectDigest } from '../../core/index.js';
import { type LoadedRepository, loadForReading, loadRepository, type Repository } from '../../repo/index.js';
import { contentItems, type ReadTreeChunk } from '../content-list.js';
import type { Entry } from '../entry.js';

/** What a restore has at hand before it begins, where parts of the medium have to be put in by somebody. */

/** Reads the repository; a part that has the whole index is put in for it. */
export async function loadWithWholeIndex(
  repository: Repository,
  signal: AbortSignal,
): Promise<LoadedRepository> {
  const loaded = await loadForReading(repository);
  const { backend, cache } = repository;
  if (backend.gathering?.isNeeded !== true) return loaded;
  const isKnown = (pack: string): boolean => cache.packNamed(pack as ObjectDigest) !== undefined;
  return (await backend.gathering.completeIndex(isKnown, { signal })) ? loadRepository(repository) : loaded;
}

/** The packs that hold the content of some files, as far as the index knows. */
export class PacksOfFiles {
  readonly names = new Set<string>();

  constructor(
    private readonly cache: Repository['cache'],
    private readonly read: ReadTreeChunk,
  ) {}

  /** What cannot be read of a content list is left out: the file will be lost. */
  async add({ content, size = 0 }: Entry): Promise<void> {
    if (content === undefined) return;
    try {
      for await (const items of contentItems(content, size, this.read)) {
        for (const { id } of items) {
          const place = id === undefined ? undefined : this.cache.lookup(id);
          const pack = place === undefined ? undefined : this.cache.pack(place.pack);
          if (pack !== undefined) this.names.add(pack.name);
        }
      }
    } catch (error) {
      if (!(error instanceof CbrError) || error.code === 'interrupted') throw error;
    }
  }
}
