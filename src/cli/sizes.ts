import { InvalidArgumentError } from 'commander';
import { BYTE_UNITS, parseByteCount } from '../core/index.js';

/** Sizes in bytes as people read and write them: IEC units. */

/** `512 B`, `1.23 MiB`, `12.3 GiB`: three digits. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 and not 1024, so that there are never four digits.
  while (value >= (unit === 0 ? 1024 : 999.5) && unit < BYTE_UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${BYTE_UNITS[unit]}`;
}

/** `12,345`. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 file`, `12,345 files`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** A parser for commander: see `parseByteCount`. */
export function parseSize(text: string): number {
  const bytes = parseByteCount(text);
  if (bytes !== undefined) return bytes;
  throw new InvalidArgumentError(
    'A size in bytes is expected, such as 65536, 64KiB, 1.5MiB or 1GiB (1G is the same).',
  );
}
