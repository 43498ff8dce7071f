import { blake3 } from '@noble/hashes/blake3.js';
import { asBuffer } from '../../core/index.js';
import type { Blake3, Blake3Implementation, Blake3Mode } from './blake3.js';

/** BLAKE3 in JavaScript, for machines without a native build: a hundredth of its speed. */

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
