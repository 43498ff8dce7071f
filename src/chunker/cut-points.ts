import { createRequire } from 'node:module';

/** Sizes of chunks in bytes: no chunk is smaller than `min` (but the last of a file) or larger than `max`. */
export interface ChunkSizes {
  readonly min: number;
  readonly target: number;
  readonly max: number;
}

/** Finds the content-defined cut points of byte strings (FastCDC: Xia et al., USENIX ATC 2016). */
export interface Chunker {
  readonly sizes: ChunkSizes;
  /**
   * The ends of the chunks of `bytes`, in order. With `isEnd` the last one is `bytes.byteLength`; without it only cuts are
   * returned that hold whatever follows, so bytes behind the last one must be put in front of the next window. A window
   * of at least `max` bytes yields at least one cut.
   */
  cuts(bytes: Uint8Array, isEnd: boolean): number[];
}

interface FastCdcModule {
  get_chunks(bytes: Uint8Array, min: number, target: number, max: number): Uint32Array;
}

/** Loads the WASM module once per chunker: one per thread. */
export function createChunker(sizes: ChunkSizes): Chunker {
  const { get_chunks } = createRequire(import.meta.url)('fastcdc-wasm') as FastCdcModule;
  return {
    sizes,
    cuts: (bytes, isEnd) => {
      const size = bytes.byteLength;
      if (size === 0) return [];
      if (isEnd && size <= sizes.min) return [size];
      const ends = Array.from(get_chunks(bytes, sizes.min, sizes.target, sizes.max)).slice(1);
      if (!isEnd) {
        // The module ends the last piece at the end of its input, which is a cut only if the piece cannot grow.
        const start = ends.at(-2) ?? 0;
        if (size - start < sizes.max) ends.pop();
      }
      return ends;
    },
  };
}
