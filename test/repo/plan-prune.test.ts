import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ChunkId, chunkIdAt, type ObjectDigest } from '../../dist/core/index.js';
import type { CachedPack, ChunkPlace, RepositoryCache } from '../../dist/repo/cache/index.js';
import { ChunkBits, ChunkUsage, wasteOf } from '../../dist/repo/prune/chunk-usage.js';
import { CondemnedPacks } from '../../dist/repo/prune/condemned-packs.js';
import { type SizedSegment, withoutRoom } from '../../dist/repo/prune/fit-segments.js';
import { leaveOut, type PlanLimits, type PlannedPack, planPrune } from '../../dist/repo/prune/plan-prune.js';
import { noise, randomDigest } from './parts.js';

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
      leastForgone: 0,
      bytesCopied: 0,
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
        packNumber(kind === 'data' ? i : 100 + i, { kind, size: 2 * MIB - 1 }),
      );
    expect(planPrune([...small(9, 'data'), ...small(9, 'tree')], NO_LIMITS).rewritten).toEqual([]);
    const packs = [...small(10, 'tree'), ...small(3, 'data'), packNumber(50, { kind: 'tree' })];
    expect(planPrune(packs, NO_LIMITS).rewritten).toEqual(Array.from({ length: 10 }, (_, i) => 100 + i));
    expect(
      planPrune(
        small(10, 'data').map((pack) => ({ ...pack, size: 2 * MIB })),
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
      leastForgone: 12 * MIB,
      bytesCopied: 2 * MIB,
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
