import { CHUNK_ID_BYTES, type ChunkId, DamagedError, readAhead, toLatin1 } from '../../core/index.js';
import type { CachedPack } from '../cache/index.js';
import { isDamage } from '../damage.js';
import { blockOffsets, readPackTable } from '../pack-reader.js';
import type { PackTable } from '../pack-table.js';
import type { Repository } from '../repository.js';
import type { BlocksToSeal } from './block-sealer.js';
import type { ChunkUsage } from './chunk-usage.js';

/** Neighbouring blocks are read and worked on together, up to so many bytes: three usual ones, or very many small ones. */
const READ_BYTES = 4 * 2 ** 20;
/** So much between two blocks is read along: another read takes longer, on a disk as in a store. */
const GAP_BYTES = 512 * 1024;
/** Tables of the next packs that are read meanwhile: many packs are small, and reading them is mostly waiting. */
const TABLES_AHEAD = 6;
/** And so many reads of blocks. */
const READS_AHEAD = 2;

/** What a reader of used blocks tells and asks. */
export interface UsedBlocksUser {
  /** A pack is begun; `position` counts those that were. */
  begin(position: number): void;
  /** Whether a chunk in use is wanted from here. */
  isWanted(id: ChunkId): boolean;
  /** A pack cannot be read whole; the reading rejects. */
  foundDamage(pack: CachedPack): void;
}

/** A read of neighbouring blocks. */
interface BlockRead {
  readonly pack: CachedPack;
  readonly header: Uint8Array;
  readonly table: PackTable;
  readonly offsets: readonly number[];
  readonly blocks: readonly UsedBlock[];
}

/** The wanted chunks of one block. */
interface UsedBlock {
  readonly block: number;
  /** Position of its first chunk in the table. */
  readonly first: number;
  readonly chunks: number;
  /** Positions within the block. */
  readonly wanted: readonly number[];
}

/** Those blocks of the packs, as they are stored, that hold wanted chunks in use. Rejects (damaged) when one cannot be read. */
export async function* usedBlocks(
  repository: Repository,
  packs: readonly CachedPack[],
  usage: ChunkUsage,
  user: UsedBlocksUser,
): AsyncGenerator<BlocksToSeal> {
  const attributed = async <T>(pack: CachedPack, action: () => T | Promise<T>): Promise<T> => {
    try {
      return await action();
    } catch (error) {
      if (isDamage(error)) user.foundDamage(pack);
      throw error;
    }
  };
  const { backend, keys, algorithms } = repository;
  const tables = readAhead(packs, TABLES_AHEAD, async (pack) => ({
    pack,
    ...(await attributed(pack, () => readPackTable(backend, pack.name, keys, algorithms.zstd))),
  }));
  async function* reads(): AsyncGenerator<BlockRead> {
    let position = 0;
    for await (const { pack, table, header } of tables) {
      user.begin(position++);
      const blocks = await attributed(pack, () => wantedBlocks(pack, table, usage, user.isWanted));
      const offsets = blockOffsets(pack.blocks);
      for (const group of neighbours(blocks, pack, offsets))
        yield { pack, header, table, offsets, blocks: group };
    }
  }
  yield* readAhead(reads(), READS_AHEAD, (read) => attributed(read.pack, () => readBlocks(repository, read)));
}

async function readBlocks(
  { backend }: Repository,
  { pack, header, table, offsets, blocks }: BlockRead,
): Promise<BlocksToSeal> {
  const start = offsets[blocks[0]!.block]!;
  const length = endOf(blocks.at(-1)!, pack, offsets) - start;
  return {
    kind: pack.kind,
    pack: pack.name,
    header,
    bytes: await backend.read('packs', pack.name, { offset: start, length }),
    blocks: blocks.map(({ block, first, chunks, wanted }) => ({
      block,
      offset: offsets[block]! - start,
      stored: pack.blocks[block]!.stored,
      ids: table.ids.slice(CHUNK_ID_BYTES * first, CHUNK_ID_BYTES * (first + chunks)),
      lengths: table.lengths.slice(first, first + chunks),
      wanted: Uint32Array.from(wanted),
    })),
  };
}

function endOf({ block }: UsedBlock, pack: CachedPack, offsets: readonly number[]): number {
  return offsets[block]! + pack.blocks[block]!.stored;
}

/** The blocks of a pack with chunks in use that are wanted. */
export function wantedBlocks(
  pack: CachedPack,
  table: PackTable,
  usage: ChunkUsage,
  isWanted: (id: ChunkId) => boolean,
): UsedBlock[] {
  const isSame =
    table.blocks.length === pack.blocks.length &&
    table.blocks.every(
      ({ chunks, stored }, i) => chunks === pack.blocks[i]!.chunks && stored === pack.blocks[i]!.stored,
    );
  if (!isSame) {
    throw new DamagedError(`packs/${pack.name}`, 'its table is not what the index says of it', {
      hint: 'Nothing was removed. Run: cbr check',
    });
  }
  const used: UsedBlock[] = [];
  for (const [block, { chunks }] of pack.blocks.entries()) {
    const first = pack.blockStarts[block]!;
    const wanted: number[] = [];
    for (let ordinal = 0; ordinal < chunks; ordinal++) {
      if (usage.isUsed(pack, block, ordinal) && isWanted(idAt(table, first + ordinal))) wanted.push(ordinal);
    }
    if (wanted.length > 0) used.push({ block, first, chunks, wanted });
  }
  return used;
}

function idAt({ ids }: PackTable, row: number): ChunkId {
  return toLatin1(ids.subarray(CHUNK_ID_BYTES * row, CHUNK_ID_BYTES * (row + 1))) as ChunkId;
}

/** Groups of blocks that one read fetches. */
function neighbours(used: readonly UsedBlock[], pack: CachedPack, offsets: readonly number[]): UsedBlock[][] {
  const groups: UsedBlock[][] = [];
  for (const each of used) {
    const group = groups.at(-1);
    const start = group && offsets[group[0]!.block]!;
    const isNear =
      group !== undefined && offsets[each.block]! - endOf(group.at(-1)!, pack, offsets) <= GAP_BYTES;
    if (isNear && endOf(each, pack, offsets) - start! <= READ_BYTES) group.push(each);
    else groups.push([each]);
  }
  return groups;
}
