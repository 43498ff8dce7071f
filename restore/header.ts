import { Damage, Newer } from './failure.js';

/** The 56 bytes that every object begins with: docs/format.md, "Object header". */

export const HEADER_BYTES = 56;

export type Magic = 'CBRP' | 'CBRI' | 'CBRR';

export const PACK_KINDS = Object.freeze({ data: 1, tree: 2 });
export const SEGMENT_KIND = 1;
export const RECORD_KINDS = Object.freeze({ config: 1, keys: 2, snapshots: 3, notes: 8, catalog: 10 });

export type RecordKind = keyof typeof RECORD_KINDS;

export interface Header {
  readonly bytes: Buffer;
  readonly scheme: 0 | 1;
  readonly kind: number;
  readonly epoch: number;
  readonly salt: Buffer;
}

/** Throws Newer for an object of a later version, Damage for what is no header of such an object. */
export function parseHeader(object: Buffer, magic: Magic): Header {
  if (object.length < HEADER_BYTES) throw new Damage('it is cut short');
  const bytes = object.subarray(0, HEADER_BYTES);
  if (bytes.toString('latin1', 0, 4) !== magic) throw new Damage(`it does not begin with ${magic}`);
  if (bytes.readUInt16LE(4) !== 1 || bytes.readUInt32LE(8) !== 0) {
    throw new Newer('it was written by a newer program, which this one cannot read');
  }
  const scheme = bytes.readUInt8(16);
  const isRight = bytes.readUInt16LE(6) === HEADER_BYTES && bytes.readUInt16LE(18) === 0;
  if (!isRight || (scheme !== 0 && scheme !== 1)) throw new Damage('its header is not right');
  return {
    bytes,
    scheme,
    kind: bytes.readUInt8(17),
    epoch: bytes.readUInt32LE(20),
    salt: bytes.subarray(24, HEADER_BYTES),
  };
}
