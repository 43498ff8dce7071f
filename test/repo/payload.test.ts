import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError, LIMITS } from '../../dist/core/index.js';
import { padme, payloadBound, readPayload, writePayload } from '../../dist/repo/payload.js';
import { runs } from '../core/runs.js';
import { algorithms, noise } from './parts.js';

const { zstd } = algorithms;

function payloadOf(plain: Uint8Array, lengths: readonly number[], level: number, pad: boolean): Buffer {
  // Exactly the room that is said to be enough.
  const room = Buffer.alloc(payloadBound(plain.byteLength, lengths.length), 0xee);
  return Buffer.from(writePayload(room, plain, lengths, { zstd, level, pad }));
}

/** A block's chunk lengths and content. */
const blocks = fc
  .record({
    lengths: fc.array(fc.integer({ min: 1, max: 3000 }), { minLength: 1, maxLength: 30 }),
    random: fc.boolean(),
    seed: fc.nat(),
  })
  .map(({ lengths, random, seed }) => {
    const sum = lengths.reduce((a, b) => a + b, 0);
    return { lengths, plain: random ? noise(sum, seed) : Buffer.alloc(sum, `words ${seed}, `) };
  });

describe('payloads', () => {
  test('read back as written, compressed or raw, padded or not', () => {
    fc.assert(
      fc.property(blocks, fc.constantFrom(0, 1, 3, 9), fc.boolean(), ({ lengths, plain }, level, pad) => {
        const bytes = payloadOf(plain, lengths, level, pad);
        const read = readPayload(bytes, zstd, plain.length, 'block');
        expect(read.chunkLengths).toEqual(lengths);
        expect(plain.equals(read.plain)).toBe(true);
        if (pad) expect(padme(bytes.length)).toBe(bytes.length);
      }),
      runs(200),
    );
  });

  test('fit the room that is said to be enough: many chunks of one byte, with padding', () => {
    for (const chunks of [1, 2, 100, 6553, 26_214, 52_426, LIMITS.blockChunks]) {
      const plain = noise(chunks, 'single bytes');
      const lengths = new Array<number>(chunks).fill(1);
      const read = readPayload(payloadOf(plain, lengths, 3, true), zstd, chunks, 'block');
      expect(plain.equals(read.plain)).toBe(true);
    }
  });

  test('of what does not shrink are raw, and no larger than a fixed head beside it', () => {
    const plain = noise(100_000, 'random');
    const bytes = payloadOf(plain, [100_000], 3, false);
    expect(bytes[0]).toBe(0);
    expect(bytes.length).toBe(16 + 4 + 100_000);
    const text = payloadOf(Buffer.alloc(100_000, 'text '), [100_000], 3, false);
    expect(text[0]).toBe(1);
    expect(text.length).toBeLessThan(1000);
  });

  test('that did not shrink leave the compressor fit for another level', () => {
    const plain = noise(100_000, 'random');
    for (const level of [1, 3, 9, 3, 1]) expect(payloadOf(plain, [100_000], level, false)[0]).toBe(0);
  });

  test('have the bytes that the format says', () => {
    const bytes = payloadOf(Buffer.from('abcdef'), [2, 4], 0, false);
    expect(bytes.toString('hex')).toBe(
      `00000000${'06000000'}${'06000000'}${'02000000'}${'0200000004000000'}616263646566`,
    );
  });

  test('with wrong fields are refused', () => {
    const good = payloadOf(Buffer.alloc(1000, 'abc'), [400, 600], 3, true);
    const change = (at: number, value: number): Buffer => {
      const bytes = Buffer.from(good);
      bytes.writeUInt32LE(value, at);
      return bytes;
    };
    const read =
      (bytes: Uint8Array, most = 1000) =>
      () =>
        readPayload(bytes, zstd, most, 'block');
    expect(read(good)().plain.length).toBe(1000);
    expect(read(good, 999)).toThrow(/at most 999 allowed/);
    expect(read(change(0, 2))).toThrow(/codec 2/);
    expect(read(change(0, 0x0101))).toThrow(/reserved/);
    expect(read(change(4, 999))).toThrow(FormatError);
    expect(read(change(8, 0xffffffff))).toThrow(/shorter than it says/);
    expect(read(change(12, 70_000))).toThrow(/chunks/);
    expect(read(change(16, 0))).toThrow(/chunk of 0 bytes/);
    expect(read(change(16, LIMITS.chunk + 1))).toThrow(/chunk of/);
    expect(read(change(16, 401))).toThrow(/chunks of 1001 bytes/);
    expect(read(Buffer.concat([good, Buffer.of(1)]))).toThrow(/padding is not zero/);
    expect(read(good.subarray(0, 30))).toThrow(FormatError);
  });
});

describe('Padmé', () => {
  test('adds at most 12 %, never shrinks, is idempotent and monotonic', () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 2 ** 31 }), (length) => {
        const padded = padme(length);
        expect(padded).toBeGreaterThanOrEqual(length);
        expect(padded).toBeLessThanOrEqual(length * 1.12);
        expect(padme(padded)).toBe(padded);
        expect(padme(length + 1)).toBeGreaterThanOrEqual(padded);
      }),
      runs(2000),
    );
  });

  test('leaves few lengths to tell apart', () => {
    const lengths = new Set<number>();
    for (let length = 1; length <= 1 << 20; length++) lengths.add(padme(length));
    expect(lengths.size).toBeLessThan(400);
  });

  test('of known lengths', () => {
    const table = [0, 1, 2, 7, 8, 9, 10, 100, 1000, 65_537, 4_194_321];
    expect(table.map(padme)).toEqual([0, 1, 2, 7, 8, 10, 10, 104, 1024, 67_584, 4_325_376]);
  });
});
