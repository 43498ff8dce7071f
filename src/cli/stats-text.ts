import { sizeText } from './sizes.js';

/** Ratios of sizes as `cbr stats` tells them. */

/** How many times smaller; nothing to say of nothing. */
export function ratio(before: number, after: number): number | undefined {
  return before > 0 && after > 0 ? Math.round((before / after) * 100) / 100 : undefined;
}

export const deduplicatedText = (unique: number, source: number): string =>
  withRatio(unique, ratio(source, unique), 'deduplicated');

export const compressedText = (stored: number, unique: number): string =>
  withRatio(stored, ratio(unique, stored), 'compressed');

function withRatio(bytes: number, times: number | undefined, how: string): string {
  return times === undefined ? sizeText(bytes) : `${sizeText(bytes)}, ${how} ${times.toFixed(2)} times`;
}
