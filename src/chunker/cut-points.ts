import { createRequire } from 'node:module';
import { copyBytes } from '../core/index.js';

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

/** The exports of the module's WebAssembly instance that its own wrapper calls. */
interface FastCdcExports {
  readonly memory: { readonly buffer: ArrayBuffer };
  __wbindgen_add_to_stack_pointer(bytes: number): number;
  __wbindgen_malloc(bytes: number): number;
  __wbindgen_free(pointer: number, bytes: number): void;
  /** Writes pointer and length of the boundaries to `result`; takes ownership of nothing. */
  get_chunks(result: number, pointer: number, length: number, min: number, target: number, max: number): void;
}

/**
 * Calls the module beneath its JavaScript wrapper, which copies its input back out of WebAssembly memory after every call:
 * with shared memory that alone took 2 % of a snapshot.
 */
function boundaries(wasm: FastCdcExports, bytes: Uint8Array, sizes: ChunkSizes): Uint32Array {
  const result = wasm.__wbindgen_add_to_stack_pointer(-16);
  const size = bytes.byteLength;
  const pointer = wasm.__wbindgen_malloc(size);
  try {
    copyBytes(bytes, Buffer.from(wasm.memory.buffer), pointer);
    wasm.get_chunks(result, pointer, size, sizes.min, sizes.target, sizes.max);
    const [at, count] = new Uint32Array(wasm.memory.buffer, result, 2);
    const found = new Uint32Array(wasm.memory.buffer, at, count).slice();
    wasm.__wbindgen_free(at!, count! * 4);
    return found;
  } finally {
    wasm.__wbindgen_free(pointer, size);
    wasm.__wbindgen_add_to_stack_pointer(16);
  }
}

/** Loads the WASM module once per chunker: one per thread. */
export function createChunker(sizes: ChunkSizes): Chunker {
  const { __wasm: wasm } = createRequire(import.meta.url)('fastcdc-wasm') as { __wasm: FastCdcExports };
  return {
    sizes,
    cuts: (bytes, isEnd) => {
      const size = bytes.byteLength;
      if (size === 0) return [];
      if (isEnd && size <= sizes.min) return [size];
      const ends = Array.from(boundaries(wasm, bytes, sizes)).slice(1);
      if (!isEnd) {
        // The module ends the last piece at the end of its input, which is a cut only if the piece cannot grow.
        const start = ends.at(-2) ?? 0;
        if (size - start < sizes.max) ends.pop();
      }
      return ends;
    },
  };
}
