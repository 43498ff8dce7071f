import { Damage } from './failure.js';

/** MessagePack in the one form that docs/format.md ("Canonical MessagePack") allows; any other form is refused. */

/** A map in the order of its pairs. Keys are text in records and integers in entries. */
export class MapValue {
  constructor(readonly pairs: readonly (readonly [Value, Value])[]) {}
}

/** Integers beyond 2^53 - 1 are of type bigint. Bytes are views of what was decoded. */
export type Value = number | bigint | boolean | string | Buffer | readonly Value[] | MapValue;

const MOST_LEVELS = 32;
const UTF8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/** Decodes exactly one value. Throws Damage for everything else. */
export function decode(bytes: Buffer): Value {
  const decoder = new Decoder(bytes);
  const value = decoder.value(0);
  if (!decoder.isAtEnd()) throw new Damage('bytes behind a value');
  return value;
}

class Decoder {
  private at = 0;

  constructor(private readonly bytes: Buffer) {}

  isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  value(level: number): Value {
    if (level > MOST_LEVELS) throw new Damage('values nested too deeply');
    const head = this.unsigned(1);
    if (head <= 0x7f) return head;
    if (head <= 0x8f) return this.map(head & 0x0f, level);
    if (head <= 0x9f) return this.array(head & 0x0f, level);
    if (head <= 0xbf) return this.text(head & 0x1f);
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xc4:
        return this.take(this.unsigned(1));
      case 0xc5:
        return this.take(this.atLeast(0x100, this.unsigned(2)));
      case 0xc6:
        return this.take(this.atLeast(0x10000, this.unsigned(4)));
      case 0xcc:
        return this.atLeast(0x80, this.unsigned(1));
      case 0xcd:
        return this.atLeast(0x100, this.unsigned(2));
      case 0xce:
        return this.atLeast(0x10000, this.unsigned(4));
      case 0xcf:
        return this.large(this.take(8).readBigUInt64BE(), 2n ** 32n);
      case 0xd0:
        return this.atMost(-0x21, this.take(1).readInt8());
      case 0xd1:
        return this.atMost(-0x81, this.take(2).readInt16BE());
      case 0xd2:
        return this.atMost(-0x8001, this.take(4).readInt32BE());
      case 0xd3:
        return this.negative(this.take(8).readBigInt64BE());
      case 0xd9:
        return this.text(this.atLeast(32, this.unsigned(1)));
      case 0xda:
        return this.text(this.atLeast(0x100, this.unsigned(2)));
      case 0xdb:
        return this.text(this.atLeast(0x10000, this.unsigned(4)));
      case 0xdc:
        return this.array(this.atLeast(16, this.unsigned(2)), level);
      case 0xdd:
        return this.array(this.atLeast(0x10000, this.unsigned(4)), level);
      case 0xde:
        return this.map(this.atLeast(16, this.unsigned(2)), level);
      case 0xdf:
        return this.map(this.atLeast(0x10000, this.unsigned(4)), level);
      default:
        throw new Damage('a value of a type that is not used');
    }
  }

  private take(length: number): Buffer {
    if (length > this.bytes.length - this.at) throw new Damage('a value is cut short');
    this.at += length;
    return this.bytes.subarray(this.at - length, this.at);
  }

  private unsigned(length: 1 | 2 | 4): number {
    return this.take(length).readUIntBE(0, length);
  }

  private atLeast(least: number, value: number): number {
    if (value < least) throw new Damage('a number that is not in its shortest form');
    return value;
  }

  private atMost(most: number, value: number): number {
    if (value > most) throw new Damage('a number that is not in its shortest form');
    return value;
  }

  private large(value: bigint, least: bigint): number | bigint {
    if (value < least) throw new Damage('a number that is not in its shortest form');
    return value <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(value) : value;
  }

  private negative(value: bigint): number | bigint {
    if (value >= -(2n ** 31n)) throw new Damage('a number that is not in its shortest form');
    return value >= BigInt(Number.MIN_SAFE_INTEGER) ? Number(value) : value;
  }

  private text(length: number): string {
    try {
      return UTF8.decode(this.take(length));
    } catch (error) {
      if (error instanceof Damage) throw error;
      throw new Damage('text that is not UTF-8');
    }
  }

  /** Each item takes a byte at least, so that no count can ask for more memory than the bytes that are there. */
  private array(count: number, level: number): Value[] {
    if (count > this.bytes.length - this.at) throw new Damage('a list is cut short');
    const items: Value[] = [];
    for (let i = 0; i < count; i++) items.push(this.value(level + 1));
    return items;
  }

  private map(count: number, level: number): MapValue {
    if (2 * count > this.bytes.length - this.at) throw new Damage('a map is cut short');
    const pairs: [Value, Value][] = [];
    for (let i = 0; i < count; i++) pairs.push([this.value(level + 1), this.value(level + 1)]);
    return new MapValue(pairs);
  }
}
