import { newStagingPath } from '../../backends/index.js';
import { chunkIdBytes } from '../../core/index.js';
import {
  type ChunkReader,
  fixedChunkReader,
  type PackKind,
  type PackStore,
  PackWriter,
  type Reference,
  type Repository,
  TREE_BLOCK_BYTES,
} from '../../repo/index.js';

export interface WantedChunk {
  readonly kind: PackKind;
  readonly reference: Reference;
}

/** A reader keeps the blocks that it has opened, and those of content are 16 times as large as those of trees. */
const BLOCKS_FOR_ONE_READER = 4;

/** Reads chunks out of packs that may not be relied on, and stores them in new ones. */
export class StoredAgain {
  private readonly writers: Readonly<Record<PackKind, PackWriter>>;
  /** Plain bytes. */
  bytes = 0;

  constructor(
    private readonly repository: Repository,
    private readonly store: PackStore,
  ) {
    const { keys, algorithms, config, backend } = repository;
    const writer = (kind: PackKind, blockBytes: number): PackWriter =>
      new PackWriter({
        kind,
        keys,
        algorithms,
        compressionLevel: config.compression,
        pad: config.pad,
        blockBytes,
        packBytes: config.packBytes,
        verify: true,
        stagingPath: () => newStagingPath(backend.stagingFolder!),
      });
    this.writers = { tree: writer('tree', TREE_BLOCK_BYTES), data: writer('data', config.blockBytes) };
  }

  /** Chunks that the store has claimed. Rejects when one cannot be read, and when storing fails. */
  async add(chunks: readonly WantedChunk[], signal: AbortSignal): Promise<void> {
    let reader = fixedChunkReader(this.repository);
    let blocks = 0;
    let block = '';
    // Block by block: each is opened once.
    for (const { chunk, place } of placed(chunks, reader)) {
      signal.throwIfAborted();
      if (place !== block && ++blocks % BLOCKS_FOR_ONE_READER === 0)
        reader = fixedChunkReader(this.repository);
      block = place;
      const { kind, reference } = chunk;
      const plain = await reader.read(kind, reference.id, reference.length);
      const finished = this.writers[kind].add(chunkIdBytes(reference.id), plain);
      this.bytes += plain.byteLength;
      if (finished !== undefined) this.store.store(finished);
      await this.store.room();
    }
  }

  /** Hands over what waits. */
  finish(): void {
    for (const writer of Object.values(this.writers)) {
      const finished = writer.finish();
      if (finished !== undefined) this.store.store(finished);
    }
  }

  abandon(): void {
    for (const writer of Object.values(this.writers)) writer.abandon();
  }
}

/** In the order of packs, blocks, and chunks within them; the place of one that no segment names is ''. */
function placed(chunks: readonly WantedChunk[], reader: ChunkReader) {
  return chunks
    .map((chunk) => {
      const found = reader.locate(chunk.reference.id);
      const place = found === undefined ? '' : `${found.pack.name} ${String(found.block).padStart(5, '0')}`;
      return { chunk, place, ordinal: found?.ordinal ?? 0 };
    })
    .sort((a, b) => (a.place < b.place ? -1 : a.place > b.place ? 1 : a.ordinal - b.ordinal));
}
