import type { ChunkIndex, KnownPack } from './chunk-index.js';
import type { ChunkPlace } from './chunk-table.js';
import { Damage, DamagedPack, messageOf, OutOfReach, rethrowUnlessDamage } from './failure.js';
import type { ChunkKind, Keys } from './keys.js';
import { openBlock, withPackHeader } from './pack.js';
import type { Payload } from './payload.js';
import type { Store } from './store.js';

/** What names a chunk. */
export interface Reference {
  readonly id: Buffer;
  readonly length: number;
}

interface OpenedBlock {
  readonly content: Buffer;
  /** Where each chunk begins, and where the last one ends. */
  readonly ends: readonly number[];
}

/** Plain bytes of opened blocks that are kept: files that follow each other share blocks, and trees are read in turn with content. */
const KEPT_BYTES = { data: 48 * 2 ** 20, tree: 16 * 2 ** 20 };

/** Reads chunks, each verified by its id. */
export class Chunks {
  private readonly kept: Readonly<Record<ChunkKind, KeptBlocks>> = {
    data: new KeptBlocks(KEPT_BYTES.data),
    tree: new KeptBlocks(KEPT_BYTES.tree),
  };
  /** Of a damaged block it is remembered why, so that it is read once and not for each of its files. */
  private readonly damaged = new Map<string, string>();
  private readonly treesRead = new Set<string>();

  constructor(
    private readonly keys: Keys,
    private readonly index: ChunkIndex,
    private store: Store,
  ) {}

  /** From now on objects are read from there. */
  use(store: Store): void {
    this.store = store;
    this.damaged.clear();
  }

  /** Names of the packs that trees were read from. */
  treePacks(): string[] {
    return [...this.treesRead];
  }

  /** Nothing if the chunk can be looked for; else a pack that has it, or that no index names it. */
  outOfReach(kind: ChunkKind, id: Uint8Array): OutOfReach | undefined {
    const packs = this.placesOf(kind, id).map(({ pack }) => pack);
    if (packs.some(({ name }) => this.store.has('packs', name))) return undefined;
    return new OutOfReach(packs[0]?.name);
  }

  /** Throws OutOfReach if it lies nowhere in reach, DamagedPack if it cannot be had whole from where it lies. */
  read(kind: ChunkKind, { id, length }: Reference): Buffer {
    let damage: DamagedPack | undefined;
    for (const { pack, place } of this.placesOf(kind, id)) {
      if (!this.store.has('packs', pack.name)) continue;
      try {
        const chunk = this.chunkAt(pack, place);
        if (chunk.length !== length) throw new Damage('a chunk has another length');
        if (id.equals(this.keys.chunkId(kind, chunk))) return chunk;
        throw new Damage('a chunk is not what its id says');
      } catch (error) {
        rethrowUnlessDamage(error);
        damage ??= new DamagedPack(pack.name, messageOf(error));
      }
    }
    const elsewhere = this.placesOf(kind, id).find(({ pack }) => !this.store.has('packs', pack.name));
    if (damage === undefined || elsewhere !== undefined) throw new OutOfReach(elsewhere?.pack.name);
    throw damage;
  }

  private placesOf(kind: ChunkKind, id: Uint8Array): { pack: KnownPack; place: ChunkPlace }[] {
    const places: { pack: KnownPack; place: ChunkPlace }[] = [];
    for (const place of this.index.find(id)) {
      const pack = this.index.packs[place.pack];
      if (pack?.kind === kind) places.push({ pack, place });
    }
    return places;
  }

  private chunkAt(pack: KnownPack, { pack: number, block, ordinal }: ChunkPlace): Buffer {
    const key = `${number}/${block}`;
    const reason = this.damaged.get(key);
    if (reason !== undefined) throw new Damage(reason);
    const kept = this.kept[pack.kind];
    let opened = kept.get(key);
    if (opened === undefined) {
      if (pack.kind === 'tree') this.treesRead.add(pack.name);
      try {
        opened = this.open(pack, block);
      } catch (error) {
        rethrowUnlessDamage(error);
        this.damaged.set(key, messageOf(error));
        throw error;
      }
      kept.add(key, opened);
    }
    const begin = opened.ends[ordinal];
    const end = opened.ends[ordinal + 1];
    if (begin === undefined || end === undefined)
      throw new Damage(`block ${block} has fewer chunks than its index says`);
    return opened.content.subarray(begin, end);
  }

  private open({ name, blocks }: KnownPack, block: number): OpenedBlock {
    const offset = blocks.offsets[block];
    const length = blocks.storedLengths[block];
    if (offset === undefined || length === undefined) throw new Damage(`there is no block ${block}`);
    return this.store.readPack(name, (read, size) => {
      const stored = read(offset, length);
      return withPackHeader(read, size, ({ header }) => placed(openBlock(this.keys, header, block, stored)));
    });
  }
}

function placed({ content, chunkLengths }: Payload): OpenedBlock {
  const ends = [0];
  for (const length of chunkLengths) ends.push((ends.at(-1) ?? 0) + length);
  return { content, ends };
}

/** The blocks used last, up to a number of bytes. */
class KeptBlocks {
  private readonly blocks = new Map<string, OpenedBlock>();
  private bytes = 0;

  constructor(private readonly most: number) {}

  get(key: string): OpenedBlock | undefined {
    const block = this.blocks.get(key);
    if (block === undefined) return undefined;
    this.blocks.delete(key);
    this.blocks.set(key, block);
    return block;
  }

  add(key: string, block: OpenedBlock): void {
    this.blocks.set(key, block);
    this.bytes += block.content.length;
    for (const [oldest, { content }] of this.blocks) {
      if (this.bytes <= this.most || oldest === key) break;
      this.blocks.delete(oldest);
      this.bytes -= content.length;
    }
  }
}
