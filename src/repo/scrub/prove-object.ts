import { createHash } from 'node:crypto';
import {
  type CallOptions,
  type ListedObject,
  type ObjectKind,
  type ObjectReader,
  objectPath,
} from '../../backends/index.js';
import { DamagedError, MIB, sameBytes } from '../../core/index.js';
import { DIGEST_BYTES } from '../record-store.js';

/**
 * Objects prove themselves, without any key: packs and index segments by their name, the SHA-256 of all their bytes; all
 * others by the SHA-256 at their end (docs/format.md, "Objects").
 */

/** Read at a time: bounds memory, and is large enough for a remote store. */
const PIECE_BYTES = 4 * MIB;
const PACK_END = Buffer.from('CBR-TAIL');

export interface ProveOptions extends CallOptions {
  /** Takes the bytes, in order, before it is known whether they are right. They belong to it. */
  readonly take?: (piece: Uint8Array) => void | Promise<void>;
}

/**
 * Reads an object in pieces, and resolves if its bytes are those that were written. Rejects with DamagedError if they are not,
 * with ObjectNotFoundError if it is gone, with BackendError if it cannot be read.
 */
export async function proveObject(
  reader: ObjectReader,
  kind: ObjectKind,
  { name, size }: Pick<ListedObject, 'name' | 'size'>,
  { take, signal }: ProveOptions = {},
): Promise<void> {
  const object = objectPath(kind, name);
  const isNamed = kind === 'packs' || kind === 'index';
  const hashed = isNamed ? size : size - DIGEST_BYTES;
  if (size === 0) throw new DamagedError(object, 'is empty');
  if (hashed < 0) throw new DamagedError(object, `is cut short: it has only ${size} bytes`);
  const hash = createHash('sha256');
  const tail: Uint8Array[] = [];
  for (let offset = 0; offset < size; offset += PIECE_BYTES) {
    const length = Math.min(PIECE_BYTES, size - offset);
    const piece = await reader.read(kind, name, { offset, length }, signal === undefined ? {} : { signal });
    const inside = Math.max(0, Math.min(length, hashed - offset));
    hash.update(piece.subarray(0, inside));
    // The digest may lie across two pieces, and the end of a pack too.
    if (offset + length > size - DIGEST_BYTES) tail.push(piece.slice(Math.max(0, length - DIGEST_BYTES)));
    await take?.(piece);
  }
  const end = Buffer.concat(tail);
  const expected = isNamed ? Buffer.from(name, 'hex') : end.subarray(-DIGEST_BYTES);
  if (sameBytes(hash.digest(), expected)) return;
  const isShort = kind === 'packs' && !end.subarray(-PACK_END.length).equals(PACK_END);
  throw new DamagedError(
    object,
    isShort
      ? `is damaged or cut short: it has ${size} bytes, and no end`
      : 'its bytes are not those that were written (SHA-256 differs)',
  );
}

/** As `attempt`, which is made once more when it meets damage: one bad read proves nothing about what is stored. */
export async function twiceIfDamaged<T>(attempt: () => Promise<T>): Promise<T> {
  try {
    return await attempt();
  } catch (error) {
    if (!(error instanceof DamagedError)) throw error;
    return attempt();
  }
}
