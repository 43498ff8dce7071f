import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { decodeBlock } from '../../dist/repo/block.js';
import {
  blockOffsets,
  type FinishedPack,
  openBlock,
  openWholePack,
  PackWriter,
} from '../../dist/repo/index.js';
import { algorithms, MODES, noise, packsOf, scratchFolder } from './parts.js';

const folder = scratchFolder();

describe.each(MODES)('blocks that are taken over as they are, $mode', ({ keys }) => {
  const { zstd } = algorithms;
  const chunks = Array.from({ length: 40 }, (_, i) =>
    i % 2 === 0 ? noise(7000 + i, i) : Buffer.alloc(9000 + i, `text ${i} `),
  );
  const opened = ({ path, summary }: FinishedPack) => {
    const bytes = readFileSync(path);
    const { pack, table } = openWholePack(bytes, summary.name, keys, zstd);
    const blocks = blockOffsets(table.blocks).map((offset, i) => {
      const stored = bytes.subarray(offset, offset + table.blocks[i]!.stored);
      return {
        payload: Buffer.from(decodeBlock(stored, i, pack, 'pack')),
        ...openBlock(stored, i, pack, zstd, 'pack'),
      };
    });
    return { table, blocks };
  };

  test.each([false, true])(
    'keep their payload byte for byte, and their chunks verify (padded: %s)',
    (pad) => {
      const options = { blockBytes: 32_768, packBytes: 2 ** 20, pad };
      const [from] = packsOf(folder, keys, 'data', chunks, options);
      const before = opened(from!);
      const writer = new PackWriter({
        ...{ kind: 'data', keys, algorithms, compressionLevel: 3, verify: true, ...options },
        stagingPath: () => `${folder}/adopted-${pad}-${keys.encrypted}`,
      });
      // In another order, so that they have other numbers, and with a block of its own in between.
      const order = before.blocks.map((_, i) => i).reverse();
      let own = 0;
      for (const i of order) {
        const { payload, plain, chunkLengths } = before.blocks[i]!;
        const first = before.blocks.slice(0, i).reduce((sum, block) => sum + block.chunkLengths.length, 0);
        const ids = before.table.ids.subarray(32 * first, 32 * (first + chunkLengths.length));
        expect(writer.adopt(payload, ids, { chunkLengths, plainBytes: plain.byteLength })).toBeUndefined();
        if (i !== order[1]) continue;
        const added = noise(40_000, 'its own');
        writer.add(keys.chunkIds('data').digest(added), added);
        own = 1;
      }
      const to = writer.finish()!;
      const after = opened(to);
      expect(after.blocks).toHaveLength(before.blocks.length + own);
      const adopted = order.map((i) => before.blocks[i]!.payload.toString('hex'));
      const found = after.blocks.map(({ payload }) => payload.toString('hex'));
      expect(adopted.every((payload) => found.includes(payload))).toBe(true);
      expect(to.summary.blocks).toEqual(after.table.blocks);
      const ids = keys.chunkIds('data');
      let row = 0;
      for (const { plain, chunkLengths } of after.blocks) {
        let at = 0;
        for (const length of chunkLengths) {
          const id = ids.digest(plain.subarray(at, at + length));
          expect(id.equals(after.table.ids.subarray(32 * row, 32 * row + 32))).toBe(true);
          expect(after.table.lengths[row++]).toBe(length);
          at += length;
        }
      }
      expect(row).toBe(chunks.length + own);
    },
  );

  test('fill packs like any others', () => {
    const [from] = packsOf(folder, keys, 'data', chunks, { blockBytes: 32_768, packBytes: 2 ** 20 });
    const { blocks, table } = opened(from!);
    let number = 0;
    const writer = new PackWriter({
      ...{ kind: 'data', keys, algorithms, compressionLevel: 3, verify: true, pad: false },
      ...{ blockBytes: 32_768, packBytes: 50_000 },
      stagingPath: () => `${folder}/many-${keys.encrypted}-${number++}`,
    });
    let first = 0;
    const packs: FinishedPack[] = [];
    for (const { payload, plain, chunkLengths } of blocks) {
      const ids = table.ids.subarray(32 * first, 32 * (first + chunkLengths.length));
      const done = writer.adopt(payload, ids, { chunkLengths, plainBytes: plain.byteLength });
      if (done !== undefined) packs.push(done);
      first += chunkLengths.length;
    }
    const last = writer.finish();
    if (last !== undefined) packs.push(last);
    expect(packs.length).toBeGreaterThan(1);
    expect(packs.flatMap((pack) => opened(pack).blocks.map(({ payload }) => payload))).toEqual(
      blocks.map(({ payload }) => payload),
    );
    expect(packs.reduce((sum, { plainBytes }) => sum + plainBytes, 0)).toBe(from!.plainBytes);
  });
});
