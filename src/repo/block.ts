import { ByteReader, LIMITS, sameBytes } from '../core/index.js';
import type { Zstd } from './algorithms/zstd.js';
import { crc32c } from './crc32c.js';
import { type Payload, readPayload } from './payload.js';
import { type Seal, TAG_BYTES } from './seal.js';

/** A block as it stands in a pack (docs/format.md, "Block"): a header that can be found in a fragment, then the sealed payload. */

export const BLOCK_HEADER_BYTES = 24;
const MAGIC = 'CBRB';

export function encodeBlockHeader(number: number, sealedBytes: number, packSalt: Uint8Array): Buffer {
  const header = Buffer.alloc(BLOCK_HEADER_BYTES);
  header.write(MAGIC, 0, 'latin1');
  header.writeUInt32LE(number, 4);
  header.writeUInt32LE(sealedBytes, 8);
  header.set(packSalt.subarray(0, 8), 12);
  header.writeUInt32LE(crc32c(header.subarray(0, 20)), 20);
  return header;
}

export interface BlockHeader {
  readonly number: number;
  /** Length of what follows the header: ciphertext and tag. */
  readonly sealedBytes: number;
  readonly bytes: Uint8Array;
}

/** Reads the header at the start of `bytes`; rejects with FormatError when it is none or belongs to another pack. */
export function decodeBlockHeader(bytes: Uint8Array, packSalt: Uint8Array, subject: string): BlockHeader {
  const reader = new ByteReader(bytes, subject);
  const header = reader.take(BLOCK_HEADER_BYTES);
  const fields = new ByteReader(header, subject);
  if (Buffer.from(fields.take(4)).toString('latin1') !== MAGIC) fields.fail('no block header');
  const number = fields.u32();
  const sealedBytes = fields.u32();
  if (!sameBytes(fields.take(8), packSalt.subarray(0, 8))) fields.fail('block of another pack');
  if (fields.u32() !== crc32c(header.subarray(0, 20))) fields.fail('block header fails its checksum');
  if (sealedBytes < TAG_BYTES || sealedBytes > 2 * LIMITS.blockPlain)
    fields.fail(`block of ${sealedBytes} bytes`);
  return { number, sealedBytes, bytes: header };
}

/** What is needed to open the blocks of one pack. */
export interface PackSeal {
  readonly seal: Seal;
  /** The pack's header as stored: authenticated with each of its parts. */
  readonly header: Uint8Array;
  readonly salt: Uint8Array;
}

/**
 * Opens block `number` from its stored bytes (header included). `into` may receive the plain bytes. Rejects with
 * FormatError or DamagedError naming `object`.
 */
export function openBlock(
  stored: Uint8Array,
  number: number,
  pack: PackSeal,
  zstd: Zstd,
  object: string,
  into?: Uint8Array,
): Payload {
  const payload = decodeBlock(stored, number, pack, object);
  return readPayload(payload, zstd, LIMITS.blockPlain, `${object}, block ${number}`, into);
}

/** As `openBlock`, but the payload is left as it is: authentic, perhaps compressed. */
export function decodeBlock(stored: Uint8Array, number: number, pack: PackSeal, object: string): Uint8Array {
  const subject = `${object}, block ${number}`;
  const header = decodeBlockHeader(stored, pack.salt, subject);
  const reader = new ByteReader(stored, subject);
  reader.take(BLOCK_HEADER_BYTES);
  if (header.number !== number) reader.fail(`this is block ${header.number}`);
  const sealed = reader.take(header.sealedBytes);
  reader.end();
  return pack.seal.open(number, [pack.header, header.bytes], sealed, subject);
}
