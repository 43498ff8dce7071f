/** IEC units, each 1024 times the one before. */
export const BYTE_UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] as const;

/** Reads `64KiB`, `4 MiB`, `1.5GiB`, `65536`; `64K` and its kind are the same, as restic reads them. Undefined for what is none. */
export function parseByteCount(text: string): number | undefined {
  const [, digits, unit] = /^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)$/.exec(text.trim()) ?? [];
  const wanted = (unit || 'B').toLowerCase();
  const power = BYTE_UNITS.findIndex((each) =>
    [each, each.charAt(0)].some((name) => name.toLowerCase() === wanted),
  );
  const bytes = digits === undefined || power === -1 ? Number.NaN : Number(digits) * 1024 ** power;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}
