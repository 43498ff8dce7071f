import { createHash } from 'node:crypto';
import { Damage } from './failure.js';
import { HEADER_BYTES, type Header, parseHeader, RECORD_KINDS, type RecordKind } from './header.js';
import type { Keys } from './keys.js';
import { decode, type Value } from './msgpack.js';
import { parsePayload } from './payload.js';

/** Objects that are read whole: docs/format.md, "Records" and "Index segment". */

const DIGEST_BYTES = 32;

export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();

/** An object that is not sealed, `config` or `keys`: its record. Throws Damage. */
export function openPlain(kind: 'config' | 'keys', object: Buffer): Buffer {
  const header = headerOfRecord(kind, object);
  if (header.scheme !== 0) throw new Damage('its header is not right');
  return object.subarray(HEADER_BYTES, -DIGEST_BYTES);
}

/** A sealed record. Throws Damage. */
export function openRecord(keys: Keys, kind: RecordKind, name: string, object: Buffer): Value {
  const header = headerOfRecord(kind, object);
  const context = Buffer.concat([header.bytes, keys.repository, Buffer.from(`${kind}/${name}`)]);
  const sealed = object.subarray(HEADER_BYTES, -DIGEST_BYTES);
  return decode(parsePayload(keys.open('record', header, 0, context, sealed), 'other').content);
}

/** The digest comes first: it means the same in all versions, so that what is damaged is not taken for something newer. */
function headerOfRecord(kind: RecordKind, object: Buffer): Header {
  if (object.length < HEADER_BYTES + DIGEST_BYTES) throw new Damage('it is cut short');
  if (!sha256(object.subarray(0, -DIGEST_BYTES)).equals(object.subarray(-DIGEST_BYTES))) {
    throw new Damage('its bytes are not those that were written (SHA-256)');
  }
  const header = parseHeader(object, 'CBRR');
  if (header.kind !== RECORD_KINDS[kind]) throw new Damage('it is an object of another kind');
  return header;
}
