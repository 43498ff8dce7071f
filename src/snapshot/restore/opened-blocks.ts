import { asBuffer, CbrError, CHUNK_ID_BYTES, LIMITS, sameBytes } from '../../core/index.js';
import {
  type Algorithms,
  type Blake3,
  type Keys,
  openBlock,
  openPackHeader,
  type PackSeal,
} from '../../repo/index.js';
import type { BlocksInput } from './restore-tasks.js';

/** An opened block with the chunks of it that were verified. */
interface OpenedBlock {
  readonly plain: Buffer;
  /** Where each chunk begins, and the end of the last. */
  readonly starts: Uint32Array;
  readonly ids: (Buffer | undefined)[];
}

/** A stretch of an opened block. */
export interface Stretch {
  readonly plain: Buffer;
  readonly start: number;
  readonly end: number;
}

/**
 * Runs in a worker: opens the blocks of one task after the other, each once, and verifies what is taken of them. The memory
 * of plain bytes is used again by the next task: fresh memory costs as much as opening.
 */
export class OpenedBlocks {
  private readonly ids: Blake3;
  private memory = Buffer.alloc(0);
  private used = 0;
  private readonly blocks = new Map<number, OpenedBlock | Error>();
  private readonly bad = new Set<number>();
  private wrong: (readonly [block: number, ordinal: number])[] = [];
  private pack: (PackSeal & { readonly name: string }) | undefined;
  private input: BlocksInput | undefined;

  constructor(
    private readonly keys: Keys,
    private readonly algorithms: Algorithms,
  ) {
    this.ids = keys.chunkIds('data');
  }

  /** Begins a task: what was taken for the one before is valid no more. */
  begin(input: BlocksInput): void {
    this.blocks.clear();
    this.bad.clear();
    this.wrong = [];
    this.input = input;
    this.used = 0;
    const needed = input.blocks.reduce((sum, { plain }) => sum + plain, 0);
    const most = Math.min(needed, LIMITS.blockPlain);
    if (this.memory.byteLength < most) this.memory = Buffer.allocUnsafeSlow(most);
  }

  /** Blocks of this task that could not be opened. */
  get badBlocks(): readonly number[] {
    return [...this.bad];
  }

  /** Places in blocks of this task that opened well and do not hold there what the index says: only these are wrong. */
  get wrongChunks(): readonly (readonly [block: number, ordinal: number])[] {
    return this.wrong;
  }

  /** A chunk of a block, its length and its id verified; rejects with CbrError. `number`: its position among the ids. */
  take(block: number, ordinal: number, length: number, number: number): Stretch {
    const { ids, pack } = this.input!;
    const opened = this.opened(block);
    const start = opened.starts[ordinal];
    const end = opened.starts[ordinal + 1];
    if (start === undefined || end === undefined || !this.isChunk(opened, ordinal, ids, number)) {
      if (!this.wrong.some(([b, o]) => b === block && o === ordinal)) this.wrong.push([block, ordinal]);
      throw new CbrError('damaged', `packs/${pack} does not hold the chunk that the index says`);
    }
    // The content would come to lie in the wrong place. No other copy can help: its id says what its length is.
    if (end - start !== length)
      throw new CbrError(
        'damaged',
        `a chunk of it has ${end - start} bytes, and its content list says ${length}`,
      );
    return { plain: opened.plain, start, end };
  }

  private isChunk(block: OpenedBlock, ordinal: number, ids: Uint8Array, number: number): boolean {
    let id = block.ids[ordinal];
    if (id === undefined) {
      id = this.ids.digest(block.plain.subarray(block.starts[ordinal], block.starts[ordinal + 1]));
      block.ids[ordinal] = id;
    }
    return id.compare(ids, number * CHUNK_ID_BYTES, (number + 1) * CHUNK_ID_BYTES) === 0;
  }

  private opened(block: number): OpenedBlock {
    let opened = this.blocks.get(block);
    if (opened === undefined) {
      opened = this.openOne(block);
      this.blocks.set(block, opened);
    }
    if (opened instanceof Error) {
      this.bad.add(block);
      throw opened;
    }
    return opened;
  }

  private openOne(block: number): OpenedBlock | Error {
    const input = this.input!;
    let start = 0;
    for (let before = 0; before < block; before++) start += input.blocks[before]!.stored;
    const { stored, plain } = input.blocks[block]!;
    const bytes = input.stored.subarray(start, start + stored);
    const object = `packs/${input.pack}`;
    try {
      const seal = this.sealOf(input, object);
      const { zstd } = this.algorithms;
      const opened = openBlock(bytes, input.firstBlock + block, seal, zstd, object, this.room(plain));
      const { chunkLengths } = opened;
      const starts = new Uint32Array(chunkLengths.length + 1);
      for (let i = 0; i < chunkLengths.length; i++) starts[i + 1] = starts[i]! + chunkLengths[i]!;
      return { plain: asBuffer(opened.plain), starts, ids: [] };
    } catch (error) {
      return error instanceof Error ? error : new Error(String(error));
    }
  }

  /** Neighbouring tasks are mostly of one pack. */
  private sealOf({ pack, header }: BlocksInput, object: string): PackSeal {
    if (this.pack?.name !== pack || !sameBytes(this.pack.header, header)) {
      this.pack = { ...openPackHeader(header, this.keys, object), name: pack };
    }
    return this.pack;
  }

  /** Memory for one more block of this task; undefined when there is too little, because the index misjudged its blocks. */
  private room(bytes: number): Buffer | undefined {
    const start = this.used;
    if (start + bytes > this.memory.byteLength) return undefined;
    this.used += bytes;
    return this.memory.subarray(start, this.used);
  }
}
