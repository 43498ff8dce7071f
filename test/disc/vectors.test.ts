import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  daysOfWeekSoFar,
  FITS,
  type Fit,
  fitOnDiscs,
  freeBytes,
  nextSessionSector,
  parseMedium,
  sectorOfBlock,
  startsNewDisc,
  WEEKDAYS,
  type Weekday,
} from '../../dist/disc/index.js';
import { estimateBytes } from '../../dist/disc/set/disc-file.js';

/** Facts about media and the fits, by other programs and standards (test/vectors/disc.json), and what always holds. */

interface Case {
  readonly alg: Fit;
  readonly cap: number;
}

const vectors = JSON.parse(readFileSync(join(import.meta.dirname, '../vectors/disc.json'), 'utf8')) as {
  readonly sector: number;
  readonly cd_capacity: {
    readonly media: Readonly<Record<string, { readonly sectors: number; readonly bytes: number }>>;
    readonly cases: readonly {
      readonly media: string;
      readonly boundaries: readonly [number, number] | null;
      readonly available: number;
    }[];
  };
  readonly dvd: {
    readonly true_dvd_plus_r_bytes: number;
    readonly bd_sl_bytes: number;
    readonly seek_to_sectors: readonly (readonly [number, number])[];
    readonly estimate_fudge_sectors: number;
  };
  readonly cushion: {
    readonly cases: readonly {
      readonly capacity_mb: number;
      readonly pct: number;
      readonly real_mb: number;
    }[];
  };
  readonly blanking: { readonly growth_example: { readonly du: readonly number[]; readonly ratio: number } };
  readonly rebuild_days: { readonly days: Readonly<Record<Weekday, number>> };
  readonly fit: {
    readonly items: Readonly<Record<string, number>>;
    readonly cases: readonly (Case & { readonly count: number; readonly used: number })[];
  };
  readonly span: {
    readonly cases: readonly (Case & { readonly discs: readonly (readonly [number, number])[] })[];
    readonly tree21: Readonly<Record<Fit, readonly number[]>> & {
      readonly sizes: readonly number[];
      readonly cap: number;
    };
  };
};

const itemsOf = (sizes: readonly number[]) => sizes.map((size, i) => ({ name: String(i), size }));

describe('media', () => {
  test.each(vectors.cd_capacity.cases)('$media from $boundaries', ({ media, boundaries, available }) => {
    const written = boundaries === null ? undefined : { next: boundaries[1] };
    expect(freeBytes(parseMedium(media)!, written)).toBe(available);
  });

  test('hold what the standards say', () => {
    for (const [name, { sectors, bytes }] of Object.entries(vectors.cd_capacity.media)) {
      expect(parseMedium(name)).toMatchObject({ sectors });
      expect(sectors * vectors.sector).toBe(bytes);
    }
    const bytesOf = (name: string): number => freeBytes(parseMedium(name)!);
    expect(bytesOf('DVD+R')).toBe(vectors.dvd.true_dvd_plus_r_bytes);
    expect(bytesOf('bd-r')).toBe(vectors.dvd.bd_sl_bytes);
    expect(bytesOf('dvd-rw')).toBe(4_707_319_808);
    expect(bytesOf('dvd+r-dl')).toBe(8_547_991_552);
    expect(bytesOf('bd-r-dl')).toBe(50_050_629_632);
    expect(bytesOf('200MiB')).toBe(200 * 2 ** 20);
    expect(bytesOf('5000')).toBe(4096);
    for (const none of ['dvd', '', '2047', '-5', '1e9']) expect(parseMedium(none)).toBeUndefined();
  });

  test.each(vectors.cushion.cases)('$capacity_mb MB less $pct %', ({ capacity_mb, pct, real_mb }) => {
    const medium = { name: 'some', sectors: (capacity_mb * 2 ** 20) / vectors.sector };
    expect(freeBytes(medium, undefined, pct)).toBe(real_mb * 2 ** 20);
  });

  test.each(vectors.dvd.seek_to_sectors)('block %d begins at sector %d', (block, sector) => {
    expect(sectorOfBlock(block)).toBe(sector);
    for (const end of [sector - 15, sector - 1, sector]) expect(nextSessionSector(end)).toBe(sector);
    expect(nextSessionSector(sector + 1)).toBe(sector + 16);
    const dvd = parseMedium('dvd+r')!;
    expect(freeBytes(dvd, { next: sector })).toBe((2_295_104 - sector) * vectors.sector);
  });

  test('what an image needs beside its files stays below what others allow for it', () => {
    const files = Array.from({ length: 200 }, (_, i) => ({
      to: `packs/${i}/${'0'.repeat(64)}`,
      size: 10 ** 7,
    }));
    const content = 200 * vectors.sector * Math.ceil(10 ** 7 / vectors.sector);
    const beside = (estimateBytes(files) - content) / vectors.sector;
    expect(beside).toBeGreaterThan(0);
    expect(beside).toBeLessThan(vectors.dvd.estimate_fudge_sectors);
  });
});

describe('another disc', () => {
  const { du, ratio } = vectors.blanking.growth_example;
  const week = du.reduce((sum, bytes) => sum + bytes, 0);

  test('begins when what is to be written does not fit as often as it should', () => {
    expect(week / du[0]!).toBeCloseTo(ratio, 4);
    const isNew = (available: number, factor?: number): boolean =>
      startsNewDisc({ available, required: du[0]!, ...(factor === undefined ? {} : { factor }) });
    expect(isNew(week, ratio)).toBe(true);
    // The last that is too little, and the first that is enough.
    const edge = ratio * (1 + du[0]!);
    expect([Math.floor(edge), Math.ceil(edge)].map((available) => isNew(available, ratio))).toEqual([
      true,
      false,
    ]);
    expect([isNew(du[0]!), isNew(du[0]! + 1), isNew(du[0]! + 2)]).toEqual([true, true, false]);
    expect(isNew(week, 0)).toBe(false);
    expect(startsNewDisc({ available: 0, required: 0, factor: 0 })).toBe(true);
    expect(startsNewDisc({ available: 4, required: 1, factor: 2 })).toBe(true);
    expect(startsNewDisc({ available: 5, required: 1, factor: 2 })).toBe(false);
  });

  test('is not begun by numbers that are none', () => {
    const sound = { available: 1, required: 1, factor: 1 };
    for (const wrong of [{ available: -1 }, { required: Number.NaN }, { factor: Number.POSITIVE_INFINITY }])
      expect(() => startsNewDisc({ ...sound, ...wrong })).toThrow('a number from 0 on is expected');
  });

  test('of a week has a day more each day', () => {
    for (const day of WEEKDAYS) expect(daysOfWeekSoFar('tue', day)).toBe(vectors.rebuild_days.days[day]);
    for (const day of WEEKDAYS) expect(daysOfWeekSoFar(day, day)).toBe(1);
    expect(daysOfWeekSoFar('mon', 'sun')).toBe(7);
    expect(daysOfWeekSoFar('sun', 'sat')).toBe(7);
  });
});

describe('fits', () => {
  test.each(vectors.fit.cases)('$alg into $cap', ({ alg, cap, count, used }) => {
    const items = Object.entries(vectors.fit.items).map(([name, size]) => ({ name, size }));
    const [first] = fitOnDiscs(items, cap, alg);
    expect([first?.items.length, first?.used]).toEqual([count, used]);
  });

  test.each(vectors.span.cases)('all, $alg into $cap', ({ alg, cap, discs }) => {
    const items = itemsOf([243, 268, 134, 74, 155, 242, ...Array<number>(9).fill(0)]);
    expect(fitOnDiscs(items, cap, alg).map(({ items: on, used }) => [on.length, used])).toEqual(discs);
  });

  test.each(FITS)('a tree, %s', (fit) => {
    const { sizes, cap, [fit]: used } = vectors.span.tree21;
    expect(fitOnDiscs(itemsOf(sizes), cap, fit).map((disc) => disc.used)).toEqual(used);
  });

  test.each(vectors.cushion.cases)('take int(total / $real_mb + 1) discs of $real_mb MB', ({ real_mb }) => {
    // Of pieces that fill a disc without a rest.
    const quarters = real_mb * 4;
    for (const total of [1, quarters - 1, quarters + 1, 3 * quarters - 1, 3 * quarters + 1]) {
      const discs = fitOnDiscs(itemsOf(Array<number>(total).fill(2 ** 18)), real_mb * 2 ** 20, 'best');
      expect(discs).toHaveLength(Math.trunc(total / 4 / real_mb + 1));
    }
  });

  test('put every item on one disc, and never too much on any', () => {
    const property = (sizes: number[], capacity: number, fit: Fit): void => {
      const items = itemsOf(sizes);
      const discs = fitOnDiscs(items, capacity, fit);
      const byName = discs.flatMap((disc) => disc.items).sort((a, b) => Number(a.name) - Number(b.name));
      expect(byName).toEqual(items);
      for (const { items: on, used } of discs) {
        expect(used).toBe(on.reduce((sum, { size }) => sum + size, 0));
        expect(used).toBeLessThanOrEqual(capacity);
      }
      // What is on the last disc did not fit on any before.
      const smallest = Math.min(...(discs.at(-1)?.items ?? []).map(({ size }) => size));
      for (const { used } of discs.slice(0, -1)) expect(used + smallest).toBeGreaterThan(capacity);
    };
    const sizes = fc.array(fc.nat(1000));
    fc.assert(fc.property(sizes, fc.integer({ min: 1000, max: 3000 }), fc.constantFrom(...FITS), property));
  });

  test('what is larger than a disc is refused by name', () => {
    expect(() => fitOnDiscs([{ name: 'film', size: 11 }], 10, 'best')).toThrow(
      '"film" has 11 bytes, and a disc holds 10',
    );
  });
});
