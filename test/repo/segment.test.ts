import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type ChunkId,
  chunkIdAt,
  DamagedError,
  LIMITS,
  type ObjectDigest,
  toHex,
} from '../../dist/core/index.js';
import {
  type Author,
  decodeSegment,
  encodeSegment,
  type IndexSegment,
  type PackTable,
} from '../../dist/repo/index.js';
import { buildSegments, type IndexedPack } from '../../dist/repo/segment-builder.js';
import { runs } from '../core/runs.js';
import { algorithms, MODES, noise, randomDigest, randomSession, recordContext } from './parts.js';

const { zstd } = algorithms;
const author: Author = { kind: 'session', session: randomSession() };

function idOf(label: number): Buffer {
  return createHash('sha256').update(String(label)).digest();
}

/** A pack whose blocks hold the chunks with the given labels. */
function packOf(blocks: readonly (readonly number[])[]): IndexedPack {
  const labels = blocks.flat();
  const table: PackTable = {
    blocks: blocks.map((each) => ({ stored: 40 + each.length, plain: each.length, chunks: each.length })),
    ids: Buffer.concat(labels.map(idOf)),
    lengths: Uint32Array.from(labels, (label) => 1 + (label % 1000)),
  };
  return { summary: { name: randomDigest(), kind: 'data', size: 1000, blocks: table.blocks }, table };
}

function idAt(segment: IndexSegment, row: number): ChunkId {
  return chunkIdAt(segment.chunks.ids, 32 * row);
}

/** Where the rows of segments say each chunk is. */
function placesOf(segments: readonly IndexSegment[]): Map<ChunkId, string> {
  const places = new Map<ChunkId, string>();
  for (const { packs, chunks } of segments) {
    for (let row = 0; row < chunks.count; row++) {
      const id = chunkIdAt(chunks.ids, 32 * row);
      const place = `${packs[chunks.packs[row]!]!.name} ${chunks.blocks[row]} ${chunks.ordinals[row]} ${chunks.lengths[row]}`;
      places.set(id, place);
    }
  }
  return places;
}

const labelledPacks = fc.array(
  fc.array(fc.array(fc.nat({ max: 60 }), { minLength: 1, maxLength: 8 }), { minLength: 1, maxLength: 4 }),
  { maxLength: 5 },
);

describe('segments are built', () => {
  test('with every chunk once, sorted, at the first of its places', () => {
    fc.assert(
      fc.property(labelledPacks, (blocksOfPacks) => {
        const packs = blocksOfPacks.map(packOf);
        const expected = new Map<ChunkId, string>();
        for (const [i, blocks] of blocksOfPacks.entries()) {
          for (const [block, labels] of blocks.entries()) {
            for (const [ordinal, label] of labels.entries()) {
              const id = chunkIdAt(idOf(label));
              const place = `${packs[i]!.summary.name} ${block} ${ordinal} ${1 + (label % 1000)}`;
              if (!expected.has(id)) expected.set(id, place);
            }
          }
        }
        const segments = buildSegments(author, packs);
        expect(placesOf(segments)).toEqual(expected);
        for (const segment of segments) {
          for (let row = 1; row < segment.chunks.count; row++) {
            expect(idAt(segment, row - 1) < idAt(segment, row)).toBe(true);
          }
        }
        expect(segments.flatMap(({ packs: listed }) => listed.map(({ name }) => name))).toEqual(
          packs.map(({ summary }) => summary.name),
        );
      }),
      runs(150),
    );
  });

  test('of ids alike in their first bytes in the order of the rest', () => {
    const ids = [5, 3, 9, 1].map((last) => Buffer.concat([Buffer.alloc(31, 7), Buffer.of(last)]));
    const table = {
      blocks: [{ stored: 1, plain: 4, chunks: 4 }],
      ids: Buffer.concat(ids),
      lengths: Uint32Array.of(1, 1, 1, 1),
    };
    const pack = {
      summary: { name: randomDigest(), kind: 'data' as const, size: 1, blocks: table.blocks },
      table,
    };
    const [segment] = buildSegments(author, [pack]);
    expect([...segment!.chunks.ordinals]).toEqual([3, 1, 0, 2]);
  });

  test('more of them when there are more than 200,000 chunks', () => {
    const perPack = 60_000;
    const packs = Array.from({ length: 7 }, (_, i) => {
      const ids = noise(32 * perPack, i);
      const table = {
        blocks: [{ stored: 1, plain: perPack, chunks: perPack }],
        ids,
        lengths: new Uint32Array(perPack).fill(1),
      };
      return {
        summary: { name: randomDigest(), kind: 'data' as const, size: 1, blocks: table.blocks },
        table,
      };
    });
    const segments = buildSegments(author, packs);
    expect(segments.map(({ packs: listed }) => listed.length)).toEqual([3, 3, 1]);
    expect(segments.reduce((sum, { chunks }) => sum + chunks.count, 0)).toBe(7 * perPack);
    for (const { chunks } of segments) expect(chunks.count).toBeLessThanOrEqual(LIMITS.segmentChunks);
  });
});

describe.each(MODES)('segments, $mode', ({ keys }) => {
  const { compression } = recordContext(keys);
  const authors: Author[] = [author, { kind: 'prune', epoch: 7 }, { kind: 'prune', epoch: 0 }];

  test('read back as written, under the name that is their SHA-256', () => {
    fc.assert(
      fc.property(labelledPacks, fc.constantFrom(...authors), (blocksOfPacks, by) => {
        const packs = blocksOfPacks.map(packOf);
        const segment: IndexSegment = buildSegments(by, packs)[0] ?? {
          author: by,
          packs: [],
          chunks: {
            count: 0,
            ids: Buffer.alloc(0),
            packs: new Uint32Array(0),
            blocks: new Uint16Array(0),
            ordinals: new Uint16Array(0),
            lengths: new Uint32Array(0),
          },
        };
        const { name, bytes } = encodeSegment(segment, keys, compression);
        expect(toHex(createHash('sha256').update(bytes).digest())).toBe(name);
        expect(decodeSegment(bytes, name, keys, zstd)).toEqual(segment);
      }),
      runs(60),
    );
  });

  test('have another name each time, so that no name ever recurs', () => {
    const [segment] = buildSegments(author, [packOf([[1, 2]])]);
    expect(encodeSegment(segment!, keys, compression).name).not.toBe(
      encodeSegment(segment!, keys, compression).name,
    );
  });

  test('with a flipped bit or cut are damaged, under any name', () => {
    const [segment] = buildSegments(author, [packOf([[1, 2], [3]])]);
    const { name, bytes } = encodeSegment(segment!, keys, compression);
    for (let at = 0; at < bytes.length; at++) {
      for (const changed of [Buffer.from(bytes), Buffer.from(bytes.subarray(0, at))]) {
        if (changed.length === bytes.length) changed[at]! ^= 1 << (at % 8);
        expect(() => decodeSegment(changed, name, keys, zstd)).toThrow(DamagedError);
        const renamed = toHex(createHash('sha256').update(changed).digest());
        expect(() => decodeSegment(changed, renamed, keys, zstd), `byte ${at}`).toThrow(
          expect.objectContaining({ code: expect.stringMatching(/damaged|format/) }),
        );
      }
    }
  });

  test('that contradict themselves are refused', () => {
    const [good] = buildSegments(author, [packOf([[1, 2], [3]])]);
    const { chunks } = good!;
    const reversed = Buffer.concat([2, 1, 0].map((row) => chunks.ids.subarray(32 * row, 32 * row + 32)));
    const wrong: [RegExp, Partial<IndexSegment['chunks']>][] = [
      [/not sorted/, { ids: reversed }],
      [/not sorted/, { ids: Buffer.alloc(96) }],
      [/torn id column/, { ids: chunks.ids.subarray(32) }],
      [/outside its packs/, { packs: Uint32Array.of(0, 1, 0) }],
      [/outside its packs/, { blocks: Uint16Array.of(0, 0, 2) }],
      [/outside its packs/, { ordinals: Uint16Array.of(0, 0, 2) }],
      [/column of/, { lengths: Uint32Array.of(1, 2) }],
      [/column of/, { ordinals: Uint16Array.of(1, 2) }],
    ];
    for (const [reason, columns] of wrong) {
      const { name, bytes } = encodeSegment(
        { ...good!, chunks: { ...chunks, ...columns } },
        keys,
        compression,
      );
      expect(() => decodeSegment(bytes, name as ObjectDigest, keys, zstd)).toThrow(reason);
    }
  });
});
