import { createHash } from 'node:crypto';

/**
 * The keys of paths. A path is raw and without '/' in front; in its key a NUL stands for each '/', so that keys sort as a walk
 * through the tree does and all that lies in a folder is one range.
 */

/** LMDB takes keys of up to 1978 bytes: of longer paths only the beginning is one, with a hash of the whole. */
const MOST_BYTES = 1900;
const HASH_BYTES = 16;

function keyText(path: string): string {
  // Only a forged name has a NUL in it.
  return (path.includes('\0') ? path.replaceAll('\0', '\\x00') : path).replaceAll('/', '\0');
}

export function pathKey(path: string): Buffer {
  const text = keyText(path);
  if (text.length <= MOST_BYTES) return Buffer.from(text, 'latin1');
  const hash = createHash('sha256').update(text, 'latin1').digest().subarray(0, HASH_BYTES);
  return Buffer.concat([Buffer.from(text.slice(0, MOST_BYTES), 'latin1'), hash]);
}

/** id u32, then what the key does not hold: the text of the whole path, if that is long. */
export function pathRow(id: number, path: string): Buffer {
  const text = keyText(path);
  const rest = text.length <= MOST_BYTES ? '' : text;
  const row = Buffer.alloc(4 + rest.length);
  row.writeUInt32BE(id);
  row.write(rest, 4, 'latin1');
  return row;
}

export function idOf(row: Buffer): number {
  return row.readUInt32BE(0);
}

/** Whether the key holds the whole path. */
export function isWholeKey(key: Buffer): boolean {
  return key.length <= MOST_BYTES;
}

/** The path that a key holds, or a row when the key does not. */
export function pathOfKey(key: Buffer): string {
  return key.toString('latin1').replaceAll('\0', '/');
}

export function pathOfRow(row: Buffer): string {
  return row.toString('latin1', 4).replaceAll('\0', '/');
}

/** The first key at which what begins with `prefix` may stand. */
export function rangeStart(prefix: string): Buffer {
  return Buffer.from(keyText(prefix).slice(0, MOST_BYTES), 'latin1');
}
