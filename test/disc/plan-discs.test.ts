import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { FITS, type Fit } from '../../dist/disc/index.js';
import { type DiscFile, inSectors } from '../../dist/disc/set/disc-file.js';
import {
  type DiscDraft,
  type GroupedPack,
  type PlannedDisc,
  type PlanPack,
  planDiscs,
} from '../../dist/disc/set/plan-discs.js';

/** How packs are divided among discs, with a measure of its own instead of xorriso's. */

const MIB = 2 ** 20;
/** What a disc has beside files: less than the estimate says, as with xorriso. */
const FIXED_BYTES = 600_000;
/** What each file costs beside its sectors; less than the estimate says, too. */
const ENTRY_BYTES = 500;
const INDEX_BYTES = 50;

const packOf = (i: number, size: number): PlanPack => ({
  name: i.toString(16).padStart(64, '0'),
  size,
  chunks: Math.ceil(size / 100_000),
  blocks: 1,
});

const dataOf = (sizes: readonly number[], groupOf: (i: number) => number = () => 0): GroupedPack[] =>
  sizes.map((size, i) => ({ ...packOf(i, size), group: groupOf(i) }));

const measured = (files: readonly DiscFile[], entryBytes = ENTRY_BYTES): number =>
  inSectors(FIXED_BYTES + files.reduce((sum, { size }) => sum + inSectors(size) + entryBytes, 0));

interface Plan {
  readonly capacity: number;
  readonly fit?: Fit;
  readonly tree?: readonly PlanPack[];
  readonly entryBytes?: number;
  readonly needsDisc?: boolean;
}

/** Plans, and counts how often was measured. */
async function plan(
  data: readonly GroupedPack[],
  { capacity, fit = 'best', tree = [], entryBytes, needsDisc = false }: Plan,
) {
  const filesOf = (draft: DiscDraft): DiscFile[] => {
    const own = [...draft.data, ...draft.tree];
    const listed = draft.index === 'all' ? [...data, ...tree] : own;
    const chunks = listed.reduce((sum, each) => sum + each.chunks, 0);
    return [
      { to: 'index/one', size: INDEX_BYTES * chunks },
      ...own.map(({ name, size }) => ({ to: `packs/${name.slice(-2)}/${name}`, size })),
    ];
  };
  let measurings = 0;
  const measure = async (files: readonly DiscFile[]): Promise<number> => {
    measurings++;
    return measured(files, entryBytes);
  };
  const discs = await planDiscs({ data, needsDisc, tree, capacity, fit, filesOf, measure });
  return { discs, filesOf, measurings };
}

const names = (packs: readonly PlanPack[]): string[] => packs.map(({ name }) => name);

describe('whatever is to be divided', () => {
  test('each pack is on one disc, no disc is too full, and nothing that still fitted was left for later', async () => {
    const sizes = fc.array(fc.integer({ min: 1, max: 3 * MIB }), { minLength: 1, maxLength: 60 });
    await fc.assert(
      fc.asyncProperty(
        sizes,
        fc.array(fc.integer({ min: 1, max: 100_000 }), { maxLength: 10 }),
        fc.integer({ min: 6 * MIB, max: 20 * MIB }),
        fc.constantFrom(...FITS),
        fc.integer({ min: 1, max: 6 }),
        async (dataSizes, treeSizes, bytes, fit, groups) => {
          const capacity = Math.floor(bytes / 2048) * 2048;
          const data = dataOf(dataSizes, (i) => i % groups);
          const tree = treeSizes.map((size, i) => packOf(1000 + i, size));
          const { discs, filesOf } = await plan(data, { capacity, fit, tree });
          expect(discs.flatMap((disc) => names(disc.data)).sort()).toEqual(names(data).sort());
          const last = discs.at(-1)!;
          expect(names(last.tree)).toEqual(names(tree));
          expect(last.index).toBe('all');
          let left: readonly GroupedPack[] = data;
          for (const disc of discs) {
            expect(disc.imageBytes).toBeLessThanOrEqual(capacity);
            expect(disc.imageBytes).toBe(measured(filesOf(disc)));
            left = left.filter((pack) => !disc.data.includes(pack));
            if (disc === last) break;
            expect(disc.data.length).toBeGreaterThan(0);
            // A few sectors for the entries of one more are what the plan may waste.
            const free = capacity - disc.imageBytes;
            for (const pack of left) expect(free).toBeLessThan(inSectors(pack.size) + 5 * 2048);
          }
        },
      ),
      { numRuns: 200 },
    );
  });
});

test.each([8500, 20_000])(
  'where an image becomes larger than the estimate said, less goes on it: %i',
  async (entryBytes) => {
    const data = dataOf(Array.from({ length: 300 }, (_, i) => 100_000 + i));
    const capacity = 4096 * 2048;
    const { discs } = await plan(data, { capacity, entryBytes });
    expect(discs.length).toBeGreaterThan(3);
    for (const { imageBytes } of discs) expect(imageBytes).toBeLessThanOrEqual(capacity);
    for (const { imageBytes } of discs.slice(0, -1)) expect(imageBytes).toBeGreaterThan(0.9 * capacity);
    expect(discs.flatMap((disc) => names(disc.data)).sort()).toEqual(names(data));
  },
);

describe('what is needed together', () => {
  const order = (discs: readonly PlannedDisc[]): number[] =>
    discs.flatMap(({ data }) => data.map(({ group }) => group));

  test('comes group by group, whatever the sizes are', async () => {
    const sizes = Array.from({ length: 40 }, (_, i) => MIB + ((i * 7919) % 1000) * 1000);
    for (const fit of FITS) {
      // The second snapshot has the largest packs, and the third the smallest.
      const data = dataOf(
        sizes.map((size, i) => (i % 3 === 1 ? 2 * size : i % 3 === 2 ? size / 2 : size)).map(Math.floor),
        (i) => i % 3,
      );
      const { discs } = await plan(data, { capacity: 12 * MIB, fit });
      expect(discs.length).toBeGreaterThan(3);
      for (const [i, disc] of discs.entries()) {
        const groups = disc.data.map(({ group }) => group);
        expect(groups, `disc ${i}, ${fit}`).toEqual([...groups].sort());
      }
      // A group begins only where no pack of one before it would have fitted: most of the first is in front.
      const half = order(discs).slice(0, 7);
      expect(half.filter((group) => group === 0).length).toBeGreaterThanOrEqual(5);
    }
  });

  test('in the order given with the fit "first"', async () => {
    const data = dataOf(Array.from({ length: 12 }, () => MIB));
    const { discs } = await plan(data, { capacity: 6 * MIB, fit: 'first' });
    expect(discs.flatMap((disc) => names(disc.data))).toEqual(names(data));
  });
});

describe('what is on every disc', () => {
  test('trees and the whole index on the last one, on others what is small', async () => {
    const data = dataOf(Array.from({ length: 30 }, () => MIB));
    const small = [packOf(900, 100_000), packOf(901, 100_000)];
    const shared = await plan(data, { capacity: 10 * MIB, tree: small });
    for (const disc of shared.discs) {
      expect(names(disc.tree)).toEqual(names(small));
      expect(disc.index).toBe('all');
    }
    const large = [packOf(900, 3 * MIB), packOf(901, 100_000), packOf(902, 2 * MIB)];
    const { discs } = await plan(data, { capacity: 10 * MIB, tree: large });
    for (const disc of discs.slice(0, -1)) expect(names(disc.tree)).toEqual(names(large.slice(1, 2)));
    expect(names(discs.at(-1)!.tree)).toEqual(names(large));
    expect(discs.at(-1)!.index).toBe('all');
  });

  test('a disc of its own, when it does not fit beside the last packs', async () => {
    const data = dataOf(Array.from({ length: 5 }, () => MIB));
    const tree = [packOf(900, 6 * MIB)];
    const { discs } = await plan(data, { capacity: 8 * MIB, tree });
    expect(discs.map((disc) => [disc.data.length, disc.tree.length])).toEqual([
      [5, 0],
      [0, 1],
    ]);
  });

  test('more than a disc holds: refused', async () => {
    const tree = [packOf(900, 9 * MIB)];
    const refused = plan(dataOf([MIB]), { capacity: 8 * MIB, tree });
    await expect(refused).rejects.toMatchObject({
      code: 'usage',
      message: `what a restore needs beside the content of files does not fit on a disc, which holds ${8 * MIB} bytes`,
      hint: expect.stringContaining('larger media'),
    });
  });
});

test('a pack that is larger than a disc is refused', async () => {
  const refused = plan(dataOf([MIB, 9 * MIB, MIB]), { capacity: 8 * MIB });
  await expect(refused).rejects.toMatchObject({
    code: 'usage',
    message: expect.stringContaining(`a pack of ${9 * MIB} bytes does not fit`),
  });
});

test('no disc for no packs, and one for few, measured once', async () => {
  expect((await plan([], { capacity: 8 * MIB, tree: [packOf(900, 1000)] })).discs).toEqual([]);
  const needed = await plan([], { capacity: 8 * MIB, tree: [packOf(900, 1000)], needsDisc: true });
  expect(needed.discs.map(({ data, tree }) => [data.length, tree.length])).toEqual([[0, 1]]);
  const { discs, measurings } = await plan(dataOf([1, MIB, 5000]), { capacity: 8 * MIB });
  expect(discs).toHaveLength(1);
  expect(measurings).toBe(1);
});

test('a thousand packs are measured a few times for each disc', async () => {
  const data = dataOf(Array.from({ length: 1000 }, (_, i) => 500_000 + ((i * 7919) % 500_000)));
  const { discs, measurings } = await plan(data, { capacity: 50 * MIB });
  expect(measurings).toBeLessThanOrEqual(7 * discs.length);
});
