import { FormatError } from './errors.js';

/**
 * The canonical MessagePack of docs/format.md: every value has exactly one encoding, and the reader accepts no other.
 * Integers take their shortest form (uint64/int64 only beyond 32 bits), lengths their shortest header; there are no
 * floats, no nil, no extensions; what is absent is left out.
 *
 * A plain MessagePack library reads all of it. It is written here rather than with one because trees are encoded and
 * decoded with it on the hot path, and because a general decoder accepts many forms of one value (docs/adr/0002).
 */

/** Appends canonical values to a growing buffer. */
export class MessagePackWriter {
  private buffer: Buffer;
  private length = 0;

  constructor(initialBytes = 4096) {
    this.buffer = Buffer.allocUnsafe(initialBytes);
  }

  private room(count: number): number {
    const start = this.length;
    const end = start + count;
    if (end > this.buffer.length) {
      const larger = Buffer.allocUnsafe(Math.max(end, this.buffer.length * 2));
      this.buffer.copy(larger, 0, 0, start);
      this.buffer = larger;
    }
    this.length = end;
    return start;
  }

  private byte(value: number): void {
    // Two statements: making room may replace the buffer.
    const at = this.room(1);
    this.buffer[at] = value;
  }

  private tagged8(tag: number, value: number): void {
    const at = this.room(2);
    this.buffer[at] = tag;
    this.buffer[at + 1] = value;
  }

  private tagged16(tag: number, value: number): void {
    const at = this.room(3);
    this.buffer[at] = tag;
    this.buffer[at + 1] = value >>> 8;
    this.buffer[at + 2] = value & 0xff;
  }

  private tagged32(tag: number, value: number): void {
    const at = this.room(5);
    this.buffer[at] = tag;
    this.buffer.writeUInt32BE(value >>> 0, at + 1);
  }

  /** An integer from -2^63 to 2^64-1; a number must be a safe integer. */
  int(value: number | bigint): this {
    if (typeof value === 'bigint') {
      if (value >= BigInt(Number.MIN_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)) {
        return this.int(Number(value));
      }
      const at = this.room(9);
      this.buffer[at] = value < 0n ? 0xd3 : 0xcf;
      if (value < 0n) this.buffer.writeBigInt64BE(value, at + 1);
      else this.buffer.writeBigUInt64BE(value, at + 1);
      return this;
    }
    if (!Number.isSafeInteger(value)) throw new RangeError(`not a safe integer: ${value}`);
    if (value >= 0) {
      if (value < 0x80) this.byte(value);
      else if (value <= 0xff) this.tagged8(0xcc, value);
      else if (value <= 0xffff) this.tagged16(0xcd, value);
      else if (value <= 0xffffffff) this.tagged32(0xce, value);
      else {
        const at = this.room(9);
        this.buffer[at] = 0xcf;
        this.buffer.writeBigUInt64BE(BigInt(value), at + 1);
      }
      return this;
    }
    if (value >= -0x20) this.byte(value & 0xff);
    else if (value >= -0x80) this.tagged8(0xd0, value & 0xff);
    else if (value >= -0x8000) this.tagged16(0xd1, value & 0xffff);
    else if (value >= -0x80000000) this.tagged32(0xd2, value);
    else {
      const at = this.room(9);
      this.buffer[at] = 0xd3;
      this.buffer.writeBigInt64BE(BigInt(value), at + 1);
    }
    return this;
  }

  bool(value: boolean): this {
    this.byte(value ? 0xc3 : 0xc2);
    return this;
  }

  /** Text, stored as UTF-8. */
  str(value: string): this {
    const size = Buffer.byteLength(value);
    if (size < 0x20) this.byte(0xa0 | size);
    else if (size <= 0xff) this.tagged8(0xd9, size);
    else if (size <= 0xffff) this.tagged16(0xda, size);
    else this.tagged32(0xdb, size);
    const at = this.room(size);
    this.buffer.write(value, at, size, 'utf8');
    return this;
  }

  private binHeader(size: number): void {
    if (size <= 0xff) this.tagged8(0xc4, size);
    else if (size <= 0xffff) this.tagged16(0xc5, size);
    else this.tagged32(0xc6, size);
  }

  bin(value: Uint8Array): this {
    this.binHeader(value.byteLength);
    const at = this.room(value.byteLength);
    this.buffer.set(value, at);
    return this;
  }

  /** Bytes given as latin1 text, one character per byte. */
  latin1(value: string): this {
    this.binHeader(value.length);
    const at = this.room(value.length);
    this.buffer.write(value, at, value.length, 'latin1');
    return this;
  }

  array(count: number): this {
    if (count < 0x10) this.byte(0x90 | count);
    else if (count <= 0xffff) this.tagged16(0xdc, count);
    else this.tagged32(0xdd, count);
    return this;
  }

  map(count: number): this {
    if (count < 0x10) this.byte(0x80 | count);
    else if (count <= 0xffff) this.tagged16(0xde, count);
    else this.tagged32(0xdf, count);
    return this;
  }

  /** Appends bytes that are already canonical MessagePack. */
  raw(encoded: Uint8Array): this {
    const at = this.room(encoded.byteLength);
    this.buffer.set(encoded, at);
    return this;
  }

  get size(): number {
    return this.length;
  }

  /** A copy of everything written so far; the writer may be reset and used again. */
  finish(): Buffer {
    return Buffer.from(this.buffer.subarray(0, this.length));
  }

  reset(): void {
    this.length = 0;
  }
}

const MAX_DEPTH = 32;

/** Reads canonical values from untrusted bytes; any other form rejects with FormatError. */
export class MessagePackReader {
  private readonly buffer: Buffer;
  private position = 0;

  constructor(
    bytes: Uint8Array,
    readonly subject: string,
  ) {
    this.buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  fail(reason: string): never {
    throw new FormatError(`${this.subject}: ${reason} at byte ${this.position}`);
  }

  get atEnd(): boolean {
    return this.position === this.buffer.length;
  }

  end(): void {
    if (!this.atEnd) this.fail(`${this.buffer.length - this.position} bytes too many`);
  }

  private advance(count: number): number {
    const start = this.position;
    if (count > this.buffer.length - start)
      this.fail(`${count} bytes expected, ${this.buffer.length - start} left`);
    this.position = start + count;
    return start;
  }

  private unsigned(width: 1 | 2 | 4, least: number): number {
    const at = this.advance(width);
    const value =
      width === 1
        ? this.buffer[at]!
        : width === 2
          ? this.buffer.readUInt16BE(at)
          : this.buffer.readUInt32BE(at);
    if (value < least) this.fail('not the shortest form');
    return value;
  }

  /** Whether the next value is an array. */
  isArray(): boolean {
    const tag = this.buffer[this.position];
    return tag !== undefined && ((tag >= 0x90 && tag <= 0x9f) || tag === 0xdc || tag === 0xdd);
  }

  /** An integer of any size as a bigint or, where it is safe, a number. */
  private integer(): number | bigint {
    const tag = this.buffer[this.advance(1)]!;
    if (tag < 0x80) return tag;
    if (tag >= 0xe0) return tag - 0x100;
    switch (tag) {
      case 0xcc:
        return this.unsigned(1, 0x80);
      case 0xcd:
        return this.unsigned(2, 0x100);
      case 0xce:
        return this.unsigned(4, 0x10000);
      case 0xcf: {
        const value = this.buffer.readBigUInt64BE(this.advance(8));
        if (value <= 0xffffffffn) this.fail('not the shortest form');
        return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
      }
      case 0xd0: {
        const value = this.buffer.readInt8(this.advance(1));
        if (value >= -0x20) this.fail('not the shortest form');
        return value;
      }
      case 0xd1: {
        const value = this.buffer.readInt16BE(this.advance(2));
        if (value >= -0x80) this.fail('not the shortest form');
        return value;
      }
      case 0xd2: {
        const value = this.buffer.readInt32BE(this.advance(4));
        if (value >= -0x8000) this.fail('not the shortest form');
        return value;
      }
      case 0xd3: {
        const value = this.buffer.readBigInt64BE(this.advance(8));
        if (value >= -0x80000000n) this.fail('not the shortest form');
        return value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
      }
      default:
        return this.fail(`an integer expected, found tag 0x${tag.toString(16)}`);
    }
  }

  /** An integer that must lie in [least, most]; both must be safe integers. */
  int(least: number, most: number): number {
    const value = this.integer();
    if (typeof value === 'bigint' || value < least || value > most)
      this.fail(`integer ${value} out of range`);
    return value;
  }

  bigint(): bigint {
    return BigInt(this.integer());
  }

  bool(): boolean {
    const tag = this.buffer[this.advance(1)]!;
    if (tag !== 0xc2 && tag !== 0xc3) this.fail('a boolean expected');
    return tag === 0xc3;
  }

  str(mostBytes = 65_535): string {
    const tag = this.buffer[this.advance(1)]!;
    let size: number;
    if (tag >= 0xa0 && tag <= 0xbf) size = tag & 0x1f;
    else if (tag === 0xd9) size = this.unsigned(1, 0x20);
    else if (tag === 0xda) size = this.unsigned(2, 0x100);
    else if (tag === 0xdb) size = this.unsigned(4, 0x10000);
    else this.fail('a string expected');
    if (size > mostBytes) this.fail(`string of ${size} bytes, at most ${mostBytes} allowed`);
    const at = this.advance(size);
    const text = this.buffer.toString('utf8', at, at + size);
    // Invalid UTF-8 decodes to replacement characters and would not encode to the same bytes again.
    if (text.includes('\ufffd') && !Buffer.from(text, 'utf8').equals(this.buffer.subarray(at, at + size))) {
      this.fail('invalid UTF-8');
    }
    return text;
  }

  private binSize(): number {
    const tag = this.buffer[this.advance(1)]!;
    if (tag === 0xc4) return this.unsigned(1, 0);
    if (tag === 0xc5) return this.unsigned(2, 0x100);
    if (tag === 0xc6) return this.unsigned(4, 0x10000);
    return this.fail('bytes expected');
  }

  /** A view of the stored bytes; shares memory with the input. */
  bin(most: number): Buffer {
    const size = this.binSize();
    if (size > most) this.fail(`${size} bytes, at most ${most} allowed`);
    const at = this.advance(size);
    return this.buffer.subarray(at, at + size);
  }

  binOf(size: number): Buffer {
    const found = this.bin(size);
    if (found.length !== size) this.fail(`${size} bytes expected, found ${found.length}`);
    return found;
  }

  /** Bytes as latin1 text, one character per byte. */
  latin1(most: number): string {
    const size = this.binSize();
    if (size > most) this.fail(`${size} bytes, at most ${most} allowed`);
    const at = this.advance(size);
    return this.buffer.toString('latin1', at, at + size);
  }

  /** The number of items of an array. Each item takes at least a byte, which bounds what a caller may allocate. */
  array(): number {
    const tag = this.buffer[this.advance(1)]!;
    let count: number;
    if (tag >= 0x90 && tag <= 0x9f) count = tag & 0x0f;
    else if (tag === 0xdc) count = this.unsigned(2, 0x10);
    else if (tag === 0xdd) count = this.unsigned(4, 0x10000);
    else this.fail('an array expected');
    if (count > this.buffer.length - this.position) this.fail(`array of ${count} items does not fit`);
    return count;
  }

  map(): number {
    const tag = this.buffer[this.advance(1)]!;
    let count: number;
    if (tag >= 0x80 && tag <= 0x8f) count = tag & 0x0f;
    else if (tag === 0xde) count = this.unsigned(2, 0x10);
    else if (tag === 0xdf) count = this.unsigned(4, 0x10000);
    else this.fail('a map expected');
    if (2 * count > this.buffer.length - this.position) this.fail(`map of ${count} pairs does not fit`);
    return count;
  }

  /** Skips one value of any allowed type and returns its bytes. */
  skip(): Buffer {
    const start = this.position;
    this.pass();
    return this.buffer.subarray(start, this.position);
  }

  /** Whether the next value is a short string of so many bytes that need no decoding to be known as valid. */
  private isAscii(size: number): boolean {
    const end = this.position + 1 + size;
    if (end > this.buffer.length) return false;
    for (let at = this.position + 1; at < end; at++) if (this.buffer[at]! >= 0x80) return false;
    return true;
  }

  /** Passes over one value of any allowed type. */
  pass(depth = 0): void {
    if (depth > MAX_DEPTH) this.fail('nested too deeply');
    const tag = this.buffer[this.position];
    if (tag === undefined) this.fail('a value expected');
    if (tag >= 0xe0 || tag < 0x80 || (tag >= 0xcc && tag <= 0xd3)) this.integer();
    else if (tag <= 0x8f || tag === 0xde || tag === 0xdf) {
      const count = this.map();
      for (let i = 0; i < 2 * count; i++) this.pass(depth + 1);
    } else if (tag <= 0x9f || tag === 0xdc || tag === 0xdd) {
      const count = this.array();
      for (let i = 0; i < count; i++) this.pass(depth + 1);
    } else if (tag <= 0xbf && this.isAscii(tag & 0x1f)) this.advance(1 + (tag & 0x1f));
    else if (tag <= 0xbf || (tag >= 0xd9 && tag <= 0xdb)) this.str(0xffffffff);
    else if (tag >= 0xc4 && tag <= 0xc6) this.advance(this.binSize());
    else this.bool();
  }
}
