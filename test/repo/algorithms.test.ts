import { createRequire } from 'node:module';
import * as zlib from 'node:zlib';
import { blake3 } from '@noble/hashes/blake3.js';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FormatError } from '../../dist/core/index.js';
import { loadAlgorithms } from '../../dist/repo/algorithms/algorithms.js';
import { loadArgon2 } from '../../dist/repo/algorithms/argon2.js';
import type { Blake3Mode } from '../../dist/repo/algorithms/blake3.js';
import { loadBlake3 } from '../../dist/repo/algorithms/load-blake3.js';
import { loadZstd, nodeZstd, wasmZstd, type Zstd } from '../../dist/repo/algorithms/zstd.js';
import { runs } from '../core/runs.js';
import { noise } from './parts.js';

/** Whatever this machine has: natively built where it loads, node:zlib from Node 22.15 on, and WASM everywhere. */
const implementations: readonly Zstd[] = [
  ...new Map(
    [await loadZstd(false), await loadZstd(true), nodeZstd(), await wasmZstd()]
      .filter((each) => each !== undefined)
      .map((each) => [each.name, each]),
  ).values(),
];

function compressed(zstd: Zstd, plain: Uint8Array, level: number): Buffer {
  const room = Buffer.alloc(plain.byteLength + 1000);
  return room.subarray(0, zstd.compress(plain, room, level));
}

const contents = fc.oneof(
  fc.uint8Array({ maxLength: 500 }).map((bytes) => Buffer.from(bytes)),
  fc
    .tuple(fc.nat({ max: 300_000 }), fc.nat())
    .map(([length, seed]) => Buffer.alloc(length, `words ${seed} `)),
  fc.tuple(fc.nat({ max: 300_000 }), fc.nat()).map(([length, seed]) => noise(length, seed)),
);

describe('zstd', () => {
  test('is there in every implementation that this machine can have', () => {
    const names = implementations.map(({ name }) => name);
    expect(names).toContain('@bokuweb/zstd-wasm');
    expect(names.includes('node:zlib')).toBe('zstdCompressSync' in zlib);
    if (!names.includes('zstd-napi'))
      process.stderr.write('zstd-napi was not built here: tested without it.\n');
  });

  test('frames of each implementation are read by all', () => {
    fc.assert(
      fc.property(contents, fc.constantFrom(1, 3, 9), (plain, level) => {
        for (const writer of implementations) {
          const frame = compressed(writer, plain, level);
          expect(frame.length, writer.name).toBeGreaterThan(0);
          for (const reader of implementations) {
            const target = Buffer.alloc(plain.length, 0xee);
            reader.decompress(frame, target);
            expect(target.equals(plain), `${writer.name} to ${reader.name}`).toBe(true);
          }
        }
      }),
      runs(40),
    );
  });

  test('in WASM may be loaded again while it is in use', async () => {
    const plain = noise(200_000, 'in use');
    for (let round = 0; round < 6; round++) {
      const zstd = await wasmZstd();
      const again = wasmZstd();
      for (let tick = 0; tick < 10; tick++) {
        const target = Buffer.alloc(plain.length);
        zstd.decompress(compressed(zstd, plain, 1), target);
        expect(target.equals(plain)).toBe(true);
        await new Promise((resolve) => setImmediate(resolve));
      }
      await again;
    }
  });

  test.each(implementations)('$name says so when the target is too small', (zstd) => {
    const plain = noise(1000, 'no room');
    expect(zstd.compress(plain, Buffer.alloc(1000), 3)).toBe(0);
    expect(zstd.compress(plain, Buffer.alloc(0), 3)).toBe(0);
  });

  test.each(implementations)('$name refuses frames that are not what they should be', (zstd) => {
    const plain = Buffer.alloc(5000, 'words and ');
    const frame = compressed(zstd, plain, 3);
    const read =
      (bytes: Uint8Array, length = 5000) =>
      () =>
        zstd.decompress(bytes, Buffer.alloc(length));
    expect(read(frame)).not.toThrow();
    expect(read(frame, 4999)).toThrow(FormatError);
    expect(read(frame, 5001)).toThrow(FormatError);
    for (let length = 0; length < frame.length; length++)
      expect(read(frame.subarray(0, length))).toThrow(FormatError);
    // Frames without a stated size would let a decompressor allocate what it likes.
    const sizeless = Buffer.from('28b52ffd0058010000', 'hex');
    expect(read(sizeless, 0)).toThrow(/states no content size/);
    // Still in order afterwards.
    expect(read(frame)).not.toThrow();
  });

  test.each(implementations)('$name survives damaged frames', (zstd) => {
    const plain = Buffer.concat([Buffer.alloc(3000, 'words and '), noise(2000, 'damage')]);
    const frame = compressed(zstd, plain, 3);
    const target = Buffer.alloc(plain.length);
    fc.assert(
      fc.property(fc.nat({ max: frame.length - 1 }), fc.integer({ min: 1, max: 255 }), (at, change) => {
        const damaged = Buffer.from(frame);
        damaged[at]! ^= change;
        try {
          zstd.decompress(damaged, target);
        } catch (error) {
          expect(error).toBeInstanceOf(FormatError);
        }
        zstd.decompress(frame, target);
        expect(target.equals(plain)).toBe(true);
      }),
      runs(300),
    );
  });
});

describe('BLAKE3', () => {
  const key = noise(32, 'key');
  const modes: readonly (readonly [string, Blake3Mode])[] = [
    ['keyed', { key }],
    ['with a context', { context: 'cbr 2026 data chunk ids' }],
  ];
  test.each(modes)(
    '%s gives the same digests natively, portably, in one go, in parts and in place',
    async (_, mode) => {
      const [native, portable] = [await loadBlake3(false), await loadBlake3(true)];
      const [one, other] = [native.create(mode), portable.create(mode)];
      const options = 'key' in mode ? { key: mode.key } : { context: Buffer.from(mode.context) };
      fc.assert(
        fc.property(fc.uint8Array({ maxLength: 5000 }), fc.nat({ max: 5000 }), (bytes, cut) => {
          const expected = Buffer.from(blake3(bytes, options));
          const parts = [bytes.subarray(0, cut), bytes.subarray(cut)];
          for (const hash of [one, other]) {
            expect(hash.digest(bytes).equals(expected)).toBe(true);
            expect(hash.digestOf(parts).equals(expected)).toBe(true);
            const target = Buffer.alloc(40);
            hash.digestTo(bytes, target, 5);
            expect(target.subarray(5, 37).equals(expected)).toBe(true);
          }
        }),
        runs(60),
      );
    },
  );

  test('matches the published test vectors', async () => {
    // https://github.com/BLAKE3-team/BLAKE3/blob/master/test_vectors/test_vectors.json
    const input = Buffer.of(0, 1, 2);
    const vectorKey = Buffer.from('whats the Elvish word for friend');
    const context = 'BLAKE3 2019-12-27 16:29:52 test vectors context';
    for (const portable of [false, true]) {
      const { create } = await loadBlake3(portable);
      expect(create({ key: vectorKey }).digest(input).toString('hex')).toBe(
        '39e67b76b5a007d4921969779fe666da67b5213b096084ab674742f0d5ec62b9',
      );
      expect(create({ context }).digest(input).toString('hex')).toBe(
        '440aba35cb006b61fc17c0529255de438efc06a8c9ebf3f2ddac3b5a86705797',
      );
    }
  });
});

describe('argon2id', () => {
  test('gives the same key natively and portably', async () => {
    for (const cost of [
      { memoryKiB: 1024, passes: 1, lanes: 1 },
      { memoryKiB: 512, passes: 3, lanes: 2 },
    ]) {
      const salt = noise(32, 'salt');
      const [one, other] = await Promise.all(
        [loadArgon2(false), loadArgon2(true)].map((each) => each.derive(Buffer.from('pässwörd'), salt, cost)),
      );
      expect(one!.equals(other!)).toBe(true);
      expect(one!.length).toBe(32);
    }
  });
});

test('portable algorithms use nothing that was built for this machine', async () => {
  const names = async (portable: boolean): Promise<string[]> => {
    const { blake3: hash, zstd, argon2 } = await loadAlgorithms(portable);
    return [hash.name, zstd.name, argon2().name];
  };
  const [hash, zstd, argon2] = await names(true);
  expect([hash, argon2]).toEqual(['@noble/hashes', '@noble/hashes']);
  expect(['node:zlib', '@bokuweb/zstd-wasm']).toContain(zstd);
  const isThere = (name: string): boolean => {
    try {
      createRequire(import.meta.url)(name);
      return true;
    } catch {
      return false;
    }
  };
  const [nativeHash, nativeZstd, nativeArgon2] = await names(false);
  expect(nativeHash === '@napi-rs/blake-hash').toBe(isThere('@napi-rs/blake-hash'));
  expect(nativeZstd === 'zstd-napi').toBe(isThere('zstd-napi/binding'));
  expect(nativeArgon2 === '@node-rs/argon2').toBe(isThere('@node-rs/argon2'));
});
