import crypto from 'node:crypto';
import { syncBuiltinESMExports } from 'node:module';

/** A small fast generator (sfc32, public domain): the same numbers for the same seed on every machine. */
export class Random {
  private a: number;
  private b: number;
  private c: number;
  private counter = 1;

  constructor(seed: number, stream = 0) {
    this.a = seed | 0;
    this.b = Math.floor(seed / 2 ** 32) | 0;
    this.c = stream | 0;
    for (let i = 0; i < 12; i++) this.next();
  }

  /** 32 random bits. */
  next(): number {
    const result = (this.a + this.b + this.counter) | 0;
    this.counter = (this.counter + 1) | 0;
    this.a = this.b ^ (this.b >>> 9);
    this.b = (this.c + (this.c << 3)) | 0;
    this.c = ((this.c << 21) | (this.c >>> 11)) + result;
    this.c |= 0;
    return result >>> 0;
  }

  /** At least 0 and below `limit`. */
  below(limit: number): number {
    return Math.floor((this.next() / 2 ** 32) * limit);
  }

  /** At least `least`, at most `most`. */
  between(least: number, most: number): number {
    return least + this.below(most - least + 1);
  }

  chance(probability: number): boolean {
    return this.next() < probability * 2 ** 32;
  }

  pick<T>(from: readonly T[]): T {
    if (from.length === 0) throw new RangeError('nothing to pick from');
    return from[this.below(from.length)]!;
  }

  bytes(count: number): Buffer {
    const bytes = Buffer.allocUnsafe(count);
    for (let at = 0; at < count; at += 4) {
      const word = this.next();
      for (let i = 0; i < 4 && at + i < count; i++) bytes[at + i] = word >>> (8 * i);
    }
    return bytes;
  }
}

/** Where random names and salts come from while a schedule runs. */
export interface SeededBytes {
  /** From now on random bytes of this process come from `source`. */
  use(source: Random): void;
  restore(): void;
}

/** Replaces `randomBytes` of node:crypto in this process: random names are part of a schedule, and must be the same again. */
export function seedRandomBytes(): SeededBytes {
  const original = crypto.randomBytes;
  let source: Random | undefined;
  const seeded = (size: number): Buffer => source?.bytes(size) ?? original(size);
  crypto.randomBytes = seeded as typeof original;
  syncBuiltinESMExports();
  return {
    use: (from) => {
      source = from;
    },
    restore: () => {
      crypto.randomBytes = original;
      syncBuiltinESMExports();
    },
  };
}
