import { CHUNK_ID_BYTES, type ChunkId, toLatin1 } from '../../core/index.js';
import { judgePack } from '../bad-packs.js';
import { decodeBlock } from '../block.js';
import type { CachedPack } from '../cache/index.js';
import { HEADER_BYTES } from '../object-header.js';
import { blockOffsets, openPackHeader, readPackTable } from '../pack-reader.js';
import type { Repository } from '../repository.js';
import type { ChunkUsage, PackRank } from './chunk-usage.js';
import { ifDamaged } from './damage.js';
import { type PruneRun, stopIfAborted } from './prune-run.js';

/** Blocks of one pack, by number. */
type BlocksByPack = Map<CachedPack, Set<number>>;

/**
 * Of a chunk with two places one may go because the other one is counted. Before that the other one is read: another machine
 * may know that its pack is damaged, and have stored the chunk again for that. Packs that turn out damaged are remembered as
 * such. Returns their number: what is in use has to be counted again then.
 */
export async function provePlaces(
  run: PruneRun,
  condemned: readonly CachedPack[],
  usage: ChunkUsage,
  rankOf: PackRank,
): Promise<number> {
  const { repository } = run;
  if (!repository.cache.hasCopies) return 0;
  const relied: BlocksByPack = new Map();
  for (const pack of condemned) {
    stopIfAborted(run);
    await gatherRelied(repository, pack, usage, rankOf, relied);
  }
  let damaged = 0;
  for (const [pack, blocks] of relied) {
    stopIfAborted(run);
    if (await isWhole(repository, pack, blocks)) continue;
    judgePack(repository.cache, pack.name, false);
    damaged++;
  }
  return damaged;
}

/** Adds the blocks that hold, counted and in packs that stay, what has a place in this pack, too. */
async function gatherRelied(
  { cache, backend, keys, algorithms }: Repository,
  pack: CachedPack,
  usage: ChunkUsage,
  rankOf: PackRank,
  relied: BlocksByPack,
): Promise<void> {
  // A condemned pack that is gone, or damaged itself, is no place that anybody could have turned to.
  const read = await readPackTable(backend, pack.name, keys, algorithms.zstd).catch(ifDamaged);
  if (read === undefined) return;
  const { ids } = read.table;
  for (let row = 0; row < ids.byteLength; row += CHUNK_ID_BYTES) {
    const places = cache.places(toLatin1(ids.subarray(row, row + CHUNK_ID_BYTES)) as ChunkId);
    if (places.length < 2) continue;
    for (const { pack: number, block, ordinal } of places) {
      const other = cache.pack(number);
      if (other === undefined || other.number === pack.number || rankOf(other) > 0) continue;
      if (!usage.isUsed(other, block, ordinal)) continue;
      const blocks = relied.get(other) ?? new Set();
      relied.set(other, blocks.add(block));
    }
  }
}

async function isWhole(
  { backend, keys }: Repository,
  pack: CachedPack,
  blocks: ReadonlySet<number>,
): Promise<boolean> {
  const object = `packs/${pack.name}`;
  const offsets = blockOffsets(pack.blocks);
  try {
    const start = await backend.read('packs', pack.name, { offset: 0, length: HEADER_BYTES });
    const header = openPackHeader(start, keys, object);
    for (const block of blocks) {
      const range = { offset: offsets[block]!, length: pack.blocks[block]!.stored };
      decodeBlock(await backend.read('packs', pack.name, range), block, header, object);
    }
    return true;
  } catch (error) {
    ifDamaged(error);
    return false;
  }
}
