import { asBuffer } from '../../core/index.js';
import type { IsoNaming } from './iso-volume.js';

/** Names as a disc spells them, made into those that users know. */

const STRICT = new TextDecoder('utf-8', { fatal: true });

/** The name of a record, `own` being what Rock Ridge says. */
export function entryName(naming: IsoNaming, identifier: Buffer, own: Buffer | undefined): string {
  if (naming === 'joliet') return withoutVersion(fromUtf16(identifier));
  if (own !== undefined) return fromBytes(own);
  return withoutVersion(identifier.toString('latin1')).replace(/\.$/, '').toLowerCase();
}

/** Files have versions on discs, and always the first one. */
function withoutVersion(name: string): string {
  return name.replace(/;[0-9]+$/, '');
}

function fromUtf16(identifier: Buffer): string {
  // Big-endian on the disc.
  const even = Buffer.from(identifier.subarray(0, identifier.length - (identifier.length % 2)));
  return even.swap16().toString('utf16le');
}

/** UTF-8 if it is that, else one character per byte. */
function fromBytes(name: Buffer): string {
  try {
    return STRICT.decode(asBuffer(name));
  } catch {
    return name.toString('latin1');
  }
}

/** Why no file can have this name, if so. */
export function nameFault(name: string): string | undefined {
  if (name === '') return 'is empty';
  if (name === '.' || name === '..') return `is ${JSON.stringify(name)}`;
  if (name.includes('/')) return 'holds a slash';
  return name.includes('\0') ? 'holds a NUL character' : undefined;
}
