import { CbrError, CHUNK_ID_BYTES, messageOf, sameBytes } from '../../core/index.js';
import {
  type Algorithms,
  type Blake3,
  type BlockSummary,
  blockOffsets,
  headerOfDamaged,
  type Keys,
  type OpenedPack,
  openBlock,
  openWholePack,
  type PackKind,
  type PackTable,
} from '../../repo/index.js';
import { reasonOf } from './damage.js';
import type { PackToVerify, VerifiedPack } from './pack-tasks.js';

/** Opens packs whole. Synchronous: it runs in a worker. */
export class PackVerifier {
  private readonly room: Buffer;
  private readonly hashers: Readonly<Record<PackKind, Blake3>>;

  constructor(
    private readonly keys: Keys,
    private readonly algorithms: Algorithms,
    blockBytes: number,
  ) {
    this.room = Buffer.allocUnsafeSlow(blockBytes);
    this.hashers = { data: keys.chunkIds('data'), tree: keys.chunkIds('tree') };
  }

  /**
   * Compares SHA-256 and name, opens the table and every block, and hashes every chunk. A damaged pack is opened block by
   * block as the index segments describe it, to learn which chunks are left. Does not reject for damage.
   */
  verify(input: PackToVerify): VerifiedPack {
    const problems: string[] = [];
    const opened = this.open(input, problems);
    const blocks = opened?.table?.blocks ?? input.blocks;
    const chunks = new FoundChunks(blocks);
    if (opened === undefined) return { problems, ...chunks.all() };
    const { pack, table } = opened;
    if (pack.kind !== input.kind) problems.push(`it holds ${pack.kind} chunks, the index says ${input.kind}`);
    if (table !== undefined && !sameBlocks(table.blocks, input.blocks)) {
      problems.push('its table and the index describe its blocks differently');
    }
    const areOpened = this.readBlocks(input, pack, blocks, chunks, problems);
    const found = chunks.all();
    if (areOpened && table !== undefined && !isOf(table, found)) {
      problems.push('its table lists other chunks than it holds');
    }
    return { problems, ...found };
  }

  private open(
    { name, bytes }: PackToVerify,
    problems: string[],
  ): { pack: OpenedPack; table?: PackTable } | undefined {
    const { keys, algorithms } = this;
    try {
      return openWholePack(bytes, name, keys, algorithms.zstd);
    } catch (error) {
      problems.push(problemOf(error));
    }
    try {
      return { pack: headerOfDamaged(bytes, name, keys, algorithms.zstd) };
    } catch (error) {
      problems.push(problemOf(error));
      return undefined;
    }
  }

  /** Whether all could be opened. */
  private readBlocks(
    { name, bytes }: PackToVerify,
    pack: OpenedPack,
    blocks: readonly BlockSummary[],
    found: FoundChunks,
    problems: string[],
  ): boolean {
    const offsets = blockOffsets(blocks);
    const lost: number[] = [];
    for (const [number, { stored }] of blocks.entries()) {
      const offset = offsets[number]!;
      try {
        const part = bytes.subarray(offset, offset + stored);
        const object = `packs/${name}`;
        const opened = openBlock(part, number, pack, this.algorithms.zstd, object, this.room);
        found.take(number, opened.plain, opened.chunkLengths, this.hashers[pack.kind]);
      } catch (error) {
        problemOf(error);
        lost.push(number);
      }
    }
    if (lost.length === 0) return true;
    const which = lost.length > 5 ? `${lost.slice(0, 5).join(', ')}, ...` : lost.join(', ');
    problems.push(`${lost.length} of its ${blocks.length} blocks cannot be opened (${which})`);
    return false;
  }
}

/** Rethrows what is no damage. */
function problemOf(error: unknown): string {
  if (!(error instanceof CbrError)) throw error;
  return reasonOf(error) || messageOf(error);
}

function sameBlocks(a: readonly BlockSummary[], b: readonly BlockSummary[]): boolean {
  return (
    a.length === b.length &&
    a.every((block, i) => {
      const other = b[i]!;
      return block.stored === other.stored && block.plain === other.plain && block.chunks === other.chunks;
    })
  );
}

/** Ids and lengths of the chunks of a pack as its blocks are opened, in stored order. */
class FoundChunks {
  readonly counts: Uint32Array;
  private readonly idParts: Buffer[] = [];
  private readonly lengthParts: number[] = [];

  constructor(private readonly blocks: readonly BlockSummary[]) {
    this.counts = new Uint32Array(blocks.length);
  }

  take(number: number, plain: Uint8Array, chunkLengths: readonly number[], hasher: Blake3): void {
    // More than was announced belongs to nothing that an index could name.
    const count = Math.min(this.blocks[number]!.chunks, chunkLengths.length);
    const ids = Buffer.allocUnsafe(count * CHUNK_ID_BYTES);
    for (let i = 0, at = 0; i < count; i++) {
      const length = chunkLengths[i]!;
      hasher.digestTo(plain.subarray(at, at + length), ids, i * CHUNK_ID_BYTES);
      this.lengthParts.push(length);
      at += length;
    }
    this.idParts.push(ids);
    this.counts[number] = count;
  }

  all(): Pick<VerifiedPack, 'counts' | 'ids' | 'lengths'> {
    const ids = new Uint8Array(this.lengthParts.length * CHUNK_ID_BYTES);
    let at = 0;
    for (const part of this.idParts) {
      ids.set(part, at);
      at += part.byteLength;
    }
    return { counts: this.counts, ids, lengths: Uint32Array.from(this.lengthParts) };
  }
}

function isOf(table: PackTable, { ids, lengths }: Pick<VerifiedPack, 'ids' | 'lengths'>): boolean {
  return (
    lengths.length === table.lengths.length &&
    sameBytes(ids, table.ids) &&
    table.lengths.every((length, i) => lengths[i] === length)
  );
}
