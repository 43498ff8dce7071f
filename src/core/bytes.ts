import { FormatError } from './errors.js';

/**
 * A cursor over untrusted bytes. Every read checks that the bytes are there before it touches or allocates anything,
 * and rejects with FormatError naming `subject`.
 */
export class ByteReader {
  private readonly view: DataView;
  private position = 0;

  constructor(
    readonly bytes: Uint8Array,
    readonly subject: string,
  ) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get offset(): number {
    return this.position;
  }

  get remaining(): number {
    return this.bytes.byteLength - this.position;
  }

  fail(reason: string): never {
    throw new FormatError(`${this.subject}: ${reason} at byte ${this.position}`);
  }

  private advance(count: number): number {
    if (count > this.remaining) this.fail(`${count} bytes expected, ${this.remaining} left`);
    const start = this.position;
    this.position += count;
    return start;
  }

  u8(): number {
    return this.bytes[this.advance(1)]!;
  }

  u16(): number {
    return this.view.getUint16(this.advance(2), true);
  }

  u32(): number {
    return this.view.getUint32(this.advance(4), true);
  }

  /** A view of the next `count` bytes; shares memory with the input. */
  take(count: number): Uint8Array {
    const start = this.advance(count);
    return this.bytes.subarray(start, start + count);
  }

  end(): void {
    if (this.remaining !== 0) this.fail(`${this.remaining} bytes too many`);
  }
}

/** A view of the same memory as a Buffer, without copying. */
export function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Lower-case hexadecimal. */
export function toHex(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('hex');
}

/** Equality of two byte strings, memcmp semantics. */
export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.byteLength === b.byteLength && Buffer.compare(a, b) === 0;
}

/** Byte strings as latin1 text, one character per byte: the form in which cbr keeps raw names and map keys. */
export function toLatin1(bytes: Uint8Array): string {
  return asBuffer(bytes).toString('latin1');
}

export function fromLatin1(text: string): Buffer {
  return Buffer.from(text, 'latin1');
}

/**
 * Copies `source` to `target` from `at` on; they must not overlap, and `target` must have the room. For memory that threads
 * share, `set` and `copy` go word by word, or byte by byte where the two are not aligned alike (2 GB/s); `fill` is a plain
 * memcpy.
 */
export function copyBytes(source: Uint8Array, target: Buffer, at: number): void {
  const end = at + source.byteLength;
  if (end > target.byteLength) throw new RangeError(`${end} bytes in a buffer of ${target.byteLength}`);
  if (source.byteLength > 0) target.fill(source, at, end);
}
