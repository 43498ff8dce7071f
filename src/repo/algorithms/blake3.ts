import { createRequire } from 'node:module';
import { blake3 } from '@noble/hashes/blake3.js';
import { asBuffer } from '../../core/index.js';

/** Hashes one byte string after another under one fixed key or context. */
export interface Blake3 {
  /** The 32-byte digest; a fresh buffer. */
  digest(bytes: Uint8Array): Buffer;
  /** Writes the 32-byte digest to `target`. */
  digestTo(bytes: Uint8Array, target: Buffer, at: number): void;
  /** The digest of parts put one behind the other. */
  digestOf(parts: readonly Uint8Array[]): Buffer;
}

/** Keyed with 32 bytes, or in derive-key mode under a context string. */
export type Blake3Mode = { readonly key: Uint8Array } | { readonly context: string };

export interface Blake3Implementation {
  readonly name: string;
  create(mode: Blake3Mode): Blake3;
}

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

function portableHash(mode: Blake3Mode): Blake3 {
  const options = 'key' in mode ? { key: mode.key } : { context: new TextEncoder().encode(mode.context) };
  return {
    digest: (bytes) => asBuffer(blake3(bytes, options)),
    digestTo: (bytes, target, at) => target.set(blake3(bytes, options), at),
    digestOf: (parts) => {
      const hasher = blake3.create(options);
      for (const part of parts) hasher.update(part);
      return asBuffer(hasher.digest());
    },
  };
}

export const portableBlake3: Blake3Implementation = { name: '@noble/hashes', create: portableHash };

/** The native implementation where it loads, else the portable one; both give the same digests. */
export function loadBlake3(portable: boolean): Blake3Implementation {
  if (portable) return portableBlake3;
  try {
    const native = createRequire(import.meta.url)('@napi-rs/blake-hash') as NativeModule;
    return { name: '@napi-rs/blake-hash', create: (mode) => nativeHash(native, mode) };
  } catch {
    return portableBlake3;
  }
}
