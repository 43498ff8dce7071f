import * as fc from 'fast-check';
import type { MessagePackReader, MessagePackWriter } from '../../dist/core/index.js';

/** Any value the canonical form can hold, told apart by kind: text and bytes are different things. */
export type Value =
  | { readonly kind: 'int'; readonly value: bigint }
  | { readonly kind: 'bool'; readonly value: boolean }
  | { readonly kind: 'str'; readonly value: string }
  | { readonly kind: 'bin'; readonly value: Uint8Array }
  | { readonly kind: 'array'; readonly items: readonly Value[] }
  | { readonly kind: 'map'; readonly pairs: readonly (readonly [Value, Value])[] };

const BOUNDARIES = [0n, 31n, 32n, 127n, 128n, 255n, 256n, 32767n, 32768n, 65535n, 65536n];
const WIDE_BOUNDARIES = [31n, 32n, 53n, 63n].flatMap((bits) => [
  2n ** bits - 1n,
  2n ** bits,
  2n ** bits + 1n,
]);

/** Integers, thickly around the places where the encoding changes its width. */
export const integers: fc.Arbitrary<bigint> = fc.oneof(
  fc.constantFrom(...BOUNDARIES, ...WIDE_BOUNDARIES, 2n ** 64n - 1n),
  fc.constantFrom(...BOUNDARIES, ...WIDE_BOUNDARIES.filter((each) => each <= 2n ** 63n)).map((each) => -each),
  fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }),
  fc.integer().map(BigInt),
);

/** Lengths on both sides of where a header gets wider. */
const lengths = fc.oneof(
  fc.constantFrom(0, 1, 15, 16, 31, 32, 255, 256, 65_535, 65_536),
  fc.nat({ max: 300 }),
);

const texts = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  lengths.map((length) => 'x'.repeat(length)),
  fc.constantFrom('\ufeffbom', '\ufffd', '\u0000', 'ä€😀'),
);

const byteStrings = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  lengths.map((length) => new Uint8Array(length).fill(0xa5)),
);

const leaves: fc.Arbitrary<Value> = fc.oneof(
  integers.map((value) => ({ kind: 'int' as const, value })),
  fc.boolean().map((value) => ({ kind: 'bool' as const, value })),
  texts.map((value) => ({ kind: 'str' as const, value })),
  byteStrings.map((value) => ({ kind: 'bin' as const, value })),
);

const small: fc.Arbitrary<Value> = fc.oneof(
  integers.map((value) => ({ kind: 'int' as const, value })),
  fc.string({ maxLength: 20 }).map((value) => ({ kind: 'str' as const, value })),
  fc.uint8Array({ maxLength: 20 }).map((value) => ({ kind: 'bin' as const, value })),
);

const arrayOf = (item: fc.Arbitrary<Value>) =>
  fc.array(item, { maxLength: 18 }).map((items) => ({ kind: 'array' as const, items }));
const mapOf = (item: fc.Arbitrary<Value>) =>
  fc.array(fc.tuple(small, item), { maxLength: 18 }).map((pairs) => ({ kind: 'map' as const, pairs }));

const nested: fc.Arbitrary<Value> = fc.oneof(small, arrayOf(small), mapOf(small));

export const values: fc.Arbitrary<Value> = fc.oneof(leaves, arrayOf(nested), mapOf(nested));

export function writeValue(writer: MessagePackWriter, value: Value): void {
  switch (value.kind) {
    case 'int':
      writer.int(value.value);
      break;
    case 'bool':
      writer.bool(value.value);
      break;
    case 'str':
      writer.str(value.value);
      break;
    case 'bin':
      writer.bin(value.value);
      break;
    case 'array':
      writer.array(value.items.length);
      for (const item of value.items) writeValue(writer, item);
      break;
    case 'map':
      writer.map(value.pairs.length);
      for (const [key, item] of value.pairs) {
        writeValue(writer, key);
        writeValue(writer, item);
      }
  }
}

/** Reads a value of the same shape as `like`. */
export function readLike(reader: MessagePackReader, like: Value): Value {
  switch (like.kind) {
    case 'int':
      return { kind: 'int', value: reader.bigint() };
    case 'bool':
      return { kind: 'bool', value: reader.bool() };
    case 'str':
      return { kind: 'str', value: reader.str(0xffffffff) };
    case 'bin':
      return { kind: 'bin', value: Uint8Array.from(reader.bin(0xffffffff)) };
    case 'array': {
      if (reader.array() !== like.items.length) reader.fail('another number of items');
      return { kind: 'array', items: like.items.map((item) => readLike(reader, item)) };
    }
    case 'map': {
      if (reader.map() !== like.pairs.length) reader.fail('another number of pairs');
      return {
        kind: 'map',
        pairs: like.pairs.map(([key, item]) => [readLike(reader, key), readLike(reader, item)] as const),
      };
    }
  }
}
