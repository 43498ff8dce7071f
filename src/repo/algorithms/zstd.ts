import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { FormatError } from '../../core/index.js';

/** Zstandard in one shot: each frame stands alone, with its content size, without a dictionary. */
export interface Zstd {
  readonly name: string;
  /** Compresses `source` to the start of `target`; the number of bytes written, or 0 when they do not fit. */
  compress(source: Uint8Array, target: Uint8Array, level: number): number;
  /** Fills `target` exactly with the content of the one frame in `source`; rejects with FormatError. */
  decompress(source: Uint8Array, target: Uint8Array): void;
}

/**
 * The content size that a frame's header states (RFC 8878, 3.1.1.1). Frames without one, with a dictionary, or of another
 * size than expected are refused before a decompressor allocates anything for them.
 */
function checkFrame(source: Uint8Array, plainLength: number): void {
  const fail = (reason: string): never => {
    throw new FormatError(`zstd frame: ${reason}`);
  };
  if (source.byteLength < 6) fail('too short');
  const view = new DataView(source.buffer, source.byteOffset, source.byteLength);
  if (view.getUint32(0, true) !== 0xfd2fb528) fail('no zstd magic number');
  const descriptor = view.getUint8(4);
  if ((descriptor & 0x03) !== 0) fail('uses a dictionary');
  const single = (descriptor & 0x20) !== 0;
  const sizeFlag = descriptor >> 6;
  const at = single ? 5 : 6;
  const width = sizeFlag === 0 ? (single ? 1 : 0) : 1 << sizeFlag;
  if (width === 0 || source.byteLength < at + width) fail('states no content size');
  const size =
    width === 1
      ? view.getUint8(at)
      : width === 2
        ? view.getUint16(at, true) + 256
        : width === 4
          ? view.getUint32(at, true)
          : Number(view.getBigUint64(at, true));
  if (size !== plainLength) fail(`states ${size} bytes of content, ${plainLength} expected`);
}

function refuse(error: unknown): never {
  throw new FormatError(`zstd frame: ${error instanceof Error ? error.message : String(error)}`, {
    cause: error,
  });
}

/** Logarithms of sizes; 0 leaves a size as the level has it. */
interface Tables {
  readonly windowLog: number;
  readonly hashLog: number;
  readonly chainLog: number;
}

/**
 * The tables of level 3 as the level has them (17 and 16) fill the second-level cache, and two threads wait for memory. A
 * smaller table of short matches and a window of a whole block compress about 10 % faster into nearly as little
 * (docs/adr/0008).
 */
function tablesOf(level: number): Tables {
  return level === 3
    ? { windowLog: 22, hashLog: 17, chainLog: 13 }
    : { windowLog: 0, hashLog: 0, chainLog: 0 };
}

interface NapiBinding {
  readonly CParameter: {
    readonly compressionLevel: number;
    readonly windowLog: number;
    readonly hashLog: number;
    readonly chainLog: number;
  };
  readonly ResetDirective: { readonly sessionOnly: number };
  readonly CCtx: new () => {
    reset(directive: number): void;
    setParameter(parameter: number, value: number): void;
    compress2(target: Uint8Array, source: Uint8Array): number;
  };
  readonly DCtx: new () => { decompress(target: Uint8Array, source: Uint8Array): number };
}

function napiZstd(): Zstd {
  const binding = createRequire(import.meta.url)('zstd-napi/binding') as NapiBinding;
  const compressor = new binding.CCtx();
  const decompressor = new binding.DCtx();
  let currentLevel: number | undefined;
  return {
    name: 'zstd-napi',
    compress: (source, target, level) => {
      if (level !== currentLevel) {
        const { windowLog, hashLog, chainLog } = tablesOf(level);
        // What did not fit leaves a frame begun, and parameters are refused while one is.
        compressor.reset(binding.ResetDirective.sessionOnly);
        compressor.setParameter(binding.CParameter.compressionLevel, level);
        compressor.setParameter(binding.CParameter.windowLog, windowLog);
        compressor.setParameter(binding.CParameter.hashLog, hashLog);
        compressor.setParameter(binding.CParameter.chainLog, chainLog);
        currentLevel = level;
      }
      try {
        return compressor.compress2(target, source);
      } catch (error) {
        if (/too small/i.test(String(error))) return 0;
        throw error;
      }
    },
    decompress: (source, target) => {
      checkFrame(source, target.byteLength);
      let written: number;
      try {
        written = decompressor.decompress(target, source);
      } catch (error) {
        return refuse(error);
      }
      if (written !== target.byteLength) refuse(`${written} bytes instead of ${target.byteLength}`);
    },
  };
}

/** Puts what a compressor returned into the target, if it fits. */
function place(compressed: Uint8Array, target: Uint8Array): number {
  if (compressed.byteLength > target.byteLength) return 0;
  target.set(compressed);
  return compressed.byteLength;
}

interface ZlibWithZstd {
  readonly zstdCompressSync?: (input: Uint8Array, options: object) => Buffer;
  readonly zstdDecompressSync?: (input: Uint8Array, options: object) => Buffer;
  readonly constants: {
    readonly ZSTD_c_compressionLevel?: number;
    readonly ZSTD_c_windowLog?: number;
    readonly ZSTD_c_hashLog?: number;
    readonly ZSTD_c_chainLog?: number;
  };
}

/** node:zlib has Zstandard since Node 22.15; undefined before. */
export function nodeZstd(): Zstd | undefined {
  const { zstdCompressSync, zstdDecompressSync, constants } = zlib as unknown as ZlibWithZstd;
  const {
    ZSTD_c_compressionLevel: levelParameter,
    ZSTD_c_windowLog: windowParameter = 0,
    ZSTD_c_hashLog: hashParameter = 0,
    ZSTD_c_chainLog: chainParameter = 0,
  } = constants;
  if (zstdCompressSync === undefined || zstdDecompressSync === undefined || levelParameter === undefined) {
    return undefined;
  }
  const parametersOf = (level: number): Readonly<Record<number, number>> => {
    const { windowLog, hashLog, chainLog } = tablesOf(level);
    if (hashLog === 0) return { [levelParameter]: level };
    const tables = { [windowParameter]: windowLog, [hashParameter]: hashLog, [chainParameter]: chainLog };
    return { [levelParameter]: level, ...tables };
  };
  return {
    name: 'node:zlib',
    compress: (source, target, level) =>
      place(
        zstdCompressSync(source, { params: parametersOf(level), pledgedSrcSize: source.byteLength }),
        target,
      ),
    decompress: (source, target) => {
      checkFrame(source, target.byteLength);
      try {
        const content = zstdDecompressSync(source, { maxOutputLength: Math.max(1, target.byteLength) });
        if (content.byteLength !== target.byteLength) refuse(`${content.byteLength} bytes of content`);
        target.set(content);
      } catch (error) {
        refuse(error);
      }
    },
  };
}

interface WasmModule {
  init(): Promise<void>;
  compress(input: Uint8Array, level: number): Uint8Array;
  decompress(input: Uint8Array): Uint8Array;
}

/** Once per thread: a second `init` would put another memory under calls that follow it, at a moment nobody can know. */
const loadWasm = ((loaded?: Promise<WasmModule>) => () => {
  loaded ??= (async () => {
    const wasm = createRequire(import.meta.url)('@bokuweb/zstd-wasm') as WasmModule;
    await wasm.init();
    return wasm;
  })();
  return loaded;
})();

/** Works everywhere. */
export async function wasmZstd(): Promise<Zstd> {
  const wasm = await loadWasm();
  return {
    name: '@bokuweb/zstd-wasm',
    compress: (source, target, level) => place(wasm.compress(source, level), target),
    decompress: (source, target) => {
      checkFrame(source, target.byteLength);
      try {
        const content = wasm.decompress(source);
        if (content.byteLength !== target.byteLength) refuse(`${content.byteLength} bytes of content`);
        target.set(content);
      } catch (error) {
        refuse(error);
      }
    },
  };
}

/**
 * The fastest implementation that loads: zstd-napi, node:zlib, WASM. `portable` starts at the second: what a machine
 * without a compiler gets.
 */
export async function loadZstd(portable: boolean): Promise<Zstd> {
  if (!portable) {
    try {
      return napiZstd();
    } catch {
      // Not built on this machine: the next one reads and writes the same frames.
    }
  }
  return nodeZstd() ?? (await wasmZstd());
}
