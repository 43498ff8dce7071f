import { InvalidArgumentError } from 'commander';

/** Sizes in bytes as people read and write them: IEC units. */

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** `512 B`, `1.23 MiB`, `12.3 GiB`: three digits. */
export function sizeText(bytes: number): string {
  let value = bytes;
  let unit = 0;
  // 999.5 and not 1024, so that there are never four digits.
  while (value >= (unit === 0 ? 1024 : 999.5) && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 99.95 ? 0 : value >= 9.995 ? 1 : 2;
  return `${value.toFixed(digits)} ${UNITS[unit]}`;
}

/** `12,345`. */
export function countText(count: number): string {
  return String(count).replace(/\B(?=(\d{3})+$)/g, ',');
}

/** `1 file`, `12,345 files`. */
export function countOf(count: number, one: string, many = `${one}s`): string {
  return `${countText(count)} ${count === 1 ? one : many}`;
}

/** A parser for commander: `64KiB`, `4 MiB`, `1.5GiB`, `65536`; `64K` and its kind are the same, as restic reads them. */
export function parseSize(text: string): number {
  const [, digits, unit] = /^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)$/.exec(text.trim()) ?? [];
  const wanted = (unit || 'B').toLowerCase();
  const power = UNITS.findIndex((each) =>
    [each, each.charAt(0)].some((name) => name.toLowerCase() === wanted),
  );
  const bytes = digits === undefined || power === -1 ? Number.NaN : Number(digits) * 1024 ** power;
  if (!Number.isSafeInteger(bytes)) {
    throw new InvalidArgumentError(
      'A size in bytes is expected, such as 65536, 64KiB, 1.5MiB or 1GiB (1G is the same).',
    );
  }
  return bytes;
}
