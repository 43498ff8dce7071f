import { createRequire } from 'node:module';
import { asBuffer } from '../../core/index.js';
import type { Blake3, Blake3Implementation, Blake3Mode } from './blake3.js';

interface NativeHasher {
  reset(): void;
  update(input: Uint8Array): NativeHasher;
  digest(format: 'hex'): string;
}

interface NativeModule {
  readonly Blake3Hasher: {
    newKeyed(key: Buffer): NativeHasher;
    newDeriveKey(context: string): NativeHasher;
  };
}

/**
 * One hasher is reset and used again: a new one for each input costs four times as much on small chunks. Digests come as
 * text, because a buffer made in native code costs 1 µs more and is tracked by the garbage collector.
 */
function nativeHash(native: NativeModule, mode: Blake3Mode): Blake3 {
  const hasher =
    'key' in mode
      ? native.Blake3Hasher.newKeyed(asBuffer(mode.key))
      : native.Blake3Hasher.newDeriveKey(mode.context);
  const digestOf = (parts: readonly Uint8Array[]): Buffer => {
    hasher.reset();
    for (const part of parts) hasher.update(part);
    return Buffer.from(hasher.digest('hex'), 'hex');
  };
  const hexOf = (bytes: Uint8Array): string => {
    hasher.reset();
    hasher.update(bytes);
    return hasher.digest('hex');
  };
  return {
    digest: (bytes) => Buffer.from(hexOf(bytes), 'hex'),
    digestTo: (bytes, target, at) => {
      target.write(hexOf(bytes), at, 32, 'hex');
    },
    digestOf,
  };
}

/** The native implementation where it loads, else the portable one, loaded only then; both give the same digests. */
export async function loadBlake3(portable: boolean): Promise<Blake3Implementation> {
  if (!portable) {
    try {
      const native = createRequire(import.meta.url)('@napi-rs/blake-hash') as NativeModule;
      return { name: '@napi-rs/blake-hash', create: (mode) => nativeHash(native, mode) };
    } catch {
      // Not built for this machine.
    }
  }
  return (await import('./portable-blake3.js')).portableBlake3;
}
