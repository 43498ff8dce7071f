import { createCipheriv, createDecipheriv } from 'node:crypto';
import { DamagedError } from '../core/index.js';
import type { Blake3 } from './algorithms/blake3.js';

/** Bytes that sealing adds. */
export const TAG_BYTES = 16;

/**
 * Seals and opens the parts of one object: authenticated encryption under the object's own key, or a checksum in a
 * repository without encryption. A (object, nonce) pair seals once.
 */
export interface Seal {
  /** The sealed body and its tag, to be put one behind the other; `context` is authenticated along with it. */
  seal(
    nonce: number,
    context: readonly Uint8Array[],
    plain: Uint8Array,
  ): readonly [body: Uint8Array, tag: Uint8Array];
  /** The plain bytes; rejects with DamagedError naming `object`. */
  open(nonce: number, context: readonly Uint8Array[], sealed: Uint8Array, object: string): Uint8Array;
  /** As `open`, from the two parts that `seal` returned. */
  openParts(
    nonce: number,
    context: readonly Uint8Array[],
    body: Uint8Array,
    tag: Uint8Array,
    object: string,
  ): Uint8Array;
}

function nonceBytes(nonce: number): Buffer {
  const bytes = Buffer.alloc(12);
  bytes.writeUInt32LE(nonce, 0);
  return bytes;
}

function split(sealed: Uint8Array, object: string): { body: Uint8Array; tag: Uint8Array } {
  const size = sealed.byteLength - TAG_BYTES;
  if (size < 0) throw new DamagedError(object, 'sealed part is shorter than its tag');
  return { body: sealed.subarray(0, size), tag: sealed.subarray(size) };
}

/** AES-256-GCM under a 32-byte key that belongs to one object. */
export function aesSeal(key: Uint8Array): Seal {
  const openParts: Seal['openParts'] = (nonce, context, body, tag, object) => {
    const decipher = createDecipheriv('aes-256-gcm', key, nonceBytes(nonce), { authTagLength: TAG_BYTES });
    decipher.setAAD(Buffer.concat(context));
    decipher.setAuthTag(tag);
    const plain = decipher.update(body);
    try {
      decipher.final();
    } catch (cause) {
      throw new DamagedError(object, 'fails authentication: its bytes are not those that were written', {
        cause,
      });
    }
    return plain;
  };
  return {
    openParts,
    seal: (nonce, context, plain) => {
      const cipher = createCipheriv('aes-256-gcm', key, nonceBytes(nonce));
      cipher.setAAD(Buffer.concat(context));
      const body = cipher.update(plain);
      cipher.final();
      return [body, cipher.getAuthTag()];
    },
    open: (nonce, context, sealed, object) => {
      const { body, tag } = split(sealed, object);
      return openParts(nonce, context, body, tag, object);
    },
  };
}

/** 16 bytes of BLAKE3 over nonce, context and content: detects damage, not malice. */
export function checksumSeal(checksum: Blake3): Seal {
  const tagOf = (nonce: number, context: readonly Uint8Array[], plain: Uint8Array): Buffer =>
    checksum.digestOf([nonceBytes(nonce), ...context, plain]).subarray(0, TAG_BYTES);
  const openParts: Seal['openParts'] = (nonce, context, body, tag, object) => {
    if (!tagOf(nonce, context, body).equals(tag)) {
      throw new DamagedError(object, 'fails its checksum: its bytes are not those that were written');
    }
    return body;
  };
  return {
    openParts,
    seal: (nonce, context, plain) => [plain, tagOf(nonce, context, plain)],
    open: (nonce, context, sealed, object) => {
      const { body, tag } = split(sealed, object);
      return openParts(nonce, context, body, tag, object);
    },
  };
}
