import type { Parameters } from 'fast-check';

/** How many cases a property is tried with: `usual` in a test run, many more in a soak. A failure prints its seed. */
export function runs<T = unknown>(usual: number): Parameters<T> {
  const soak = process.env.CBR_SOAK === '1';
  return { numRuns: soak ? 50 * usual : usual, verbose: 1 };
}
