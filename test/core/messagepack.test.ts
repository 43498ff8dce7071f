import * as fc from 'fast-check';
import { Unpackr } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import { FormatError, MessagePackReader, MessagePackWriter } from '../../dist/core/index.js';
import { runs } from './runs.js';
import { integers, readLike, type Value, values, writeValue } from './values.js';

/** A plain MessagePack library as the oracle; integers that no number holds come as bigint. */
const oracle = new Unpackr({ useRecords: false, mapsAsObjects: false, int64AsType: 'bigint' });

function written(write: (writer: MessagePackWriter) => void, initialBytes?: number): Buffer {
  const writer = new MessagePackWriter(initialBytes);
  write(writer);
  return writer.finish();
}

function encodeValue(value: Value, initialBytes?: number): Buffer {
  return written((writer) => writeValue(writer, value), initialBytes);
}

/** What the oracle must give for a value. */
function plainOf(value: Value): unknown {
  if (value.kind === 'int') return value.value;
  if (value.kind === 'array') return value.items.map(plainOf);
  if (value.kind === 'map') return value.pairs.map(([key, item]) => [plainOf(key), plainOf(item)]);
  return value.kind === 'bin' ? Buffer.from(value.value).toString('hex') : value.value;
}

/** The oracle's answer in the same terms: maps as pairs, every integer a bigint, bytes as hexadecimal. */
function plainFromOracle(value: unknown): unknown {
  if (typeof value === 'number') return Number.isInteger(value) ? BigInt(value) : value;
  if (Array.isArray(value)) return value.map(plainFromOracle);
  if (value instanceof Uint8Array) return Buffer.from(value).toString('hex');
  return value;
}

/** Keys occur once in a JavaScript Map, so values with maps are compared by the oracle without their maps. */
function hasMap(value: Value): boolean {
  return value.kind === 'map' || (value.kind === 'array' && value.items.some(hasMap));
}

describe('a plain MessagePack library reads what is written', () => {
  test('every value', () => {
    fc.assert(
      fc.property(
        values.filter((value) => !hasMap(value)),
        (value) => {
          expect(plainFromOracle(oracle.unpack(encodeValue(value)))).toEqual(plainOf(value));
        },
      ),
      runs(400),
    );
  });

  test('maps, with their keys in the order written', () => {
    const keys = fc.uniqueArray(fc.string({ maxLength: 20 }), { maxLength: 40 });
    fc.assert(
      fc.property(keys, integers, (names, first) => {
        const pairs = names.map((name, i) => [name, first >= 0n ? first : first + BigInt(i)] as const);
        const bytes = written((writer) => {
          writer.map(pairs.length);
          for (const [name, value] of pairs) writer.str(name).int(value);
        });
        const map = oracle.unpack(bytes) as Map<string, unknown>;
        const found = [...map].map(([name, value]) => [name, plainFromOracle(value)]);
        expect(found).toEqual(pairs.map((pair) => [...pair]));
      }),
      runs(200),
    );
  });
});

describe('reading back', () => {
  test('gives the value, from a canonical form that is written again the same', () => {
    fc.assert(
      fc.property(values, (value) => {
        const bytes = encodeValue(value);
        const reader = new MessagePackReader(bytes, 'sample');
        const found = readLike(reader, value);
        reader.end();
        expect(encodeValue(found).equals(bytes)).toBe(true);
        expect(new MessagePackReader(bytes, 'sample').skip().equals(bytes)).toBe(true);
      }),
      runs(400),
    );
  });

  test('whatever skip accepts is accepted whole and lies inside the input', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        const reader = new MessagePackReader(bytes, 'noise');
        try {
          const value = reader.skip();
          expect(Buffer.from(bytes).subarray(0, value.length)).toEqual(value);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
      }),
      runs(3000),
    );
  });

  test('integers: each range is checked, and numbers beyond 2^53 are refused where a number is asked for', () => {
    const bytes = written((writer) => writer.int(2n ** 53n));
    expect(() => new MessagePackReader(bytes, 'n').int(0, Number.MAX_SAFE_INTEGER)).toThrow(FormatError);
    expect(new MessagePackReader(bytes, 'n').bigint()).toBe(2n ** 53n);
    expect(() => new MessagePackReader(Buffer.of(5), 'n').int(6, 9)).toThrow(/out of range/);
    expect(() => written((writer) => writer.int(0.5))).toThrow(RangeError);
    expect(() => written((writer) => writer.int(2 ** 53))).toThrow(RangeError);
  });
});

const text = (length: number): string => 'a'.repeat(length);

describe('canonical bytes', () => {
  const integerTable: readonly (readonly [number | bigint, string])[] = [
    [0, '00'],
    [127, '7f'],
    [128, 'cc80'],
    [255, 'ccff'],
    [256, 'cd0100'],
    [65_535, 'cdffff'],
    [65_536, 'ce00010000'],
    [0xffffffff, 'ceffffffff'],
    [2 ** 32, 'cf0000000100000000'],
    [Number.MAX_SAFE_INTEGER, 'cf001fffffffffffff'],
    [2n ** 64n - 1n, 'cfffffffffffffffff'],
    [-1, 'ff'],
    [-32, 'e0'],
    [-33, 'd0df'],
    [-128, 'd080'],
    [-129, 'd1ff7f'],
    [-32_768, 'd18000'],
    [-32_769, 'd2ffff7fff'],
    [-(2 ** 31), 'd280000000'],
    [-(2 ** 31) - 1, 'd3ffffffff7fffffff'],
    [-(2n ** 63n), 'd38000000000000000'],
  ];
  test.each(integerTable)('the integer %s', (value, hex) => {
    expect(written((writer) => writer.int(value)).toString('hex')).toBe(hex);
    expect(written((writer) => writer.int(BigInt(value))).toString('hex')).toBe(hex);
  });

  const headerTable: readonly (readonly [string, (writer: MessagePackWriter) => void, string])[] = [
    ['false', (writer) => writer.bool(false), 'c2'],
    ['true', (writer) => writer.bool(true), 'c3'],
    ['no text', (writer) => writer.str(''), 'a0'],
    ['31 bytes of text', (writer) => writer.str(text(31)), 'bf'],
    ['32 bytes of text', (writer) => writer.str(text(32)), 'd920'],
    ['16 letters of two bytes', (writer) => writer.str('ä'.repeat(16)), 'd920'],
    ['255 bytes of text', (writer) => writer.str(text(255)), 'd9ff'],
    ['256 bytes of text', (writer) => writer.str(text(256)), 'da0100'],
    ['65,536 bytes of text', (writer) => writer.str(text(65_536)), 'db00010000'],
    ['no bytes', (writer) => writer.bin(new Uint8Array(0)), 'c400'],
    ['255 bytes', (writer) => writer.bin(new Uint8Array(255)), 'c4ff'],
    ['256 bytes', (writer) => writer.bin(new Uint8Array(256)), 'c50100'],
    ['65,536 bytes', (writer) => writer.bin(new Uint8Array(65_536)), 'c600010000'],
    ['bytes as text of one character each', (writer) => writer.latin1('\xff\x00'), 'c402ff00'],
    ['an array of none', (writer) => writer.array(0), '90'],
    ['an array of 15', (writer) => writer.array(15), '9f'],
    ['an array of 16', (writer) => writer.array(16), 'dc0010'],
    ['an array of 65,536', (writer) => writer.array(65_536), 'dd00010000'],
    ['a map of 15', (writer) => writer.map(15), '8f'],
    ['a map of 16', (writer) => writer.map(16), 'de0010'],
    ['a map of 65,536', (writer) => writer.map(65_536), 'df00010000'],
  ];
  test.each(headerTable)('%s', (_, write, hex) => {
    const bytes = written(write).toString('hex');
    expect(bytes.slice(0, hex.length)).toBe(hex);
  });
});

describe('other forms of a value are refused', () => {
  const read = {
    int: (reader: MessagePackReader) => reader.bigint(),
    str: (reader: MessagePackReader) => reader.str(),
    bin: (reader: MessagePackReader) => reader.bin(100_000),
    latin1: (reader: MessagePackReader) => reader.latin1(100_000),
    array: (reader: MessagePackReader) => reader.array(),
    map: (reader: MessagePackReader) => reader.map(),
    bool: (reader: MessagePackReader) => reader.bool(),
  };
  const filler = '00'.repeat(70_000);
  const table: readonly (readonly [string, keyof typeof read, string])[] = [
    ['127 in two bytes', 'int', 'cc7f'],
    ['255 in three bytes', 'int', 'cd00ff'],
    ['65,535 in five bytes', 'int', 'ce0000ffff'],
    ['2^32-1 in nine bytes', 'int', 'cf00000000ffffffff'],
    ['-32 in two bytes', 'int', 'd0e0'],
    ['5 as a signed byte', 'int', 'd005'],
    ['-128 in three bytes', 'int', 'd1ff80'],
    ['-32,768 in five bytes', 'int', 'd2ffff8000'],
    ['-2^31 in nine bytes', 'int', 'd3ffffffff80000000'],
    ['a positive int64', 'int', 'd30000000100000000'],
    ['1 as a float32', 'int', 'ca3f800000'],
    ['2^32 as a float64', 'int', 'cb41f0000000000000'],
    ['nil', 'int', 'c0'],
    ['nil as a boolean', 'bool', 'c0'],
    ['31 bytes of text with a long header', 'str', `d91f${filler}`],
    ['255 bytes of text with a longer header', 'str', `da00ff${filler}`],
    ['65,535 bytes of text with the longest header', 'str', `db0000ffff${filler}`],
    ['text that is not UTF-8', 'str', 'a2c328'],
    ['text with an overlong character', 'str', 'a2c080'],
    ['text with half a surrogate pair', 'str', 'a3eda080'],
    ['text cut within a character', 'str', 'a2e282'],
    ['bytes where text belongs', 'str', 'c400'],
    ['text where bytes belong', 'bin', 'a0'],
    ['255 bytes with a longer header', 'bin', `c500ff${filler}`],
    ['65,535 bytes with the longest header', 'latin1', `c60000ffff${filler}`],
    ['15 items with a longer header', 'array', `dc000f${filler}`],
    ['65,535 items with the longest header', 'array', `dd0000ffff${filler}`],
    ['15 pairs with a longer header', 'map', `de000f${filler}`],
    ['65,535 pairs with the longest header', 'map', `df0000ffff${filler}${filler}`],
    ['an extension', 'bin', 'd40100'],
    ['a tag that does not exist', 'int', 'c1'],
  ];
  test.each(table)('%s', (_, kind, hex) => {
    const bytes = Buffer.from(hex, 'hex');
    expect(() => read[kind](new MessagePackReader(bytes, 'sample'))).toThrow(FormatError);
    // A value that a caller skips unread is held to the same rule.
    if (hex.slice(0, 2) !== 'a0' && hex !== 'c400') {
      expect(() => new MessagePackReader(bytes, 'sample').skip()).toThrow(FormatError);
    }
  });

  test('counts and lengths beyond the input are refused before anything is allocated', () => {
    for (const hex of ['ddffffffff00', 'dfffffffff00', 'dbffffffff00', 'c6ffffffff00', '9f00', '8100']) {
      expect(() => new MessagePackReader(Buffer.from(hex, 'hex'), 'sample').skip()).toThrow(FormatError);
    }
  });

  test('nesting has an end', () => {
    const nested = Buffer.alloc(100_000, 0x91);
    expect(() => new MessagePackReader(nested, 'sample').skip()).toThrow(/nested too deeply/);
  });

  test('what follows the value', () => {
    const reader = new MessagePackReader(Buffer.of(1, 2), 'sample');
    reader.bigint();
    expect(() => reader.end()).toThrow(/1 bytes too many/);
  });
});

describe('the writer grows', () => {
  /** One of each kind of write, the wide ones among them. */
  const pieces: readonly ((writer: MessagePackWriter) => void)[] = [
    (writer) => writer.int(7),
    (writer) => writer.int(200),
    (writer) => writer.int(40_000),
    (writer) => writer.int(70_000),
    (writer) => writer.int(2 ** 40),
    (writer) => writer.int(2n ** 63n),
    (writer) => writer.int(-1),
    (writer) => writer.int(-100),
    (writer) => writer.int(-1000),
    (writer) => writer.int(-100_000),
    (writer) => writer.int(-(2 ** 40)),
    (writer) => writer.int(-(2n ** 63n)),
    (writer) => writer.bool(true),
    (writer) => writer.str('abc'),
    (writer) => writer.str(text(40)),
    (writer) => writer.str(text(300)),
    (writer) => writer.bin(Buffer.from('abc')),
    (writer) => writer.bin(Buffer.alloc(300, 0x5a)),
    (writer) => writer.latin1('\xff\xfe'),
    (writer) => writer.array(3),
    (writer) => writer.array(300),
    (writer) => writer.map(3),
    (writer) => writer.map(300),
    (writer) => writer.raw(Buffer.from('0102030405', 'hex')),
  ];

  test('with every kind of write at every distance from the end of its buffer', () => {
    for (const [i, piece] of pieces.entries()) {
      const alone = written(piece, 1 << 16);
      for (let initialBytes = 1; initialBytes <= 24; initialBytes++) {
        for (let before = 0; before <= initialBytes; before++) {
          const lead = Buffer.alloc(before, 0x11);
          const bytes = written((writer) => {
            writer.raw(lead);
            piece(writer);
            writer.int(0x22);
          }, initialBytes);
          const expected = Buffer.concat([lead, alone, Buffer.of(0x22)]);
          if (!bytes.equals(expected)) expect({ i, initialBytes, before, bytes }).toEqual({ expected });
        }
      }
    }
  });

  test('whatever its first size, and is as good as new after a reset', () => {
    fc.assert(
      fc.property(values, fc.integer({ min: 1, max: 64 }), (value, initialBytes) => {
        const expected = encodeValue(value, 1 << 20);
        const writer = new MessagePackWriter(initialBytes);
        writeValue(writer, value);
        expect(writer.size).toBe(expected.length);
        const first = writer.finish();
        writer.reset();
        writeValue(writer, value);
        expect(writer.finish().equals(expected)).toBe(true);
        expect(first.equals(expected)).toBe(true);
      }),
      runs(200),
    );
  });
});
