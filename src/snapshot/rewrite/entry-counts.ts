import type { ReadTreeChunk } from '../content-list.js';
import type { ChunkReference, Entry } from '../entry.js';
import { decodeEntry, treePages } from '../tree.js';

/** How much there is, as the statistics of a snapshot count it: every name of a file for itself. */
export interface EntryCounts {
  readonly files: number;
  readonly folders: number;
  readonly others: number;
  /** Length of all files. */
  readonly bytes: number;
}

export const NOTHING: EntryCounts = Object.freeze({ files: 0, folders: 0, others: 0, bytes: 0 });

export function addCounts(a: EntryCounts, b: EntryCounts): EntryCounts {
  return {
    files: a.files + b.files,
    folders: a.folders + b.folders,
    others: a.others + b.others,
    bytes: a.bytes + b.bytes,
  };
}

/** All entries, folders among them. */
export function countOfEntries({ files, folders, others }: EntryCounts): number {
  return files + folders + others;
}

/** An entry without what lies below it. */
export function countsOf({ type, size = 0 }: Pick<Entry, 'type' | 'size'>): EntryCounts {
  if (type === 'file') return { ...NOTHING, files: 1, bytes: size };
  return type === 'directory' ? { ...NOTHING, folders: 1 } : { ...NOTHING, others: 1 };
}

/** An entry with everything below it. */
export async function countAll(entry: Entry, read: ReadTreeChunk): Promise<EntryCounts> {
  let counts = countsOf(entry);
  const trees: ChunkReference[] = entry.tree === undefined ? [] : [entry.tree];
  for (let tree = trees.pop(); tree !== undefined; tree = trees.pop()) {
    for await (const page of treePages(tree, read)) {
      for (const encoded of page) {
        const below = decodeEntry(encoded);
        counts = addCounts(counts, countsOf(below));
        if (below.tree !== undefined) trees.push(below.tree);
      }
    }
  }
  return counts;
}
