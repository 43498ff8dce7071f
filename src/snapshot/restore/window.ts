import type { ChunkId } from '../../core/index.js';
import { type ContentItem, itemBytes } from '../entry.js';
import type { FileUnderway } from './file-underway.js';

/** What is planned of a file at once: nearly always all of it, else one page of its content list. */
export interface FilePart {
  readonly file: FileUnderway;
  /** Where in the file it begins. */
  readonly offset: number;
  readonly items: readonly ContentItem[];
  /** Number of reads that are still to bring something for it. */
  readsLeft: number;
  /** The attempt under way has failed. */
  failed: boolean;
  /** Why the first attempt failed. */
  reason: string | undefined;
  /** The attempt under way failed because something could not be fetched, not because of what was. */
  isUnfetched: boolean;
  ended: boolean;
  /** Its chunks are not planned yet: some may be in the file that it replaces. */
  isUnfed: boolean;
}

/** Where a chunk lies. */
export interface BlockPlace {
  /** Number of the pack in the cache. */
  readonly pack: number;
  readonly block: number;
  readonly ordinal: number;
}

/** A chunk that a file needs. */
export interface Piece {
  /** Position in the window's parts. */
  part: number;
  readonly block: number;
  readonly ordinal: number;
  /** In the file. */
  readonly offset: number;
  readonly item: Chunk;
}

/** Content that is no hole. */
type Chunk = Extract<ContentItem, { readonly id: ChunkId }>;

/** Neighbouring blocks of one pack that are fetched in one call. */
export interface PlannedRead {
  readonly pack: number;
  readonly firstBlock: number;
  readonly blocks: number;
  /** Sorted by part and offset. */
  readonly pieces: readonly Piece[];
}

/** How long a block is, in bytes: stored, and opened. */
export interface BlockSize {
  readonly stored: number;
  readonly plain: number;
}

interface PlannedBlock {
  readonly pack: number;
  readonly block: number;
  readonly pieces: Piece[];
  /** Bytes of the pieces; one that two files need counts twice. */
  wanted: number;
  /** What the window held when the last piece was added. */
  touched: number;
  /** How often it has waited for another window. */
  waits: number;
}

/** How to learn how long a block is. */
export type SizeOf = (pack: number, block: number) => BlockSize;

/** Of a snapshot that shares its blocks with others some are never needed wholly. */
const MOST_WAITS = 4;
/** So much of a window may wait for the next one: the workers need something to do meanwhile. */
const WAITING_SHARE = 1 / 2;

/** Packs have fewer blocks. */
const BLOCKS = 65_536;

/**
 * The plan of one window: which blocks are fetched, once each, in the order in which they lie, and what every file takes of
 * them. It grows file by file, so that planning is spread over the walk.
 */
export class Window {
  readonly parts: FilePart[] = [];
  /** Bytes of chunks; those of holes do not count. */
  bytes = 0;
  /** Content items. */
  items = 0;
  /** Bytes of the encoded entries of its files. */
  entryBytes = 0;
  /** Parts that need more than one block: they may need several reads, and then their file stays open. */
  spreadParts = 0;
  private readonly blocks = new Map<number, PlannedBlock>();

  /** `placeOf` says where a chunk is; a part of a file is marked failed when a chunk of it is nowhere. */
  constructor(private readonly placeOf: (id: ChunkId) => BlockPlace | undefined) {}

  /** Adds items of a file, the first of which begins at `offset`. */
  add(file: FileUnderway, items: readonly ContentItem[], offset: number): FilePart {
    const part: FilePart = {
      file,
      offset,
      items,
      readsLeft: 0,
      failed: false,
      reason: undefined,
      isUnfetched: false,
      ended: false,
      isUnfed: file.isFed,
    };
    this.entryBytes += file.encoded.byteLength;
    const number = this.parts.push(part) - 1;
    file.parts++;
    this.items += items.length;
    if (part.isUnfed) {
      for (const item of items) if (item.id !== undefined) this.bytes += item.length;
      this.spreadParts++;
    } else this.plan(part, number);
    return part;
  }

  /** Plans what is still to be fetched of a part: `copied` has a 1 for each chunk that it has already. */
  addRest(number: number, copied: Uint8Array): void {
    const part = this.parts[number]!;
    part.isUnfed = false;
    this.plan(part, number, copied);
  }

  private plan(part: FilePart, number: number, copied?: Uint8Array): void {
    let { offset } = part;
    let first: PlannedBlock | undefined;
    let isSpread = false;
    let chunk = 0;
    for (const item of part.items) {
      if (item.id !== undefined && copied?.[chunk++] !== 1) {
        if (copied === undefined) this.bytes += item.length;
        const place = this.placeOf(item.id);
        if (place === undefined) {
          part.failed = true;
          part.reason = 'a chunk of it is missing or damaged in the repository, and there is no other copy';
        } else {
          const block = this.block(place);
          block.wanted += item.length;
          block.touched = this.bytes;
          block.pieces.push({ part: number, block: place.block, ordinal: place.ordinal, offset, item });
          first ??= block;
          isSpread ||= block !== first;
        }
      }
      offset += itemBytes(item);
    }
    if (isSpread && copied === undefined) this.spreadParts++;
  }

  private block({ pack, block }: BlockPlace): PlannedBlock {
    const key = pack * BLOCKS + block;
    let planned = this.blocks.get(key);
    if (planned === undefined) {
      planned = { pack, block, pieces: [], wanted: 0, touched: 0, waits: 0 };
      this.blocks.set(key, planned);
    }
    return planned;
  }

  /**
   * Moves the blocks of which more may be needed soon to the next window, which is empty: so they are fetched and opened once.
   * Files of which some blocks stay are written in two parts. A block waits a few times only.
   */
  deferTo(next: Window, sizeOf: SizeOf): void {
    const waiting = this.unfinishedBlocks(sizeOf);
    if (waiting.length === 0) return;
    const counts = new Map<number, number>();
    for (const [key, block] of waiting) {
      this.blocks.delete(key);
      next.blocks.set(key, { ...block, touched: 0, waits: block.waits + 1 });
      for (const { part } of block.pieces) counts.set(part, (counts.get(part) ?? 0) + 1);
    }
    const staying = new Set<number>();
    for (const { pieces } of this.blocks.values()) for (const { part } of pieces) staying.add(part);
    const numbers = new Map<number, number>();
    for (const number of [...counts.keys()].sort((a, b) => a - b)) {
      const part = this.parts[number]!;
      numbers.set(number, next.parts.length);
      next.take(staying.has(number) ? splitOff(part) : part, counts.get(number)!, staying.has(number));
    }
    for (const { pieces } of next.blocks.values()) {
      for (const piece of pieces) {
        piece.part = numbers.get(piece.part)!;
        next.bytes += piece.item.length;
      }
    }
    this.removeParts((number) => counts.has(number) && !staying.has(number));
  }

  /** The blocks of which not all is needed so far, last touched first: files are walked in about the order of their blocks. */
  private unfinishedBlocks(sizeOf: SizeOf): readonly (readonly [key: number, block: PlannedBlock])[] {
    let room = this.bytes * WAITING_SHARE;
    return [...this.blocks]
      .filter(
        ([, { pack, block, wanted, waits }]) => waits < MOST_WAITS && wanted < sizeOf(pack, block).plain,
      )
      .sort(([, a], [, b]) => b.touched - a.touched)
      .filter(([, { wanted }]) => {
        room -= wanted;
        return room >= 0;
      });
  }

  private take(part: FilePart, pieces: number, isSplit: boolean): void {
    this.parts.push(part);
    this.items += pieces;
    this.entryBytes += part.file.encoded.byteLength;
    if (isSplit || part.file.isParted || pieces > 1) this.spreadParts++;
  }

  private removeParts(isGone: (number: number) => boolean): void {
    const numbers = new Map<number, number>();
    const kept = this.parts.filter((_, number) => {
      if (isGone(number)) return false;
      numbers.set(number, numbers.size);
      return true;
    });
    this.parts.splice(0, this.parts.length, ...kept);
    for (const { pieces } of this.blocks.values()) {
      for (const piece of pieces) piece.part = numbers.get(piece.part)!;
    }
  }

  /**
   * The reads, with neighbouring blocks joined up to the bytes of `most`, and sets how many each part needs. A single block
   * may be larger; 0 joins none.
   */
  reads(sizeOf: SizeOf, most: BlockSize): PlannedRead[] {
    const ordered = [...this.blocks.values()].sort((a, b) => a.pack - b.pack || a.block - b.block);
    const reads = joinNeighbours(ordered, sizeOf, most);
    for (const part of this.parts) part.readsLeft = 0;
    for (const { pieces } of reads) {
      let last = -1;
      for (const { part } of pieces) {
        if (part !== last) this.parts[part]!.readsLeft++;
        last = part;
      }
    }
    return reads;
  }
}

/** A second part of the same content: which pieces belong to which is the windows' affair. */
function splitOff(part: FilePart): FilePart {
  part.file.isParted = true;
  part.file.parts++;
  return { ...part };
}

function joinNeighbours(blocks: readonly PlannedBlock[], sizeOf: SizeOf, most: BlockSize): PlannedRead[] {
  const reads: { pack: number; firstBlock: number; blocks: number; pieces: Piece[] }[] = [];
  let stored = 0;
  let plain = 0;
  for (const { pack, block, pieces } of blocks) {
    const last = reads.at(-1);
    const size = sizeOf(pack, block);
    stored += size.stored;
    plain += size.plain;
    const adjoins = last?.pack === pack && last.firstBlock + last.blocks === block;
    if (last !== undefined && adjoins && stored <= most.stored && plain <= most.plain) {
      last.blocks++;
      for (const piece of pieces) last.pieces.push(piece);
    } else {
      reads.push({ pack, firstBlock: block, blocks: 1, pieces });
      ({ stored, plain } = size);
    }
  }
  for (const read of reads) {
    if (read.blocks > 1) read.pieces.sort((a, b) => a.part - b.part || a.offset - b.offset);
  }
  return reads;
}
