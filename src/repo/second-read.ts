import { createHash } from 'node:crypto';
import { type Backend, forwardTo, type ObjectKind } from '../backends/index.js';
import { sameBytes } from '../core/index.js';
import { DIGEST_BYTES } from './record-store.js';

/**
 * `inner`, reading whole objects once more when they are not what their digest says: what came over a line may have changed
 * on its way, and one bad read proves nothing about what is stored. What the second read brings is for the caller to judge.
 */
export function withSecondRead(inner: Backend): Backend {
  return {
    ...forwardTo(inner),
    read: async (kind, name, range, options) => {
      const bytes = await inner.read(kind, name, range, options);
      if (range !== undefined || isProven(kind, name, bytes)) return bytes;
      return inner.read(kind, name, range, options);
    },
  };
}

/** Objects prove themselves without any key (docs/format.md, "Objects"). */
function isProven(kind: ObjectKind, name: string, bytes: Uint8Array): boolean {
  const isNamed = kind === 'packs' || kind === 'index';
  const end = isNamed ? bytes.byteLength : bytes.byteLength - DIGEST_BYTES;
  if (end < 0) return false;
  const digest = createHash('sha256').update(bytes.subarray(0, end)).digest();
  return sameBytes(digest, isNamed ? Buffer.from(name, 'hex') : bytes.subarray(end));
}
