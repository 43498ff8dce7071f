import { newStagingPath } from '../../backends/index.js';
import {
  CHUNK_ID_BYTES,
  type ChunkId,
  DamagedError,
  errnoOf,
  LIMITS,
  type ObjectDigest,
  toLatin1,
} from '../../core/index.js';
import { judgePack } from '../bad-packs.js';
import { decodeBlock } from '../block.js';
import type { CachedPack } from '../cache/index.js';
import type { PackKind } from '../index-segment.js';
import { HEADER_BYTES } from '../object-header.js';
import { blockOffsets, type OpenedPack, openPackHeader, readPackTable } from '../pack-reader.js';
import { PackStore, type StoredTotals } from '../pack-store.js';
import type { PackTable } from '../pack-table.js';
import { PackWriter } from '../pack-writer.js';
import { readPayload } from '../payload.js';
import type { Repository } from '../repository.js';
import type { ChunkUsage } from './chunk-usage.js';
import { ifDamaged } from './prove-places.js';
import { type PruneRun, stopIfAborted } from './prune-run.js';

/** Tree packs have small blocks: looking at one directory opens little (docs/design.md section 2). */
const TREE_BLOCK_BYTES = 256 * 1024;
/** Blocks that stand one behind the other are read at once, up to so many bytes. */
const READ_BYTES = 16 * 2 ** 20;
/** A block below this part of a usual one is better compressed with others than taken over as it is. */
const SMALL_PART = 2;

export interface Copied {
  /** Names of the segments that list the copies: durable, as all they name. */
  readonly segments: readonly ObjectDigest[];
  readonly totals: StoredTotals;
  /** Packs of which some chunk in use has no copy yet, because there was no more room. */
  readonly uncopied: readonly CachedPack[];
}

/**
 * P4: copies those chunks of the given packs that are in use and that no pack holds which may be relied on. Resolves when
 * all copies are durable and named by segments of the epoch, which are added to `own`, or when there is no more room: then
 * with those that are. A pack that turns out damaged is remembered as such.
 */
export async function copyUsed(
  run: PruneRun,
  epoch: number,
  packs: readonly CachedPack[],
  usage: ChunkUsage,
  isAvoided: (pack: CachedPack) => boolean,
  own: Set<ObjectDigest>,
): Promise<Copied> {
  const { repository } = run;
  const { cache, backend, records } = repository;
  const has = (id: ChunkId): boolean =>
    cache.places(id).some(({ pack }) => isHeldBy(cache.pack(pack), isAvoided));
  const store = new PackStore({
    backend,
    records,
    known: {
      has,
      addSegment: (name, segment) => cache.addSegment(name, segment),
    },
    author: { kind: 'prune', epoch },
    clock: () => performance.now(),
  });
  const writers = { data: writerOf(repository, 'data'), tree: writerOf(repository, 'tree') };
  try {
    for (const [done, pack] of packs.entries()) {
      stopIfAborted(run);
      run.options.onProgress?.({ step: 'rewriting packs', done, total: packs.length });
      await copyPack(repository, pack, usage, store, writers[pack.kind]).catch((error: unknown) => {
        ifDamaged(error);
        judgePack(cache, pack.name, false);
        throw error;
      });
    }
    for (const writer of [writers.data, writers.tree]) {
      const finished = writer.finish();
      if (finished !== undefined) store.store(finished);
    }
    const segments = await store.finish();
    for (const name of segments) own.add(name);
    return { segments, totals: store.totals, uncopied: [] };
  } catch (error) {
    writers.data.abandon();
    writers.tree.abandon();
    // What is durable by now need not be copied again, whatever becomes of this prune.
    const segments = await store.salvage();
    for (const name of segments) own.add(name);
    if (!isOutOfRoom(error)) throw error;
    // A pack that is stored and that no segment names goes with the next prune.
    const uncopied: CachedPack[] = [];
    for (const pack of packs) if (!(await isCopied(repository, pack, usage, has))) uncopied.push(pack);
    return { segments, totals: store.totals, uncopied };
  }
}

/** What the system said may be the cause of what a backend made of it. */
function isOutOfRoom(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  return ['ENOSPC', 'EDQUOT'].includes(errnoOf(error) ?? '') || isOutOfRoom(error.cause);
}

async function isCopied(
  { backend, keys, algorithms }: Repository,
  pack: CachedPack,
  usage: ChunkUsage,
  has: (id: ChunkId) => boolean,
): Promise<boolean> {
  const { table } = await readPackTable(backend, pack.name, keys, algorithms.zstd);
  return wantedBlocks(pack, table, usage, (id) => !has(id)).length === 0;
}

function isHeldBy(pack: CachedPack | undefined, isAvoided: (pack: CachedPack) => boolean): boolean {
  return pack !== undefined && !isAvoided(pack);
}

function writerOf({ backend, config, keys, algorithms }: Repository, kind: PackKind): PackWriter {
  return new PackWriter({
    kind,
    keys,
    algorithms,
    compressionLevel: config.compression,
    pad: config.pad,
    blockBytes: blockBytesOf(kind, config.blockBytes),
    packBytes: config.packBytes,
    verify: true,
    stagingPath: () => newStagingPath(backend.stagingFolder!),
  });
}

function blockBytesOf(kind: PackKind, dataBytes: number): number {
  return kind === 'tree' ? TREE_BLOCK_BYTES : dataBytes;
}

/** The chunks to copy of one block. */
interface BlockCopy {
  readonly block: number;
  /** Position of its first chunk in the table. */
  readonly first: number;
  readonly chunks: number;
  /** Positions within the block. */
  readonly wanted: readonly number[];
}

async function copyPack(
  { backend, config, keys, algorithms }: Repository,
  pack: CachedPack,
  usage: ChunkUsage,
  store: PackStore,
  writer: PackWriter,
): Promise<void> {
  const object = `packs/${pack.name}`;
  const { table } = await readPackTable(backend, pack.name, keys, algorithms.zstd);
  // From here on what was claimed must be stored, or the pack is not copied.
  const copies = wantedBlocks(pack, table, usage, (id) => store.claim(id));
  if (copies.length === 0) return;
  const header = openPackHeader(
    await backend.read('packs', pack.name, { offset: 0, length: HEADER_BYTES }),
    keys,
    object,
  );
  const offsets = blockOffsets(pack.blocks);
  const blockBytes = blockBytesOf(pack.kind, config.blockBytes);
  for (const run of neighbours(copies, pack)) {
    const start = offsets[run[0]!.block]!;
    const last = run.at(-1)!.block;
    const length = offsets[last]! + pack.blocks[last]!.stored - start;
    const bytes = await backend.read('packs', pack.name, { offset: start, length });
    for (const copy of run) {
      const from = offsets[copy.block]! - start;
      const stored = bytes.subarray(from, from + pack.blocks[copy.block]!.stored);
      await store.room();
      copyBlock(stored, copy, header, table, object, { zstd: algorithms.zstd, blockBytes }, writer, store);
    }
  }
}

/** The chunks in use that `isWanted`. */
function wantedBlocks(
  pack: CachedPack,
  table: PackTable,
  usage: ChunkUsage,
  isWanted: (id: ChunkId) => boolean,
): BlockCopy[] {
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
  const copies: BlockCopy[] = [];
  for (const [block, { chunks }] of pack.blocks.entries()) {
    const first = pack.blockStarts[block]!;
    const wanted: number[] = [];
    for (let ordinal = 0; ordinal < chunks; ordinal++) {
      if (usage.isUsed(pack, block, ordinal) && isWanted(idAt(table, first + ordinal))) wanted.push(ordinal);
    }
    if (wanted.length > 0) copies.push({ block, first, chunks, wanted });
  }
  return copies;
}

function idAt({ ids }: PackTable, row: number): ChunkId {
  return toLatin1(ids.subarray(CHUNK_ID_BYTES * row, CHUNK_ID_BYTES * (row + 1))) as ChunkId;
}

/** Groups of blocks that one read fetches. */
function neighbours(copies: readonly BlockCopy[], pack: CachedPack): BlockCopy[][] {
  const groups: BlockCopy[][] = [];
  let bytes = 0;
  for (const copy of copies) {
    const { stored } = pack.blocks[copy.block]!;
    const group = groups.at(-1);
    if (group !== undefined && group.at(-1)!.block === copy.block - 1 && bytes + stored <= READ_BYTES) {
      group.push(copy);
      bytes += stored;
    } else {
      groups.push([copy]);
      bytes = stored;
    }
  }
  return groups;
}

function copyBlock(
  stored: Uint8Array,
  { block, first, chunks, wanted }: BlockCopy,
  pack: OpenedPack,
  table: PackTable,
  object: string,
  { zstd, blockBytes }: { zstd: Repository['algorithms']['zstd']; blockBytes: number },
  writer: PackWriter,
  store: PackStore,
): void {
  const keep = (finished: ReturnType<PackWriter['finish']>): void => {
    if (finished !== undefined) store.store(finished);
  };
  const payload = decodeBlock(stored, block, pack, object);
  const lengths = Array.from(table.lengths.subarray(first, first + chunks));
  const subject = `${object}, block ${block}`;
  const plainBytes = lengths.reduce((total, length) => total + length, 0);
  if (wanted.length === chunks && plainBytes >= blockBytes / SMALL_PART) {
    const ids = table.ids.subarray(CHUNK_ID_BYTES * first, CHUNK_ID_BYTES * (first + chunks));
    keep(writer.adopt(payload, ids, { chunkLengths: lengths, plainBytes }));
    return;
  }
  const { plain, chunkLengths } = readPayload(payload, zstd, LIMITS.blockPlain, subject);
  let at = 0;
  let next = 0;
  for (const [ordinal, length] of chunkLengths.entries()) {
    if (length !== lengths[ordinal])
      throw new DamagedError(object, `block ${block} is not what its table says`);
    if (wanted[next] === ordinal) {
      const row = CHUNK_ID_BYTES * (first + ordinal);
      keep(writer.add(table.ids.subarray(row, row + CHUNK_ID_BYTES), plain.subarray(at, at + length)));
      next++;
    }
    at += length;
  }
}
