import { describe, expect, test } from 'vitest';
import { LIMITS, type ObjectDigest } from '../../dist/core/index.js';
import type { CachedPack } from '../../dist/repo/cache/index.js';
import type { IndexSegment } from '../../dist/repo/index.js';
import { segmentsToDrop } from '../../dist/repo/prune/merge-segments.js';
import { MergedRows } from '../../dist/repo/prune/merged-rows.js';
import { memoryInUse } from '../core/garbage.js';
import { noise } from './parts.js';

/** Packs of blocks of ten chunks of 100 bytes each, numbered from 1. */
function cachedPacks(blocks: readonly number[]): CachedPack[] {
  let firstChunk = 0;
  return blocks.map((count, i) => {
    const pack = {
      name: noise(32, `pack ${i}`).toString('hex') as ObjectDigest,
      kind: 'data' as const,
      size: 700 * count,
      blocks: Array.from({ length: count }, () => ({ stored: 700, plain: 1000, chunks: 10 })),
      number: i + 1,
      segments: [i],
      firstChunk,
      blockStarts: Uint32Array.from({ length: count }, (_, block) => 10 * block),
      tally: 0,
    } as unknown as CachedPack;
    firstChunk += 10 * count;
    return pack;
  });
}

/** A segment that places ten chunks in each of some packs; `labels` name the chunks of each. */
function segmentOf(packs: readonly CachedPack[], labels: readonly string[]): IndexSegment {
  const rows = packs
    .flatMap((_, pack) =>
      Array.from({ length: 10 }, (__, ordinal) => ({
        pack,
        ordinal,
        id: noise(32, `${labels[pack]} ${ordinal}`),
      })),
    )
    .sort((a, b) => a.id.compare(b.id));
  return {
    author: { kind: 'prune', epoch: 1 },
    packs: packs.map(({ name, kind, size, blocks }) => ({ name, kind, size, blocks })),
    chunks: {
      count: rows.length,
      ids: Buffer.concat(rows.map(({ id }) => id)),
      packs: Uint32Array.from(rows, ({ pack }) => pack),
      blocks: Uint16Array.from(rows, () => 0),
      ordinals: Uint16Array.from(rows, ({ ordinal }) => ordinal),
      lengths: Uint32Array.from(rows, () => 100),
    },
  };
}

/** What a segment says, in words. */
const told = ({ packs, chunks }: IndexSegment): string[] =>
  Array.from({ length: chunks.count }, (_, row) => {
    const id = chunks.ids.toString('hex', 32 * row, 32 * row + 6);
    return `${id} ${packs[chunks.packs[row]!]!.name.slice(0, 6)} ${chunks.blocks[row]} ${chunks.ordinals[row]} ${chunks.lengths[row]}`;
  });

describe('segments', () => {
  const packs = cachedPacks([1, 1, 1, 1]);
  const [a, b, c, d] = packs as [CachedPack, CachedPack, CachedPack, CachedPack];
  const all = () => true;

  test('that name a condemned pack are dropped, small ones with them or where there are many', () => {
    const segments = new Map(
      Array.from({ length: 12 }, (_, number) => [
        noise(32, `segment ${number}`).toString('hex') as ObjectDigest,
        { number, author: { kind: 'prune' as const, epoch: 1 } },
      ]),
    );
    const names = [...segments.keys()];
    const sizes = (small: number) => new Map(names.map((name, i) => [name, i < small ? 1000 : 2 ** 20]));
    expect(segmentsToDrop(segments, sizes(9), [])).toEqual([]);
    expect(segmentsToDrop(segments, sizes(10), [])).toEqual(names.slice(0, 10));
    const condemned = { ...a, segments: [11, 3] };
    expect(segmentsToDrop(segments, sizes(0), [condemned])).toEqual([names[3], names[11]]);
    expect(segmentsToDrop(segments, sizes(2), [condemned])).toEqual([
      ...[names[3], names[11]],
      ...[names[0], names[1]],
    ]);
    // Of unknown size, so not known to be small.
    expect(segmentsToDrop(segments, new Map(), [])).toEqual([]);
  });

  test('are merged into one that says what they said, without the packs that go', () => {
    const rows = new MergedRows({ kind: 'prune', epoch: 7 });
    const [first, second] = [segmentOf([a, b], ['a', 'b']), segmentOf([c, b, d], ['c', 'b', 'd'])];
    const withoutC = (name: ObjectDigest) => name !== c.name;
    expect(rows.add(first, withoutC)).toEqual([]);
    expect(rows.add(second, withoutC)).toEqual([]);
    const merged = rows.finish()!;
    expect(merged.author).toEqual({ kind: 'prune', epoch: 7 });
    expect(merged.packs.map(({ name }) => name)).toEqual([a.name, b.name, d.name]);
    expect(told(merged)).toEqual(told(segmentOf([a, b, d], ['a', 'b', 'd'])));
    expect(rows.finish()).toBeUndefined();
  });

  test('keep all places of a chunk with several, each in another segment', () => {
    const rows = new MergedRows({ kind: 'prune', epoch: 7 });
    for (const pack of [a, b, c]) expect(rows.add(segmentOf([pack], ['same']), all)).toEqual([]);
    // Of the same place once.
    rows.add(segmentOf([b], ['same']), all);
    const found = [rows.finish()!, rows.finish()!, rows.finish()!];
    expect(rows.finish()).toBeUndefined();
    const expected = [a, b, c].map((pack) => told(segmentOf([pack], ['same'])));
    expect(found.map(told).sort()).toEqual(expected.sort());
  });

  test('are as many as it takes: none lists more chunks than it may', () => {
    const half = LIMITS.segmentChunks / 2;
    const blocks = [0, 1].map(() => ({ stored: 700, plain: half / 2, chunks: half / 2 }));
    const segment = (label: string): IndexSegment => ({
      author: { kind: 'prune', epoch: 1 },
      packs: [{ name: noise(32, label).toString('hex') as ObjectDigest, kind: 'data', size: 1400, blocks }],
      chunks: {
        count: half,
        ids: noise(32 * half, label),
        packs: new Uint32Array(half),
        blocks: Uint16Array.from({ length: half }, (_, i) => (i < half / 2 ? 0 : 1)),
        ordinals: Uint16Array.from({ length: half }, (_, i) => i % (half / 2)),
        lengths: new Uint32Array(half).fill(1),
      },
    });
    const rows = new MergedRows({ kind: 'prune', epoch: 7 });
    expect(rows.add(segment('x'), all)).toEqual([]);
    expect(rows.add(segment('y'), all)).toEqual([]);
    const full = rows.add(segment('z'), all);
    expect(full).toHaveLength(1);
    expect(full[0]!.packs).toHaveLength(2);
    const last = rows.finish()!;
    expect(last.packs.map(({ name }) => name)).toEqual([noise(32, 'z').toString('hex')]);
    expect(full[0]!.chunks.count + last.chunks.count).toBe(3 * half);
    expect(rows.finish()).toBeUndefined();
  });

  test('of which little stays become one, and what goes is not kept in memory', async () => {
    const count = 50_000;
    const rows = new MergedRows({ kind: 'prune', epoch: 7 });
    const gone = noise(32, 'gone').toString('hex') as ObjectDigest;
    const blocks = [{ stored: 700, plain: count, chunks: count }];
    const segment = (label: string): IndexSegment => ({
      author: { kind: 'prune', epoch: 1 },
      packs: [noise(32, label).toString('hex') as ObjectDigest, gone].map((name) => ({
        name,
        kind: 'data' as const,
        size: 700,
        blocks,
      })),
      chunks: {
        count,
        ids: noise(32 * count, label),
        packs: Uint32Array.from({ length: count }, (_, row) => (row < 10 ? 0 : 1)),
        blocks: new Uint16Array(count),
        ordinals: Uint16Array.from({ length: count }, (_, row) => row),
        lengths: new Uint32Array(count).fill(1),
      },
    });
    const before = (await memoryInUse()).arrayBuffers;
    const segments = 40;
    for (let i = 0; i < segments; i++) expect(rows.add(segment(`${i}`), (name) => name !== gone)).toEqual([]);
    // All their ids would be 64 MB.
    expect((await memoryInUse()).arrayBuffers - before).toBeLessThan(16 * 2 ** 20);
    const merged = rows.finish()!;
    expect(merged.chunks.count).toBe(10 * segments);
    expect(merged.packs).toHaveLength(segments);
    expect(rows.finish()).toBeUndefined();
  });
});
