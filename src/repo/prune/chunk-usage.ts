import { chunkIdHex, DamagedError, type ObjectDigest } from '../../core/index.js';
import type { CachedPack, ChunkPlace, RepositoryCache } from '../cache/index.js';
import type { Reference } from './prune-options.js';

/** What is in use of a pack. */
export interface PackUse {
  chunks: number;
  /** Plain bytes in use, block by block. */
  readonly plain: Float64Array;
  /** A bit for each chunk of the pack, in stored order. */
  readonly bits: ChunkBits;
}

/** A set of chunks of one pack, by their position in it. */
export class ChunkBits {
  private readonly bytes: Uint8Array;

  constructor(chunks: number) {
    this.bytes = new Uint8Array((chunks >>> 3) + 1);
  }

  has(position: number): boolean {
    return (this.bytes[position >>> 3]! & (1 << (position & 7))) !== 0;
  }

  /** False if it was there before. */
  add(position: number): boolean {
    if (this.has(position)) return false;
    this.bytes[position >>> 3]! |= 1 << (position & 7);
    return true;
  }
}

/**
 * How little places in a pack are worth: 0 where it stays and is sound as far as is known, 1 where it is condemned, for then
 * they can still be copied, and more where it is damaged, for the sake of which no other place may be given up.
 */
export type PackRank = (pack: CachedPack) => number;

/**
 * Which chunks are reached: a bit for each place of the packs that hold any of them. A chunk with several places is counted at one of
 * them, of the lowest rank.
 */
export class ChunkUsage {
  /** By the name of the pack: numbers change when the index is read again. Packs of which nothing is in use are not in it. */
  private readonly uses = new Map<ObjectDigest, PackUse>();

  constructor(
    private readonly cache: RepositoryCache,
    private readonly rankOf: PackRank,
  ) {}

  /**
   * Notes that a chunk is reached; false if it was before. Rejects (damaged) when no place is known for it: whoever walks on
   * would remove what is only mislaid.
   */
  see({ id, length }: Reference): boolean {
    const first = this.cache.lookup(id);
    let pack = first && this.cache.pack(first.pack);
    if (first === undefined || pack === undefined) {
      throw new DamagedError(
        `chunk ${chunkIdHex(id).slice(0, 16)}`,
        'a snapshot needs it, and no index segment names it',
        { hint: 'Nothing was removed. Run: cbr check' },
      );
    }
    let place: ChunkPlace = first;
    let rank = this.rankOf(pack);
    if (rank > 0) {
      for (const other of this.cache.places(id)) {
        const otherPack = this.cache.pack(other.pack);
        if (otherPack === undefined || this.rankOf(otherPack) >= rank) continue;
        [place, pack, rank] = [other, otherPack, this.rankOf(otherPack)];
      }
    }
    const use = this.useOf(pack);
    if (!use.bits.add(pack.blockStarts[place.block]! + place.ordinal)) return false;
    use.chunks++;
    use.plain[place.block]! += length;
    return true;
  }

  /** Whether the chunk at that place is reached, and counted there. */
  isUsed(pack: CachedPack, block: number, ordinal: number): boolean {
    return this.uses.get(pack.name)?.bits.has(pack.blockStarts[block]! + ordinal) ?? false;
  }

  /** What is in use of a pack; undefined if nothing is. */
  use(pack: CachedPack): PackUse | undefined {
    return this.uses.get(pack.name);
  }

  /** Of packs of which something is in use, in the order in which that was noted first. */
  packNames(): Iterable<ObjectDigest> {
    return this.uses.keys();
  }

  private useOf(pack: CachedPack): PackUse {
    let use = this.uses.get(pack.name);
    if (use === undefined) {
      const chunks = pack.blocks.reduce((sum, block) => sum + block.chunks, 0);
      use = { chunks: 0, plain: new Float64Array(pack.blocks.length), bits: new ChunkBits(chunks) };
      this.uses.set(pack.name, use);
    }
    return use;
  }
}

/** Stored bytes of a pack that nothing uses, estimated block by block; all of it if nothing does. */
export function wasteOf(pack: CachedPack, use: PackUse | undefined): number {
  if (use === undefined) return pack.size;
  let waste = 0;
  pack.blocks.forEach(({ stored, plain }, block) => {
    waste += stored * (1 - Math.min(1, use.plain[block]! / Math.max(1, plain)));
  });
  // However little it is: where nothing may stay, nothing does.
  return Math.ceil(waste);
}
