import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ChunkId, chunkIdAt, LIMITS, type ObjectDigest } from '../../dist/core/index.js';
import { decodeBlock } from '../../dist/repo/block.js';
import type { CachedPack, ChunkPlace, RepositoryCache } from '../../dist/repo/cache/index.js';
import {
  blockOffsets,
  type FinishedPack,
  type IndexSegment,
  openBlock,
  openWholePack,
  PackWriter,
} from '../../dist/repo/index.js';
import { ChunkBits, ChunkUsage, wasteOf } from '../../dist/repo/prune/chunk-usage.js';
import { CondemnedPacks } from '../../dist/repo/prune/condemned-packs.js';
import { type SizedSegment, withoutRoom } from '../../dist/repo/prune/fit-segments.js';
import { segmentsToDrop } from '../../dist/repo/prune/merge-segments.js';
import { MergedRows } from '../../dist/repo/prune/merged-rows.js';
import { leaveOut, type PlanLimits, type PlannedPack, planPrune } from '../../dist/repo/prune/plan-prune.js';
import { algorithms, MODES, noise, packsOf, randomDigest, scratchFolder } from './parts.js';

const MIB = 2 ** 20;
const NO_LIMITS: PlanLimits = {
  maxUnused: { fraction: 0.05 },
  maxRepackBytes: Number.POSITIVE_INFINITY,
  roomBytes: Number.POSITIVE_INFINITY,
  packBytes: 32 * MIB,
};

/** A pack of 32 MiB, wholly in use. */
const packNumber = (number: number, changes: Partial<PlannedPack> = {}): PlannedPack => ({
  number,
  kind: 'data',
  size: 32 * MIB,
  waste: 0,
  isUsed: true,
  isMarked: false,
  isBad: false,
  ...changes,
});

const plannedArbitrary = fc
  .array(
    fc.record({
      kind: fc.constantFrom('data' as const, 'tree' as const),
      size: fc.integer({ min: 200, max: 40 * MIB }),
      part: fc.double({ min: 0, max: 1, noNaN: true }),
      isMarked: fc.boolean(),
      isBad: fc.boolean(),
    }),
    { maxLength: 60 },
  )
  .map((packs) =>
    packs.map(({ part, size, ...pack }, i) =>
      packNumber(i, { ...pack, size, waste: Math.floor(part * size), isUsed: part < 1 }),
    ),
  );

describe('the plan', () => {
  test('condemns what nothing uses, whatever the limits', () => {
    const packs = [packNumber(1, { isUsed: false, waste: 32 * MIB }), packNumber(2)];
    const limits = { ...NO_LIMITS, maxUnused: { fraction: 1 }, maxRepackBytes: 0, roomBytes: 0 };
    expect(planPrune(packs, limits)).toEqual({
      unused: [1],
      rewritten: [],
      left: [],
      forgone: 0,
      bytesUnused: 32 * MIB,
      bytesRewritten: 0,
      bytesKept: 32 * MIB,
      wasteKept: 0,
    });
  });

  test('takes packs with the most waste per byte until the rest is within the limit', () => {
    const wastes = [1, 8, 2, 20, 0.5];
    const packs = wastes.map((waste, i) => packNumber(i, { waste: waste * MIB }));
    const plan = (maxUnused: PlanLimits['maxUnused']) =>
      planPrune(packs, { ...NO_LIMITS, maxUnused }).rewritten;
    expect(plan({ bytes: 40 * MIB })).toEqual([]);
    expect(plan({ bytes: 12 * MIB })).toEqual([3]);
    expect(plan({ bytes: 3 * MIB })).toEqual([3, 1, 2]);
    expect(plan({ bytes: 0 })).toEqual([3, 1, 2, 0, 4]);
    // 128.5 MiB in use: 5 % of what stays are 6.7 MiB.
    expect(plan({ fraction: 0.05 })).toEqual([3, 1]);
    expect(plan({ fraction: 1 })).toEqual([]);
  });

  test('rewrites no more than it may, and what fits though a larger one does not', () => {
    const packs = [packNumber(1, { waste: 30 * MIB }), packNumber(2, { size: 8 * MIB, waste: 4 * MIB })];
    const plan = (changes: Partial<PlanLimits>) =>
      planPrune(packs, { ...NO_LIMITS, maxUnused: { bytes: 0 }, ...changes }).rewritten;
    expect(plan({ maxRepackBytes: 31 * MIB })).toEqual([2]);
    expect(plan({ maxRepackBytes: 39 * MIB })).toEqual([1]);
    // Room is taken by what is in use only.
    expect(plan({ roomBytes: 3 * MIB })).toEqual([1]);
    expect(plan({ roomBytes: 6 * MIB })).toEqual([1, 2]);
    expect(plan({ roomBytes: 1 * MIB })).toEqual([]);
  });

  test('gathers small packs of one kind where there are many', () => {
    const small = (count: number, kind: 'data' | 'tree') =>
      Array.from({ length: count }, (_, i) =>
        packNumber(kind === 'data' ? i : 100 + i, { kind, size: 7 * MIB }),
      );
    expect(planPrune([...small(9, 'data'), ...small(9, 'tree')], NO_LIMITS).rewritten).toEqual([]);
    const packs = [...small(10, 'tree'), ...small(3, 'data'), packNumber(50, { kind: 'tree' })];
    expect(planPrune(packs, NO_LIMITS).rewritten).toEqual(Array.from({ length: 10 }, (_, i) => 100 + i));
    expect(
      planPrune(
        small(10, 'data').map((pack) => ({ ...pack, size: 8 * MIB })),
        NO_LIMITS,
      ).rewritten,
    ).toEqual([]);
  });

  test('a pack that is marked is rewritten whatever its waste, or left where there is no room', () => {
    const packs = [packNumber(1, { isMarked: true }), packNumber(2, { isMarked: true, waste: 20 * MIB })];
    const limits = { ...NO_LIMITS, maxRepackBytes: 0 };
    expect(planPrune(packs, limits)).toMatchObject({ rewritten: [1, 2], left: [] });
    expect(planPrune(packs, { ...limits, roomBytes: 20 * MIB })).toMatchObject({ rewritten: [2], left: [1] });
    expect(planPrune([packNumber(3, { isMarked: true, isUsed: false })], limits)).toMatchObject({
      unused: [3],
    });
  });

  test('a damaged pack is not touched as long as something of it is in use', () => {
    const waste = 31 * MIB;
    const packs = [
      packNumber(1, { isBad: true, waste }),
      packNumber(2, { isBad: true, isUsed: false, waste: 32 * MIB }),
      packNumber(3, { isBad: true, isMarked: true, waste }),
      packNumber(4, { waste }),
    ];
    const plan = planPrune(packs, { ...NO_LIMITS, maxUnused: { bytes: 0 } });
    expect(plan).toMatchObject({ unused: [2], rewritten: [4], left: [3] });
  });

  test('tells the figures of what was not copied after all', () => {
    const packs = [
      packNumber(1, { waste: 30 * MIB }),
      packNumber(2, { waste: 20 * MIB }),
      packNumber(3, { isMarked: true, waste: 10 * MIB }),
    ];
    const plan = planPrune(packs, { ...NO_LIMITS, maxUnused: { bytes: 0 } });
    expect(leaveOut(plan, [packs[1]!, packs[2]!])).toEqual({
      unused: [],
      rewritten: [1],
      left: [3],
      forgone: 2,
      bytesUnused: 0,
      bytesRewritten: 32 * MIB,
      bytesKept: 64 * MIB,
      wasteKept: 30 * MIB,
    });
    expect(leaveOut(plan, [])).toEqual(plan);
  });

  test('whatever the packs: each has one fate, and the limits hold', () => {
    const limitsArbitrary = fc.record({
      fraction: fc.double({ min: 0, max: 1, noNaN: true }),
      maxRepackBytes: fc.constantFrom(Number.POSITIVE_INFINITY, 0, 50 * MIB),
      roomBytes: fc.constantFrom(Number.POSITIVE_INFINITY, 0, 50 * MIB),
    });
    fc.assert(
      fc.property(plannedArbitrary, limitsArbitrary, (packs, { fraction, maxRepackBytes, roomBytes }) => {
        const plan = planPrune(packs, {
          ...NO_LIMITS,
          ...{ maxUnused: { fraction }, maxRepackBytes, roomBytes },
        });
        const of = (numbers: readonly number[]) => numbers.map((number) => packs[number]!);
        const sum = (some: readonly PlannedPack[], key: 'size' | 'waste') =>
          some.reduce((total, pack) => total + pack[key], 0);
        const fates = [...plan.unused, ...plan.rewritten, ...plan.left];
        expect(new Set(fates).size).toBe(fates.length);
        expect(of(plan.unused)).toEqual(packs.filter(({ isUsed }) => !isUsed));
        const rewritten = of(plan.rewritten);
        expect(rewritten.every(({ isUsed, isBad }) => isUsed && !isBad)).toBe(true);
        expect(of(plan.left).every(({ isMarked }) => isMarked)).toBe(true);
        for (const { isMarked, number } of packs) if (isMarked) expect(fates).toContain(number);
        expect(sum(rewritten, 'size') - sum(rewritten, 'waste')).toBeLessThanOrEqual(roomBytes);
        const chosen = rewritten.filter(({ isMarked }) => !isMarked);
        expect(sum(chosen, 'size')).toBeLessThanOrEqual(maxRepackBytes);
        const kept = packs.filter(({ isUsed, number }) => isUsed && !plan.rewritten.includes(number));
        expect(plan).toMatchObject({ bytesKept: sum(kept, 'size'), wasteKept: sum(kept, 'waste') });
        if (maxRepackBytes + roomBytes < Number.POSITIVE_INFINITY) return;
        if (maxRepackBytes !== roomBytes) return;
        const sound = kept.filter(({ isBad }) => !isBad);
        const used = packs.filter(({ isUsed }) => isUsed);
        const inUse = sum(used, 'size') - sum(used, 'waste');
        const allowed = fraction >= 1 ? Number.POSITIVE_INFINITY : (fraction / (1 - fraction)) * inUse;
        expect(sum(sound, 'waste')).toBeLessThanOrEqual(allowed);
      }),
    );
  });
});

describe('index segments that must be written anew', () => {
  const segment = (size: number, ...packs: number[]): SizedSegment => ({ name: randomDigest(), size, packs });
  const stays = (condemned: readonly number[], segments: readonly SizedSegment[], room: number) =>
    [...withoutRoom(new Set(condemned), segments, room)].sort();

  test('keep their packs where there is no room for them, the largest first', () => {
    const segments = [segment(500, 1, 10), segment(100, 2, 11), segment(900, 12)];
    expect(stays([1, 2], segments, 600)).toEqual([]);
    expect(stays([1, 2], segments, 599)).toEqual([1]);
    expect(stays([1, 2], segments, 99)).toEqual([1, 2]);
  });

  test('need no room when all their packs go', () => {
    expect(stays([1, 2], [segment(500, 1, 2)], 0)).toEqual([]);
    // One of them stays for the sake of another segment, and so this one has to be written anew as well.
    expect(stays([1, 2], [segment(500, 1, 2), segment(700, 2, 3)], 100)).toEqual([1, 2]);
    expect(stays([1, 2], [segment(500, 1, 2), segment(700, 2, 3)], 500)).toEqual([2]);
  });
});

test('condemned packs: a mark is never taken back', () => {
  const [a, b, c] = [randomDigest(), randomDigest(), randomDigest()];
  const condemned = new CondemnedPacks([a]);
  condemned.add(b);
  condemned.add(c);
  condemned.leave(a);
  condemned.leave(b);
  expect([...condemned.names].sort()).toEqual([a, c].sort());
  expect([...condemned.left]).toEqual([a]);
  expect([...condemned.swept]).toEqual([c]);
  condemned.setMarked();
  condemned.leave(c);
  expect([...condemned.names].sort()).toEqual([a, c].sort());
  expect([...condemned.swept]).toEqual([]);
});

const idOf = (label: string | number): ChunkId => chunkIdAt(noise(32, label));

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

/** What usage asks of a cache. */
function cacheOf(packs: readonly CachedPack[], places: ReadonlyMap<ChunkId, readonly ChunkPlace[]>) {
  return {
    chunkNumberLimit: 1,
    lookup: (id: ChunkId) => places.get(id)?.[0],
    places: (id: ChunkId) => places.get(id) ?? [],
    pack: (number: number) => packs.find((pack) => pack.number === number),
  } as unknown as RepositoryCache;
}

describe('the use of chunks', () => {
  const packs = cachedPacks([3, 2, 2]);
  const [one, two, three] = packs as [CachedPack, CachedPack, CachedPack];
  const places = new Map([
    [idOf('in one'), [{ pack: 1, block: 2, ordinal: 9 }]],
    [idOf('in two'), [{ pack: 2, block: 0, ordinal: 0 }]],
    [
      idOf('in all'),
      [
        { pack: 1, block: 0, ordinal: 0 },
        { pack: 2, block: 1, ordinal: 3 },
        { pack: 3, block: 0, ordinal: 5 },
      ],
    ],
  ]);
  const see = (usage: ChunkUsage, label: string) => usage.see({ id: idOf(label), length: 100 });

  test('is noted once for each chunk, at one place', () => {
    const usage = new ChunkUsage(cacheOf(packs, places), () => 0);
    expect(see(usage, 'in one')).toBe(true);
    expect(see(usage, 'in one')).toBe(false);
    expect(see(usage, 'in two')).toBe(true);
    expect(see(usage, 'in all')).toBe(true);
    expect(see(usage, 'in all')).toBe(false);
    expect(usage.isUsed(one, 2, 9)).toBe(true);
    expect(usage.isUsed(one, 2, 8)).toBe(false);
    expect(usage.isUsed(one, 0, 0)).toBe(true);
    expect(usage.isUsed(two, 1, 3)).toBe(false);
    expect(usage.use(one)).toMatchObject({ chunks: 2, plain: Float64Array.of(100, 0, 100) });
    expect(usage.use(three)).toBeUndefined();
    expect(wasteOf(one, usage.use(one))).toBe(3 * 700 - 140);
    expect(wasteOf(three, usage.use(three))).toBe(three.size);
  });

  test.each([
    ['the first place', [0, 0, 0], 1],
    ['not a condemned pack', [1, 0, 0], 2],
    ['not a damaged pack', [2, 1, 0], 3],
    ['a condemned pack, which can be copied, rather than a damaged one', [2, 1, 2], 2],
    ['a damaged pack where there is no other', [3, 2, 3], 2],
  ])('is counted at %s', (_, ranks, expected) => {
    const usage = new ChunkUsage(cacheOf(packs, places), ({ number }) => ranks[number - 1]!);
    expect(see(usage, 'in all')).toBe(true);
    expect(packs.filter((pack) => usage.use(pack) !== undefined).map(({ number }) => number)).toEqual([
      expected,
    ]);
  });

  test('cannot be told of a chunk that is nowhere, nor of one whose pack is gone', () => {
    const usage = new ChunkUsage(cacheOf([two], places), () => 0);
    expect(() => see(usage, 'nowhere')).toThrow(/no index segment names it/);
    expect(() => see(usage, 'in one')).toThrow(/no index segment names it/);
  });

  test('the least waste is waste', () => {
    const usage = new ChunkUsage(cacheOf(packs, places), () => 0);
    const [pack] = cachedPacks([1]) as [CachedPack];
    const large = { ...pack, blocks: [{ stored: 700, plain: 1e9, chunks: 10 }] };
    expect(wasteOf(large, { chunks: 9, plain: Float64Array.of(1e9 - 1), bits: new ChunkBits(10) })).toBe(1);
    expect(wasteOf(large, { chunks: 10, plain: Float64Array.of(1e9), bits: new ChunkBits(10) })).toBe(0);
    expect(usage.use(pack)).toBeUndefined();
  });
});

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
});

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
