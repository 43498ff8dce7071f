import { ByteReader, FormatError, LIMITS } from '../core/index.js';
import type { PackKind } from './index-segment.js';

/** The fixed parts of a pack (docs/format.md, "Pack"). */

export const PACK_KIND_NUMBER: Readonly<Record<PackKind, number>> = Object.freeze({ data: 1, tree: 2 });
export const TAIL_BYTES = 16;
const TAIL_MAGIC = 'CBR-TAIL';
const TAIL_VERSION = 1;

export function packKindOf(number: number, object: string): PackKind {
  if (number === PACK_KIND_NUMBER.data) return 'data';
  if (number === PACK_KIND_NUMBER.tree) return 'tree';
  throw new FormatError(`${object}: pack kind ${number}`);
}

export function encodeTail(tableBytes: number): Buffer {
  const tail = Buffer.alloc(TAIL_BYTES);
  tail.writeUInt32LE(tableBytes, 0);
  tail.writeUInt32LE(TAIL_VERSION, 4);
  tail.write(TAIL_MAGIC, 8, 'latin1');
  return tail;
}

/** The sealed length of the table, from the last 16 bytes of a pack. */
export function decodeTail(tail: Uint8Array, object: string): number {
  const reader = new ByteReader(tail, `${object}, tail`);
  const tableBytes = reader.u32();
  const version = reader.u32();
  if (Buffer.from(reader.take(8)).toString('latin1') !== TAIL_MAGIC)
    reader.fail('does not end with a pack tail');
  if (version !== TAIL_VERSION) reader.fail(`tail version ${version}`);
  if (tableBytes > LIMITS.record) reader.fail(`table of ${tableBytes} bytes`);
  return tableBytes;
}
