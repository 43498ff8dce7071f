import { readAhead } from '../../core/index.js';
import {
  type Author,
  buildSegments,
  type CachedPack,
  encodeSegment,
  type IndexedPack,
  type Repository,
  readPackTable,
} from '../../repo/index.js';

/** Index segments for a disc: the tables of given packs, whoever listed them in the repository. */

export interface DiscSegment {
  /** SHA-256 of its bytes, hexadecimal. */
  readonly name: string;
  readonly bytes: Buffer;
}

/**
 * Segments that list these packs as their own tables say, with a session on the disc as author (docs/format.md, "Discs"). Rejects
 * with DamagedError when the table of a pack cannot be read.
 */
export async function discIndex(
  { backend, keys, algorithms, records }: Repository,
  packs: readonly CachedPack[],
  author: Author,
  signal: AbortSignal,
): Promise<DiscSegment[]> {
  const indexed: IndexedPack[] = [];
  const tables = readAhead(packs, backend.concurrency, async (pack) => {
    signal.throwIfAborted();
    const { table } = await readPackTable(backend, pack.name, keys, algorithms.zstd);
    return { pack, table };
  });
  for await (const { pack, table } of tables) {
    const { name, kind, size } = pack;
    indexed.push({ summary: { name, kind, size, blocks: table.blocks }, table });
  }
  return buildSegments(author, indexed).map((segment) => encodeSegment(segment, keys, records.compression));
}

/** The index of one disc after another: what is the same for all is made once, and is the same object on each of them. */
export class DiscIndexes {
  private last: { readonly of: string; readonly segments: readonly DiscSegment[] } | undefined;

  constructor(
    private readonly repository: Repository,
    private readonly signal: AbortSignal,
  ) {}

  /** As `discIndex`. */
  async segmentsFor(packs: readonly CachedPack[], author: Author): Promise<readonly DiscSegment[]> {
    const inOrder = [...packs].sort((a, b) => a.number - b.number);
    const of = JSON.stringify([author, inOrder.map(({ name }) => name)]);
    if (this.last?.of === of) return this.last.segments;
    const segments = await discIndex(this.repository, inOrder, author, this.signal);
    this.last = { of, segments };
    return segments;
  }
}
