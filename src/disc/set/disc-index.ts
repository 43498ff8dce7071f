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
