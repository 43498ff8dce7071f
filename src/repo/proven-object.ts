import { createHash } from 'node:crypto';
import type { ObjectKind } from '../backends/index.js';
import { sameBytes } from '../core/index.js';
import { DIGEST_BYTES } from './record-store.js';

/** Whether a whole object is what was written: it says so itself, without any key (docs/format.md, "Objects"). */
export function isProven(kind: ObjectKind, name: string, bytes: Uint8Array): boolean {
  const isNamed = kind === 'packs' || kind === 'index';
  const end = isNamed ? bytes.byteLength : bytes.byteLength - DIGEST_BYTES;
  if (end < 0) return false;
  const digest = createHash('sha256').update(bytes.subarray(0, end)).digest();
  return sameBytes(digest, isNamed ? Buffer.from(name, 'hex') : bytes.subarray(end));
}
