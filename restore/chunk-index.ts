import { type ChunkPlace, ChunkTable } from './chunk-table.js';
import { messageOf, rethrowUnlessDamage } from './failure.js';
import type { ChunkKind, Keys } from './keys.js';
import { type Blocks, type PackTable, parseBlocks, readTable, rebuildTable } from './pack.js';
import { parseSegment } from './segment.js';
import type { Store } from './store.js';

/** Where every chunk lies, from all index segments in reach and from the tables of packs that none of them lists. */

export interface KnownPack {
  readonly name: string;
  readonly kind: ChunkKind;
  readonly blocks: Blocks;
}

/** Several blocks lists of one pack (one of them wrong) are several packs here: each chunk that is read is verified. */
export class ChunkIndex {
  readonly packs: KnownPack[] = [];
  private readonly numbers = new Map<string, number>();
  private readonly listed = new Set<string>();
  private readonly segments = new Set<string>();
  private readonly table = new ChunkTable();

  constructor(private readonly keys: Keys) {}

  find(id: Uint8Array): ChunkPlace[] {
    return this.table.find(id);
  }

  /** Takes in what is new in `store`. `problem` is told what cannot be read, and does not end it. */
  load(store: Store, problem: (text: string) => void): void {
    for (const name of store.names('index')) {
      if (this.segments.has(name)) continue;
      try {
        this.addSegment(store, name);
        this.segments.add(name);
      } catch (error) {
        rethrowUnlessDamage(error);
        problem(`index segment ${name}: ${messageOf(error)}; the packs are asked instead`);
      }
    }
    for (const name of store.names('packs')) {
      if (!this.listed.has(name)) this.addUnlisted(store, name, problem);
    }
  }

  private addSegment(store: Store, name: string): void {
    const segment = store.read('index', name, (object) => parseSegment(this.keys, name, object));
    const numbers = segment.packs.map(({ name: pack, kind, blockBytes }) => this.add(pack, kind, blockBytes));
    for (const row of segment.rows) this.table.add(row.id, numbers[row.pack] ?? 0, row.block, row.ordinal);
  }

  private addUnlisted(store: Store, name: string, problem: (text: string) => void): void {
    try {
      this.addTable(
        name,
        store.readPack(name, (read, size) => readTable(this.keys, read, size)),
      );
    } catch (error) {
      rethrowUnlessDamage(error);
      problem(`pack ${name}: ${messageOf(error)}; its blocks are read instead`);
      try {
        this.addTable(
          name,
          store.readPack(name, (read, size) => rebuildTable(this.keys, read, size)),
        );
      } catch (second) {
        rethrowUnlessDamage(second);
        problem(`pack ${name}: ${messageOf(second)}`);
        this.listed.add(name);
      }
    }
  }

  private addTable(name: string, { kind, blocks, ids }: PackTable): void {
    const pack = this.add(name, kind, blocks);
    const { count, chunkCounts } = parseBlocks(blocks);
    let at = 0;
    for (let block = 0; block < count; block++) {
      for (let ordinal = 0; ordinal < (chunkCounts[block] ?? 0); ordinal++, at += 32) {
        this.table.add(ids.subarray(at, at + 32), pack, block, ordinal);
      }
    }
  }

  private add(name: string, kind: ChunkKind, blockBytes: Buffer): number {
    const key = `${name} ${kind} ${blockBytes.toString('latin1')}`;
    const known = this.numbers.get(key);
    if (known !== undefined) return known;
    const number = this.packs.length;
    this.packs.push({ name, kind, blocks: parseBlocks(blockBytes) });
    this.numbers.set(key, number);
    this.listed.add(name);
    return number;
  }
}
