import { BackendError, DamagedError } from '../core/index.js';
import type { ByteRange } from './backend.js';

/** A range that is known to lie within an object. */
export interface ResolvedRange {
  readonly offset: number;
  readonly length: number;
}

function requireCount(value: number, object: string): void {
  if (!Number.isSafeInteger(value) || value < 0) {
    throw new BackendError(`cannot read ${object}: ${value} is neither an offset nor a length`, false);
  }
}

/**
 * The bytes that `range` means in an object of `size` bytes; all of them without a range. An object that ends before the
 * range does is shorter than whoever wrote its index knew it: DamagedError.
 */
export function resolveRange(object: string, size: number, range: ByteRange | undefined): ResolvedRange {
  if (range === undefined) return { offset: 0, length: size };
  if ('suffix' in range) {
    requireCount(range.suffix, object);
    const length = Math.min(range.suffix, size);
    return { offset: size - length, length };
  }
  requireCount(range.offset, object);
  requireCount(range.length, object);
  if (range.offset + range.length > size) {
    throw new DamagedError(
      object,
      `bytes ${range.offset} to ${range.offset + range.length} expected, but it has ${size}`,
    );
  }
  return range;
}
