import type { ObjectReader, ReadOptions } from '../backends/index.js';
import { type ChunkId, chunkIdBytes, chunkIdHex, DamagedError, sameBytes } from '../core/index.js';
import type { Algorithms } from './algorithms/algorithms.js';
import type { Blake3 } from './algorithms/blake3.js';
import { openBlock } from './block.js';
import type { ChunkPlace } from './cache/index.js';
import { isDamage } from './damage.js';
import type { PackKind, PackSummary } from './index-segment.js';
import type { Keys } from './keys.js';
import { blockOffsets, type OpenedPack, openPackHeader } from './pack-reader.js';
import { readPackHeader } from './read-pack-header.js';
import type { PlainBlock, StoredBlock } from './stored-block.js';

/** Where chunks are: the chunk index in LMDB. */
export interface ChunkPlaces {
  lookup(id: ChunkId): ChunkPlace | undefined;
  /** All places of a chunk, that of `lookup` first. */
  places(id: ChunkId): readonly ChunkPlace[];
  pack(number: number): PackSummary | undefined;
}

/** One block of one pack, ready to be fetched and opened by any thread. */
export interface BlockLocation {
  readonly pack: PackSummary;
  readonly block: number;
  /** Where its stored bytes begin in the pack, and their number. */
  readonly offset: number;
  readonly length: number;
}

interface OpenBlockContent {
  readonly plain: Uint8Array;
  readonly starts: readonly number[];
}

/** Plain bytes of blocks that are kept open: 64 usual ones of trees. */
const KEPT_BYTES = 64 * 256 * 1024;

export interface ChunkReaderOptions {
  /** Plain bytes of opened blocks that are kept at hand. */
  readonly keptBytes?: number;
  /** Every block comes from the medium itself: what is kept on this machine says nothing about it. */
  readonly isUncached?: boolean;
  /** Told of packs whose blocks open with the copy of their header only. */
  readonly headerDamaged?: (pack: PackSummary) => void;
  /** Opens a block elsewhere, and takes over its stored bytes; default: in this thread. */
  readonly open?: (block: StoredBlock) => Promise<PlainBlock>;
}

/** Reads single chunks (trees, content lists, attributes), keeping recently opened blocks at hand. */
export class ChunkReader {
  private readonly blocks = new Map<string, Promise<OpenBlockContent>>();
  private readonly packs = new Map<string, Promise<OpenedPack>>();
  private readonly offsets = new Map<string, readonly number[]>();
  private readonly hashers: Readonly<Record<PackKind, Blake3>>;
  /** Plain bytes of the blocks that are open, one by one and in all; those that are being opened are not among them. */
  private readonly kept = new Map<string, number>();
  private keptBytes = 0;
  /** Packs of which something turned out wrong. */
  private readonly doubted = new Set<string>();
  /** Packs whose header perhaps did: the copy of it behind their blocks counts. */
  private readonly headersInDoubt = new Set<string>();

  constructor(
    private readonly backend: ObjectReader,
    private readonly keys: Keys,
    private readonly algorithms: Algorithms,
    private readonly places: ChunkPlaces,
    /** Called when an object is gone; true when the index was read again and another try makes sense (rule 28). */
    private readonly reload: () => Promise<boolean>,
    private readonly options: ChunkReaderOptions = {},
  ) {
    this.hashers = { data: keys.chunkIds('data'), tree: keys.chunkIds('tree') };
  }

  /** Where the block that holds a chunk is; undefined when the index does not know the chunk. */
  locate(id: ChunkId): (BlockLocation & { readonly ordinal: number }) | undefined {
    const place = this.places.lookup(id);
    if (place === undefined) return undefined;
    const pack = this.places.pack(place.pack);
    if (pack === undefined) return undefined;
    return { ...this.block(pack, place.block), ordinal: place.ordinal };
  }

  block(pack: PackSummary, block: number): BlockLocation {
    let offsets = this.offsets.get(pack.name);
    if (offsets === undefined) {
      offsets = blockOffsets(pack.blocks);
      this.offsets.set(pack.name, offsets);
    }
    return { pack, block, offset: offsets[block]!, length: pack.blocks[block]!.stored };
  }

  /**
   * The plain bytes of a chunk, its id verified. Rejects with DamagedError when it is missing, damaged or not of the length
   * that the reference says. One bad read proves nothing about the medium: what fails is read a second time, and again as
   * long as the repository changes meanwhile.
   */
  async read(kind: PackKind, id: ChunkId, length: number): Promise<Uint8Array> {
    for (let isLast = false; ; ) {
      try {
        return await this.readOnce(kind, id, length);
      } catch (error) {
        if (!isDamage(error) || isLast) throw error;
        isLast = !(await this.refresh());
        this.forgetPlaces(id);
      }
    }
  }

  private forgetPlaces(id: ChunkId): void {
    for (const place of this.places.places(id)) {
      const pack = this.places.pack(place.pack);
      if (pack === undefined) continue;
      this.doubted.add(pack.name);
      this.drop(blockKey(pack, place.block));
      this.forgetHeader(pack);
    }
  }

  /** Has the header of a pack read again by whoever needs it next: what was kept may come from a bad read, or be damaged. */
  forgetHeader(pack: PackSummary): void {
    this.packs.delete(pack.name);
    this.headersInDoubt.add(pack.name);
  }

  private async readOnce(kind: PackKind, id: ChunkId, length: number): Promise<Uint8Array> {
    const first = this.locate(id);
    if (first === undefined) {
      throw new DamagedError(`${kind} chunk ${chunkIdHex(id).slice(0, 16)}`, 'no index segment names it');
    }
    try {
      return await this.readAt(kind, id, length, first);
    } catch (error) {
      for (const { pack, block, ordinal } of this.places.places(id).slice(1)) {
        const copy = this.places.pack(pack);
        if (copy === undefined) continue;
        const location = { ...this.block(copy, block), ordinal };
        const plain = await this.readAt(kind, id, length, location).catch(() => undefined);
        if (plain !== undefined) return plain;
      }
      throw error;
    }
  }

  private async readAt(
    kind: PackKind,
    id: ChunkId,
    length: number,
    location: BlockLocation & { readonly ordinal: number },
  ): Promise<Uint8Array> {
    const object = `packs/${location.pack.name}, block ${location.block}`;
    const content = await this.openedBlock(location);
    const start = content.starts[location.ordinal];
    const end = content.starts[location.ordinal + 1];
    if (start === undefined || end === undefined) {
      throw new DamagedError(object, 'holds fewer chunks than the index says');
    }
    const plain = content.plain.subarray(start, end);
    if (plain.byteLength !== length || !sameBytes(this.hashers[kind].digest(plain), chunkIdBytes(id))) {
      throw new DamagedError(
        object,
        `does not hold chunk ${chunkIdHex(id).slice(0, 16)} where the index says`,
      );
    }
    return plain;
  }

  private openedBlock(location: BlockLocation): Promise<OpenBlockContent> {
    const key = blockKey(location.pack, location.block);
    const kept = this.blocks.get(key);
    // Moved to the end: the map's order is the order of use.
    this.blocks.delete(key);
    const opened = kept ?? this.openBlock(location);
    this.blocks.set(key, opened);
    if (kept === undefined) this.keepOpen(key, opened);
    return opened;
  }

  /** As long as there is room for it. What failed is not kept. */
  private keepOpen(key: string, opened: Promise<OpenBlockContent>): void {
    opened.then(
      ({ plain }) => {
        if (this.blocks.get(key) !== opened) return;
        this.kept.set(key, plain.byteLength);
        this.keptBytes += plain.byteLength;
        const most = this.options.keptBytes ?? KEPT_BYTES;
        for (const [oldest] of this.blocks) {
          if (this.keptBytes <= most || oldest === key) break;
          this.drop(oldest);
        }
      },
      () => {
        if (this.blocks.get(key) === opened) this.blocks.delete(key);
      },
    );
  }

  private drop(key: string): void {
    this.blocks.delete(key);
    this.keptBytes -= this.kept.get(key) ?? 0;
    this.kept.delete(key);
  }

  private async openBlock({ pack, block, offset, length }: BlockLocation): Promise<OpenBlockContent> {
    const opened = await this.packHeader(pack);
    const stored = await this.backend.read('packs', pack.name, { offset, length }, this.keeping(pack));
    const { open } = this.options;
    const { plain, chunkLengths } =
      open === undefined
        ? openBlock(stored, block, opened, this.algorithms.zstd, `packs/${pack.name}`)
        : await open({ pack: pack.name, header: opened.header, block, stored });
    const starts = [0];
    for (const each of chunkLengths) starts.push(starts.at(-1)! + each);
    return { plain, starts };
  }

  /** Trees are read again and again: a cache may keep them. */
  private keeping({ kind, name, size }: PackSummary): ReadOptions {
    if (kind !== 'tree' || this.options.isUncached) return {};
    return { keep: this.doubted.has(name) ? { size, renew: true } : { size } };
  }

  /** Reads the index again, if it has changed; for those who found something gone. Says whether it had. */
  async refresh(): Promise<boolean> {
    const isChanged = await this.reload();
    if (isChanged) for (const key of [...this.blocks.keys()]) this.drop(key);
    return isChanged;
  }

  /** The header of a pack as stored, for whoever opens its blocks. */
  async headerBytes(pack: PackSummary): Promise<Uint8Array> {
    return (await this.packHeader(pack)).header;
  }

  /** Takes over the header of a pack from its first bytes, if it is not known nor in doubt and they have it. */
  offerHeader(pack: string, start: Uint8Array): void {
    if (this.packs.has(pack) || this.headersInDoubt.has(pack)) return;
    try {
      this.packs.set(pack, Promise.resolve(openPackHeader(start, this.keys, `packs/${pack}`)));
    } catch {
      // Whoever needs it reads it again, and finds what is wrong.
    }
  }

  private packHeader(pack: PackSummary): Promise<OpenedPack> {
    let opened = this.packs.get(pack.name);
    if (opened === undefined) {
      opened = readPackHeader({
        backend: this.backend,
        pack: pack.name,
        keys: this.keys,
        zstd: this.algorithms.zstd,
        isInDoubt: this.headersInDoubt.has(pack.name),
        options: this.keeping(pack),
      }).then((read) => {
        if (read.isCopy) this.options.headerDamaged?.(pack);
        return read.pack;
      });
      const asked = opened;
      opened.catch(() => {
        if (this.packs.get(pack.name) === asked) this.packs.delete(pack.name);
      });
      this.packs.set(pack.name, opened);
    }
    return opened;
  }
}

function blockKey(pack: PackSummary, block: number): string {
  return `${pack.name} ${block}`;
}
