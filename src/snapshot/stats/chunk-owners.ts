import { chunkIdHex, DamagedError, type ObjectDigest } from '../../core/index.js';
import type { PackKind, Reference, RepositoryCache } from '../../repo/index.js';

/** What a set of snapshots reaches. Sizes in bytes. */
export interface Footprint {
  /** Distinct chunks, those of trees too. */
  readonly chunks: number;
  /** Content of files, before compression, each chunk once. */
  readonly contentBytes: number;
  /** Their part of the blocks as they are stored, content and trees. */
  readonly storedBytes: number;
  /** The part of trees among that. */
  readonly treeBytes: number;
}

/** Of each owner. */
interface Tally {
  chunks: number;
  content: number;
  stored: number;
  trees: number;
}

const NOBODY = 0;
/** Reached by two owners or more. */
const SEVERAL = 0xffff;

/** As many owners as two bytes tell apart. */
export const MOST_OWNERS = SEVERAL - 1;

/**
 * Which chunks are reached by one owner alone: two bytes for each chunk of the packs that hold any of them. A block takes as much
 * room for each of its chunks as that is of its plain bytes.
 */
export class ChunkOwners {
  /** By the name of the pack: numbers change when the index is read again. */
  private readonly owners = new Map<ObjectDigest, Uint16Array>();
  private readonly tallies: readonly Tally[];

  /** Owners are numbered from 1. */
  constructor(
    private readonly cache: RepositoryCache,
    count: number,
  ) {
    this.tallies = Array.from({ length: count + 1 }, () => ({ chunks: 0, content: 0, stored: 0, trees: 0 }));
  }

  /**
   * Notes that an owner reaches a chunk. False when that changes nothing for it, nor for anything that it names: each chunk is
   * walked twice at most. Rejects (damaged) when no place is known for it.
   */
  see(owner: number, kind: PackKind, { id, length }: Reference): boolean {
    const place = this.cache.lookup(id);
    const pack = place && this.cache.pack(place.pack);
    if (place === undefined || pack === undefined) {
      throw new DamagedError(
        `chunk ${chunkIdHex(id).slice(0, 16)}`,
        'a snapshot needs it, and no index segment names it',
        { hint: 'Run: cbr check' },
      );
    }
    const { stored, plain } = pack.blocks[place.block]!;
    let owners = this.owners.get(pack.name);
    if (owners === undefined) {
      owners = new Uint16Array(pack.blocks.reduce((sum, { chunks }) => sum + chunks, 0));
      this.owners.set(pack.name, owners);
    }
    const position = pack.blockStarts[place.block]! + place.ordinal;
    const before = owners[position]!;
    if (before === owner || before === SEVERAL) return false;
    owners[position] = before === NOBODY ? owner : SEVERAL;
    const tally = this.tallies[before === NOBODY ? owner : before]!;
    const sign = before === NOBODY ? 1 : -1;
    const share = (stored * length) / Math.max(1, plain);
    tally.chunks += sign;
    tally.stored += sign * share;
    if (kind === 'tree') tally.trees += sign * share;
    else tally.content += sign * length;
    return true;
  }

  /** What an owner reaches and no other one. */
  ofOwner(owner: number): Footprint {
    const { chunks, content, stored, trees } = this.tallies[owner]!;
    // Fractions that were added and taken away again may leave a little less than nothing.
    const whole = (bytes: number): number => Math.max(0, Math.round(bytes));
    return { chunks, contentBytes: content, storedBytes: whole(stored), treeBytes: whole(trees) };
  }
}
