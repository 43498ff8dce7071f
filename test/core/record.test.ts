import * as fc from 'fast-check';
import { unpack } from 'msgpackr';
import { describe, expect, test } from 'vitest';
import {
  ByteReader,
  bytes,
  bytesOf,
  decode,
  encode,
  encoded,
  FormatError,
  flag,
  int,
  list,
  MessagePackWriter,
  optional,
  rawText,
  record,
  seconds,
  size,
  text,
  word,
} from '../../dist/core/index.js';
import { runs } from './runs.js';

const sample = record({
  name: rawText(300),
  note: optional(text(100)),
  count: size,
  when: seconds,
  yes: flag,
  level: word('full', 'incr'),
  id: bytesOf(4),
  blob: optional(bytes(10)),
  tags: list(text(20), 5),
  part: optional(encoded),
});

const samples = fc.record(
  {
    name: fc.uint8Array({ maxLength: 300 }).map((raw) => Buffer.from(raw).toString('latin1')),
    note: fc.string({ unit: 'grapheme', maxLength: 20 }),
    count: fc.maxSafeNat(),
    when: fc.maxSafeInteger(),
    yes: fc.boolean(),
    level: fc.constantFrom('full' as const, 'incr' as const),
    id: fc.uint8Array({ minLength: 4, maxLength: 4 }),
    blob: fc.uint8Array({ maxLength: 10 }),
    tags: fc.array(fc.string({ maxLength: 20 }), { maxLength: 5 }),
    part: fc.nat().map((value) => Uint8Array.from(new MessagePackWriter().int(value).finish())),
  },
  { requiredKeys: ['name', 'count', 'when', 'yes', 'level', 'id', 'tags'] },
);

const whole = {
  name: 'n',
  note: 'm',
  count: 1,
  when: -1,
  yes: true,
  level: 'full' as const,
  id: Uint8Array.of(1, 2, 3, 4),
  tags: ['t'],
};

describe('records', () => {
  test('read back as written, absent fields absent', () => {
    fc.assert(
      fc.property(samples, (value) => {
        expect(decode(sample, encode(sample, value), 'sample')).toEqual(value);
      }),
      runs(300),
    );
  });

  test('are maps with names as keys, in the order of the table', () => {
    const { note, name, ...rest } = whole;
    const plain = unpack(encode(sample, { ...rest, note, name })) as object;
    expect(Object.keys(plain)).toEqual(['name', 'note', 'count', 'when', 'yes', 'level', 'id', 'tags']);
    expect(encode(record({ a: size, b: flag }), { b: true, a: 7 }).toString('hex')).toBe('82a16107a162c3');
  });

  test('with fields missing, unknown, repeated or out of order are refused', () => {
    const two = record({ a: size, b: optional(size), c: size });
    const write = (...names: string[]): Buffer => {
      const writer = new MessagePackWriter();
      writer.map(names.length);
      for (const name of names) writer.str(name).int(1);
      return writer.finish();
    };
    expect(decode(two, write('a', 'c'), 'r')).toEqual({ a: 1, c: 1 });
    const wrong = [
      [],
      ['a'],
      ['a', 'b'],
      ['c', 'a'],
      ['a', 'c', 'b'],
      ['a', 'a', 'c'],
      ['a', 'c', 'd'],
      ['a', 'x', 'c'],
    ];
    for (const names of wrong) expect(() => decode(two, write(...names), 'r')).toThrow(FormatError);
    expect(() => decode(two, Buffer.concat([write('a', 'c'), Buffer.of(1)]), 'r')).toThrow(/too many/);
  });

  test('hold their limits when they are read', () => {
    const asText = (value: string): Buffer => encode(text(1000), value);
    expect(() => decode(text(3), asText('four'), 'r')).toThrow(FormatError);
    expect(() => decode(word('a', 'b'), asText('c'), 'r')).toThrow(/one of a, b/);
    expect(() => decode(bytesOf(4), encode(bytes(9), Buffer.alloc(3)), 'r')).toThrow(FormatError);
    expect(() => decode(bytes(4), encode(bytes(9), Buffer.alloc(5)), 'r')).toThrow(FormatError);
    expect(() => decode(rawText(4), encode(bytes(9), Buffer.alloc(5)), 'r')).toThrow(FormatError);
    expect(() => decode(list(size, 2), encode(list(size), [1, 2, 3]), 'r')).toThrow(/at most 2/);
    expect(() => decode(int(1, 5), encode(size, 6), 'r')).toThrow(/out of range/);
  });

  test('hold them when they are written: nothing is stored that nobody could read', () => {
    const limit = expect.objectContaining({ code: 'limit' });
    expect(() => encode(text(3), 'four')).toThrow(limit);
    expect(() => encode(text(3), 'ää')).toThrow(limit);
    expect(() => encode(bytesOf(4), Buffer.alloc(3))).toThrow(limit);
    expect(() => encode(bytes(4), Buffer.alloc(5))).toThrow(limit);
    expect(() => encode(rawText(4), 'abcde')).toThrow(limit);
    expect(() => encode(list(size, 2), [1, 2, 3])).toThrow(limit);
    expect(() => encode(int(1, 5), 6)).toThrow(RangeError);
    expect(() => encode(size, -1)).toThrow(RangeError);
  });
});

describe('the byte reader', () => {
  test('never reads beyond its input', () => {
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 12 }),
        fc.array(fc.constantFrom('u8', 'u16', 'u32', 'take'), { maxLength: 8 }),
        (input, steps) => {
          const reader = new ByteReader(input, 'noise');
          const width = { u8: 1, u16: 2, u32: 4, take: 3 };
          for (const step of steps) {
            const fits = reader.remaining >= width[step];
            const read = (): unknown => (step === 'take' ? reader.take(3) : reader[step]());
            if (fits) read();
            else expect(read).toThrow(FormatError);
          }
          if (reader.remaining === 0) reader.end();
          else expect(() => reader.end()).toThrow(FormatError);
        },
      ),
      runs(300),
    );
  });

  test('reads little-endian numbers', () => {
    const reader = new ByteReader(Buffer.from('0102030405060708', 'hex').subarray(1), 'numbers');
    expect(reader.u8()).toBe(0x02);
    expect(reader.u16()).toBe(0x0403);
    expect(reader.u32()).toBe(0x08070605);
    expect(reader.offset).toBe(7);
  });
});
