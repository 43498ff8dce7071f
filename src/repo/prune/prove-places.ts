import { CHUNK_ID_BYTES, type ChunkId, readAhead, toLatin1 } from '../../core/index.js';
import { badPacks, judgePack } from '../bad-packs.js';
import { decodeBlock } from '../block.js';
import type { CachedPack } from '../cache/index.js';
import { ifDamaged } from '../damage.js';
import { HEADER_BYTES } from '../object-header.js';
import { blockOffsets, openPackHeader } from '../pack-reader.js';
import type { Repository } from '../repository.js';
import type { ChunkUsage } from './chunk-usage.js';
import { idsOfPack } from './ids-of-pack.js';
import { type PruneRun, stopIfAborted } from './prune-run.js';

/** Tables that are read ahead: as for the copies. */
const TABLES_AHEAD = 6;

/** Blocks of one pack, by number. */
type BlocksByPack = Map<CachedPack, Set<number>>;

/**
 * A chunk in use that lies in a pack which is to go, and in another one that stays, is not copied. Before that the other place is
 * read: another machine may know that its pack is damaged, and have stored the chunk again for that. `isProven` says of which
 * packs this is not to be asked. Packs that turn out damaged are remembered as such. Returns their number: what is in use has
 * to be counted again then.
 */
export async function provePlaces(
  run: PruneRun,
  going: readonly CachedPack[],
  usage: ChunkUsage,
  isProven: (pack: CachedPack) => boolean = () => false,
): Promise<number> {
  const { repository } = run;
  if (!repository.cache.hasCopies) return 0;
  const relied: BlocksByPack = new Map();
  const bad = badPacks(repository.cache);
  const gone = new Set(going.map(({ name }) => name));
  // A condemned pack that is left for want of room stays, too.
  const stays = ({ name }: CachedPack): boolean => !gone.has(name) && !bad.has(name);
  const tables = readAhead(going, TABLES_AHEAD, (pack) => idsOfPack(repository, pack));
  for await (const ids of tables) {
    stopIfAborted(run);
    gatherRelied(repository, ids, usage, { stays, isProven }, relied);
  }
  let damaged = 0;
  for (const [pack, blocks] of relied) {
    stopIfAborted(run);
    // One bad read proves nothing about the medium.
    if ((await isWhole(repository, pack, blocks)) || (await isWhole(repository, pack, blocks))) continue;
    judgePack(repository.cache, pack.name, false);
    damaged++;
  }
  return damaged;
}

interface Worth {
  readonly stays: (pack: CachedPack) => boolean;
  readonly isProven: (pack: CachedPack) => boolean;
}

/** Adds the blocks, in packs that stay, that are relied on for what is in use of these ids. */
function gatherRelied(
  { cache }: Repository,
  ids: Uint8Array,
  usage: ChunkUsage,
  { stays, isProven }: Worth,
  relied: BlocksByPack,
): void {
  for (let row = 0; row < ids.byteLength; row += CHUNK_ID_BYTES) {
    const places = cache.places(toLatin1(ids.subarray(row, row + CHUNK_ID_BYTES)) as ChunkId);
    if (places.length < 2) continue;
    const found = places.flatMap((place) => {
      const pack = cache.pack(place.pack);
      return pack === undefined ? [] : [{ pack, place }];
    });
    // Wherever it is counted: that may be in the pack that goes.
    if (!found.some(({ pack, place }) => usage.isUsed(pack, place.block, place.ordinal))) continue;
    const staying = found.filter(({ pack }) => stays(pack));
    const [first] = staying;
    if (first === undefined || staying.some(({ pack }) => isProven(pack))) continue;
    const blocks = relied.get(first.pack) ?? new Set();
    relied.set(first.pack, blocks.add(first.place.block));
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
