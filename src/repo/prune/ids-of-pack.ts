import { type CbrError, CHUNK_ID_BYTES, ObjectNotFoundError } from '../../core/index.js';
import type { CachedPack } from '../cache/index.js';
import { ifDamaged } from '../damage.js';
import { readSegment } from '../index-sync.js';
import { readPackTable } from '../pack-reader.js';
import type { Repository } from '../repository.js';

/**
 * The ids of all chunks of a pack, 32 bytes each: by its own table, or, where that cannot be read, by the index segments that
 * name the pack, for its blocks may be sound. None of a pack that is gone. Rejects (damaged) when neither can be read.
 */
export async function idsOfPack(repository: Repository, pack: CachedPack): Promise<Uint8Array> {
  const { backend, keys, algorithms } = repository;
  try {
    return (await readPackTable(backend, pack.name, keys, algorithms.zstd)).table.ids;
  } catch (error) {
    if (error instanceof ObjectNotFoundError) return new Uint8Array();
    ifDamaged(error);
    return idsBySegments(repository, pack);
  }
}

async function idsBySegments(repository: Repository, pack: CachedPack): Promise<Uint8Array> {
  const found: Uint8Array[] = [];
  for (const [name, { number }] of repository.cache.segments()) {
    if (!pack.segments.includes(number)) continue;
    const damaged: CbrError[] = [];
    const segment = await readSegment(repository, name, damaged);
    if (damaged[0] !== undefined) throw damaged[0];
    if (segment === undefined) continue;
    const { packs, chunks } = segment;
    const position = packs.findIndex((each) => each.name === pack.name);
    for (let row = 0; row < chunks.count; row++) {
      if (chunks.packs[row] !== position) continue;
      found.push(Uint8Array.from(chunks.ids.subarray(CHUNK_ID_BYTES * row, CHUNK_ID_BYTES * (row + 1))));
    }
  }
  return Buffer.concat(found);
}
