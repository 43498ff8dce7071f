import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type Backend, forwardTo, MemoryBackend } from '../../dist/backends/index.js';
import { DamagedError, LIMITS } from '../../dist/core/index.js';
import {
  blockOffsets,
  type FinishedPack,
  type Keys,
  openBlock,
  openPackHeader,
  openWholePack,
  PackWriter,
  readPackTable,
} from '../../dist/repo/index.js';
import { decodePackTable, encodePackTable } from '../../dist/repo/pack-table.js';
import { padme } from '../../dist/repo/payload.js';
import { runs } from '../core/runs.js';
import { algorithms, MODES, noise, packsOf, plainKeys, scratchFolder } from './parts.js';

const folder = scratchFolder();
const { zstd } = algorithms;

/** All chunks of a pack, read from its stored bytes, in order. */
function chunksOf(finished: FinishedPack, keys: Keys): Buffer[] {
  const bytes = readFileSync(finished.path);
  const { name } = finished.summary;
  const { pack, table } = openWholePack(bytes, name, keys, zstd);
  expect(table.blocks).toEqual(finished.summary.blocks);
  const chunks: Buffer[] = [];
  for (const [number, offset] of blockOffsets(table.blocks).entries()) {
    const stored = bytes.subarray(offset, offset + table.blocks[number]!.stored);
    const { plain, chunkLengths } = openBlock(stored, number, pack, zstd, 'pack');
    let at = 0;
    for (const length of chunkLengths) {
      chunks.push(Buffer.from(plain.subarray(at, at + length)));
      at += length;
    }
  }
  const ids = keys.chunkIds(finished.summary.kind);
  for (const [i, chunk] of chunks.entries()) {
    expect(table.lengths[i]).toBe(chunk.length);
    expect(ids.digest(chunk).equals(table.ids.subarray(32 * i, 32 * i + 32))).toBe(true);
  }
  return chunks;
}

function same(found: readonly Uint8Array[], expected: readonly Uint8Array[]): boolean {
  return (
    found.length === expected.length && found.every((each, i) => Buffer.compare(each, expected[i]!) === 0)
  );
}

describe.each(MODES)('packs, $mode', ({ keys }) => {
  test('give back every chunk in order, over many blocks and packs', () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 30_000 }), { minLength: 1, maxLength: 60 });
    fc.assert(
      fc.property(
        sizes,
        fc.boolean(),
        fc.constantFrom(0, 3),
        fc.constantFrom('data', 'tree'),
        (lengths, pad, level, kind) => {
          const chunks = lengths.map((length, i) =>
            i % 2 === 0 ? noise(length, `${i} ${length}`) : Buffer.alloc(length, `text ${i} `),
          );
          const packs = packsOf(folder, keys, kind, chunks, {
            pad,
            compressionLevel: level,
            blockBytes: 40_000,
            packBytes: 100_000,
          });
          expect(
            same(
              packs.flatMap((pack) => chunksOf(pack, keys)),
              chunks,
            ),
          ).toBe(true);
          for (const { summary, path, plainBytes } of packs) {
            const bytes = readFileSync(path);
            expect(createHash('sha256').update(bytes).digest('hex')).toBe(summary.name);
            expect(bytes.length).toBe(summary.size);
            expect(summary.blocks.reduce((sum, { plain }) => sum + plain, 0)).toBe(plainBytes);
            for (const { plain, chunks: count } of summary.blocks) {
              expect(plain <= 40_000 || count === 1).toBe(true);
            }
            if (pad) for (const { stored } of summary.blocks) expect(padme(stored - 40)).toBe(stored - 40);
          }
        },
      ),
      runs(25),
    );
  });

  test('are finished when they reach their size', () => {
    const chunks = Array.from({ length: 40 }, (_, i) => noise(10_000, i));
    const packs = packsOf(folder, keys, 'data', chunks, { blockBytes: 20_000, packBytes: 100_000 });
    expect(packs.length).toBeGreaterThan(3);
    for (const { summary } of packs) expect(summary.size).toBeLessThan(120_000);
    expect(new Set(packs.map(({ summary }) => summary.name)).size).toBe(packs.length);
  });

  test('take chunks larger than a block, up to the limit of the format', () => {
    const chunks = [
      noise(10, 'a'),
      noise(100_000, 'b'),
      noise(10, 'c'),
      Buffer.alloc(LIMITS.chunk, 'largest'),
    ];
    const packs = packsOf(folder, keys, 'data', chunks, { blockBytes: 4096, compressionLevel: 1 });
    expect(
      same(
        packs.flatMap((pack) => chunksOf(pack, keys)),
        chunks,
      ),
    ).toBe(true);
    const writer = (): unknown => packsOf(folder, keys, 'data', [Buffer.alloc(LIMITS.chunk + 1)], {});
    expect(writer).toThrow(RangeError);
    expect(() => packsOf(folder, keys, 'data', [new Uint8Array(0)])).toThrow(RangeError);
  });

  test('store what does not shrink as it is', () => {
    const [pack] = packsOf(folder, keys, 'data', [noise(50_000, 'random')]);
    // Header and payload head of the block, the length of one chunk, the tag.
    expect(pack!.summary.blocks[0]!.stored).toBe(24 + 16 + 4 + 50_000 + 16);
  });

  test('with a flipped bit, cut, emptied or under another name are damaged, wherever it is', async () => {
    const [pack] = packsOf(folder, keys, 'data', [noise(300, 'x'), Buffer.alloc(500, 'y')]);
    const bytes = readFileSync(pack!.path);
    const { name } = pack!.summary;
    for (let at = 0; at < bytes.length; at++) {
      const flipped = Buffer.from(bytes);
      flipped[at]! ^= 1 << (at % 8);
      expect(() => openWholePack(flipped, name, keys, zstd)).toThrow(DamagedError);
      const renamed = createHash('sha256').update(flipped).digest('hex');
      const isInBlock = at >= 56 && at < 56 + pack!.summary.blocks[0]!.stored;
      const readAll = (): void => {
        const opened = openWholePack(flipped, renamed, keys, zstd);
        const offset = 56;
        const stored = flipped.subarray(offset, offset + opened.table.blocks[0]!.stored);
        openBlock(stored, 0, opened.pack, zstd, 'pack');
      };
      // Even someone who gives it a fitting name changes nothing without being noticed.
      expect(readAll, `byte ${at}`).toThrow(
        expect.objectContaining({ code: expect.stringMatching(/damaged|format/) }),
      );
      if (isInBlock) expect(openWholePack(flipped, renamed, keys, zstd).table.lengths.length).toBe(2);
      const medium = new MemoryBackend();
      await medium.write('packs', name, bytes.subarray(0, at));
      await expect(readPackTable(medium, name, keys, zstd)).rejects.toMatchObject({
        code: expect.stringMatching(/damaged|format/),
      });
    }
  });

  test('blocks open under their own number, pack and repository only', () => {
    const chunks = Array.from({ length: 4 }, (_, i) => noise(3000, i));
    const [first] = packsOf(folder, keys, 'data', chunks, { blockBytes: 3000 });
    const [second] = packsOf(folder, keys, 'data', chunks, { blockBytes: 3000 });
    const bytes = readFileSync(first!.path);
    const opened = openPackHeader(bytes, keys, 'pack');
    const other = openPackHeader(readFileSync(second!.path), keys, 'pack');
    const stored = bytes.subarray(56, 56 + first!.summary.blocks[0]!.stored);
    expect(openBlock(stored, 0, opened, zstd, 'pack').plain.length).toBe(3000);
    expect(() => openBlock(stored, 1, opened, zstd, 'pack')).toThrow(/this is block 0/);
    expect(() => openBlock(stored, 0, other, zstd, 'pack')).toThrow(/block of another pack/);
    expect(() => openBlock(stored.subarray(0, -1), 0, opened, zstd, 'pack')).toThrow(/bytes expected/);
    expect(() => openBlock(Buffer.concat([stored, Buffer.of(0)]), 0, opened, zstd, 'pack')).toThrow(
      /too many/,
    );
  });

  test('tables are read from the end, in one read or two', async () => {
    for (const count of [3, 4000]) {
      const chunks = Array.from({ length: count }, (_, i) => Buffer.from(`chunk ${i}`));
      const [pack] = packsOf(folder, keys, 'tree', chunks);
      const medium = new MemoryBackend();
      await medium.write('packs', pack!.summary.name, readFileSync(pack!.path));
      const { kind, table } = await readPackTable(medium, pack!.summary.name, keys, zstd);
      expect(kind).toBe('tree');
      expect(table.lengths).toEqual(pack!.table.lengths);
      expect(Buffer.compare(table.ids, pack!.table.ids)).toBe(0);
    }
  });
});

test('a table that came damaged over a line is read once more, one on a disk is not', async () => {
  const [pack] = packsOf(folder, plainKeys, 'data', [noise(3000, 1)]);
  const medium = new MemoryBackend();
  await medium.write('packs', pack!.summary.name, readFileSync(pack!.path));
  for (const isRemote of [true, false]) {
    let reads = 0;
    const backend: Backend = {
      ...forwardTo(medium),
      isRemote,
      read: async (...call) => {
        const bytes = await medium.read(...call);
        if (++reads === 1) bytes[bytes.length - 100]! ^= 1;
        return bytes;
      },
    };
    const reading = readPackTable(backend, pack!.summary.name, plainKeys, zstd);
    if (isRemote) expect((await reading).table.lengths).toEqual(pack!.table.lengths);
    else await expect(reading).rejects.toMatchObject({ code: expect.stringMatching(/damaged|format/) });
    expect(reads).toBe(isRemote ? 2 : 1);
  }
});

describe('the pack writer', () => {
  test('closes a pack while an index segment can still list all its chunks', () => {
    const total = LIMITS.segmentChunks + 50_000;
    const chunks = Array.from({ length: total }, (_, i) => Buffer.from(String(i)));
    const packs = packsOf(folder, plainKeys, 'data', chunks, { blockBytes: 4 * 2 ** 20, verify: false });
    expect(packs.reduce((sum, { table }) => sum + table.lengths.length, 0)).toBe(total);
    for (const { table, summary } of packs) {
      expect(table.lengths.length).toBeLessThanOrEqual(LIMITS.segmentChunks);
      for (const { chunks: count } of summary.blocks) expect(count).toBeLessThanOrEqual(LIMITS.blockChunks);
    }
  });

  test('notices when what it sealed is not what it was given', () => {
    const writer = new PackWriter({
      kind: 'data',
      keys: plainKeys,
      algorithms,
      compressionLevel: 3,
      pad: false,
      blockBytes: 1000,
      packBytes: 10_000,
      verify: true,
      stagingPath: () => `${folder}/broken`,
    });
    writer.add(Buffer.alloc(32, 1), Buffer.from('not the content of this id'));
    expect(() => writer.finish()).toThrow(expect.objectContaining({ code: 'internal' }));
    expect(readdirSync(folder)).not.toContain('broken');
    // Nor does it go on: what was hashed so far may not be what was written.
    const content = Buffer.from('sound');
    expect(() => writer.add(plainKeys.chunkIds('data').digest(content), content)).toThrow(/just sealed/);
    expect(() => writer.finish()).toThrow(/just sealed/);
  });
});

describe('pack tables', () => {
  test('read back as written', () => {
    const table = {
      blocks: [
        { stored: 100, plain: 30, chunks: 2 },
        { stored: 60, plain: 5, chunks: 1 },
      ],
      ids: noise(96, 'ids'),
      lengths: Uint32Array.of(10, 20, 5),
    };
    const bytes = encodePackTable(table);
    expect(bytes.length).toBe(8 + 24 + 12 + 96);
    expect(decodePackTable(bytes, 'table')).toEqual({ ...table, ids: Uint8Array.from(table.ids) });
    expect(() => decodePackTable(bytes.subarray(1), 'table')).toThrow();
    expect(() => decodePackTable(Buffer.concat([bytes, Buffer.of(0)]), 'table')).toThrow(
      /length does not match/,
    );
    bytes.writeUInt32LE(3, 16);
    expect(() => decodePackTable(bytes, 'table')).toThrow(/3 chunks, but blocks hold 4/);
  });
});
