import { randomBytes } from 'node:crypto';
import { ByteReader, CbrError, FormatError } from '../core/index.js';

/** The version this program writes and reads: frozen, and to be read for ever (test/golden). */
export const FORMAT_VERSION = 1;
export const HEADER_BYTES = 56;
export const SALT_BYTES = 32;

/** First bytes of an object, by what it is. */
export const MAGIC = Object.freeze({ pack: 'CBRP', index: 'CBRI', record: 'CBRR' });
export type MagicName = keyof typeof MAGIC;

/** How an object is sealed. Other numbers are reserved (2: a random key wrapped to a public key). */
export const SCHEME = Object.freeze({ checksum: 0, aesGcm: 1 });

/** The start of every object (docs/format.md, "Object header"). */
export interface ObjectHeader {
  readonly magic: MagicName;
  /** What the object is within its magic: see docs/format.md. */
  readonly kind: number;
  readonly scheme: number;
  readonly keyEpoch: number;
  /** Random: no two objects ever have the same, so that no two names or keys are. */
  readonly salt: Uint8Array;
}

/** A header with a fresh salt. */
export function newHeader(magic: MagicName, kind: number, encrypted: boolean): ObjectHeader {
  return {
    magic,
    kind,
    scheme: encrypted ? SCHEME.aesGcm : SCHEME.checksum,
    keyEpoch: 0,
    salt: randomBytes(SALT_BYTES),
  };
}

export function encodeHeader(header: ObjectHeader): Buffer {
  const bytes = Buffer.alloc(HEADER_BYTES);
  bytes.write(MAGIC[header.magic], 0, 'latin1');
  bytes.writeUInt16LE(FORMAT_VERSION, 4);
  bytes.writeUInt16LE(HEADER_BYTES, 6);
  // 8: required feature bits, 12: optional feature bits; none exist yet.
  bytes[16] = header.scheme;
  bytes[17] = header.kind;
  // 18: reserved, zero
  bytes.writeUInt32LE(header.keyEpoch, 20);
  bytes.set(header.salt, 24);
  return bytes;
}

/**
 * The header in front of `bytes`. Rejects with FormatError when it is none, and with `newer-format` when the object was
 * written by a program that knows more than this one.
 */
export function decodeHeader(
  bytes: Uint8Array,
  magic: MagicName,
  encrypted: boolean,
  object: string,
): ObjectHeader {
  const reader = new ByteReader(bytes, object);
  const found = Buffer.from(reader.take(4)).toString('latin1');
  if (found !== MAGIC[magic]) throw new FormatError(`${object}: does not start with ${MAGIC[magic]}`);
  const version = reader.u16();
  const length = reader.u16();
  const required = reader.u32();
  reader.u32();
  if (version !== FORMAT_VERSION || required !== 0) {
    throw new CbrError(
      'newer-format',
      `${object}: format version ${version}, features 0x${required.toString(16)}`,
      {
        hint: 'It was written by another version of cbr: use that version or a newer one. Nothing was changed.',
      },
    );
  }
  if (length !== HEADER_BYTES) reader.fail(`header of ${length} bytes`);
  const scheme = reader.u8();
  const expected = encrypted ? SCHEME.aesGcm : SCHEME.checksum;
  if (scheme !== expected) reader.fail(`key scheme ${scheme} in a repository of scheme ${expected}`);
  const kind = reader.u8();
  if (reader.u16() !== 0) reader.fail('reserved bytes are not zero');
  const keyEpoch = reader.u32();
  return { magic, kind, scheme, keyEpoch, salt: Uint8Array.from(reader.take(SALT_BYTES)) };
}
