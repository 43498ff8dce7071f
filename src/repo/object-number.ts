import { CbrError } from '../core/index.js';

/** Numbers in the names of objects (docs/format.md): decimal, without leading zeros, safe integers only. */

const NUMBER = /^[1-9][0-9]{0,14}$/;
const HIGHEST = 999_999_999_999_999;

/** From 1 on; undefined for what cbr does not give. */
export function parseNumber(text: string): number | undefined {
  return NUMBER.test(text) ? Number(text) : undefined;
}

/** The one to be given next. Rejects (limit) when there is none: only a hand can have come so far. */
export function nextNumber(highest: number, kind: string, limit = HIGHEST): number {
  if (highest < limit) return highest + 1;
  throw new CbrError(
    'limit',
    `${kind}/${highest} has the highest number there is: nothing can be stored after it`,
    {
      hint: 'cbr did not write this object. Remove it, and try again.',
    },
  );
}
