import { newStagingPath } from '../../backends/index.js';
import { type ChunkId, toLatin1 } from '../../core/index.js';
import {
  type Blake3,
  type PackStore,
  PackWriter,
  type PackWriterOptions,
  type Repository,
  TREE_BLOCK_BYTES,
} from '../../repo/index.js';
import type { ChunkReference } from '../entry.js';

/** Stores tree chunks (trees, content lists, large attributes) in packs of their own, on the main thread. */
export class TreeStore {
  private readonly packs: PackWriter;
  private readonly ids: Blake3;

  constructor(
    options: Omit<PackWriterOptions, 'kind' | 'blockBytes'>,
    private readonly store: PackStore,
  ) {
    this.packs = new PackWriter({ ...options, kind: 'tree', blockBytes: TREE_BLOCK_BYTES });
    this.ids = options.keys.chunkIds('tree');
  }

  /** Stores a chunk unless the repository has it. */
  readonly put = (plain: Uint8Array): ChunkReference => {
    const id = this.ids.digest(plain);
    const key = toLatin1(id) as ChunkId;
    if (this.store.claim(key)) {
      const finished = this.packs.add(id, plain);
      if (finished !== undefined) this.store.store(finished);
    }
    return { id: key, length: plain.byteLength };
  };

  finish(): void {
    const finished = this.packs.finish();
    if (finished !== undefined) this.store.store(finished);
  }

  abandon(): void {
    this.packs.abandon();
  }
}

/** A tree store of the repository whose packs are handed to `store`, by default compressed as the repository says. */
export function treeStore(
  { keys, algorithms, config, backend }: Repository,
  store: PackStore,
  compressionLevel = config.compression,
): TreeStore {
  const { pad, packBytes } = config;
  const stagingPath = (): string => newStagingPath(backend.stagingFolder!);
  const options = { keys, algorithms, compressionLevel, pad, packBytes, verify: true, stagingPath };
  return new TreeStore(options, store);
}
