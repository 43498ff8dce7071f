const LEAST_DIGITS = 8;
const MOST_DIGITS = 32;

/** How many digits tell all of these ids apart, at least eight. */
export function shortestUnique(ids: readonly string[]): number {
  let digits = LEAST_DIGITS;
  while (digits < MOST_DIGITS && new Set(ids.map((id) => id.slice(0, digits))).size < ids.length) digits++;
  return digits;
}
