import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CHUNK_ID_BYTES, type ChunkId, chunkIdAt, type ObjectDigest } from '../../dist/core/index.js';
import type { RepositoryCache } from '../../dist/repo/cache/index.js';
import { replaceBySound } from '../../dist/repo/cache/walk-in-child.js';
import type { Author, IndexSegment } from '../../dist/repo/index-segment.js';
import {
  chunkId,
  digest,
  open,
  plainPack,
  plainSegment,
  type SamplePack,
  segmentOf,
  session,
  summaryOf,
} from './samples.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'cbr-test-'));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

/** What the cache must know: segments, the packs they name, and the packs that are there. */
class Model {
  readonly segments = new Map<
    ObjectDigest,
    { readonly packs: readonly SamplePack[]; readonly author: Author }
  >();
  readonly packs = new Map<ObjectDigest, { readonly pack: SamplePack; readonly named: Set<ObjectDigest> }>();

  add(name: ObjectDigest, packs: readonly SamplePack[], author: Author): void {
    if (this.segments.has(name)) return;
    this.segments.set(name, { packs, author });
    for (const pack of packs) {
      const known = this.packs.get(pack.name) ?? { pack, named: new Set() };
      known.named.add(name);
      this.packs.set(pack.name, known);
    }
  }

  remove(names: readonly ObjectDigest[]): void {
    for (const name of names) {
      this.segments.delete(name);
      for (const [packName, { named }] of this.packs) {
        if (named.delete(name) && named.size === 0) this.packs.delete(packName);
      }
    }
  }

  drop(names: readonly ObjectDigest[]): void {
    for (const name of names) this.packs.delete(name);
  }

  /** The places of every chunk, as text. */
  places(): Map<ChunkId, string[]> {
    const places = new Map<ChunkId, string[]>();
    for (const { pack } of this.packs.values()) {
      pack.blocks.forEach((ids, block) => {
        ids.forEach((id, ordinal) => {
          places.set(id, [...(places.get(id) ?? []), `${pack.name} ${block} ${ordinal}`]);
        });
      });
    }
    return places;
  }
}

const ALL_CHUNKS = Array.from({ length: 40 }, (_, i) => chunkId(i));

function expectSame(cache: RepositoryCache, model: Model): void {
  const places = model.places();
  const shown = (place: { pack: number; block: number; ordinal: number }) =>
    `${cache.pack(place.pack)?.name} ${place.block} ${place.ordinal}`;
  const numbers: number[] = [];
  for (const id of ALL_CHUNKS) {
    const expected = places.get(id) ?? [];
    const found = cache.places(id);
    expect(found.map(shown).sort()).toEqual([...expected].sort());
    expect(cache.has(id)).toBe(expected.length > 0);
    const first = cache.lookup(id);
    expect(first && shown(first)).toBe(found[0] && shown(found[0]));
    for (const place of found) {
      const pack = cache.pack(place.pack)!;
      numbers.push(pack.firstChunk + pack.blockStarts[place.block]! + place.ordinal);
    }
  }
  expect(new Set(numbers).size).toBe(numbers.length);
  expect(Math.max(-1, ...numbers)).toBeLessThan(cache.chunkNumberLimit || 1);
  expect(cache.packNames()).toEqual([...model.packs.keys()].sort());
  for (const [name, { pack }] of model.packs) expect(cache.packNamed(name)).toMatchObject(summaryOf(pack));
  const segments = cache.segments();
  expect(new Map([...segments].map(([name, { author }]) => [name, author]))).toEqual(
    new Map([...model.segments].map(([name, { author }]) => [name, author])),
  );
  for (const [name, { named }] of model.packs) {
    const numbersOfPack = [...named].map((each) => segments.get(each)!.number);
    expect([...cache.packNamed(name)!.segments].sort()).toEqual(numbersOfPack.sort());
  }
  expect(cache.counts()).toEqual({
    chunks: places.size,
    packs: model.packs.size,
    segments: model.segments.size,
    bytes: [...model.packs.values()].reduce((sum, { pack }) => sum + summaryOf(pack).size, 0),
  });
  expect(cache.fresh).toBe(model.segments.size === 0);
}

/** Twelve packs over forty chunks, so that chunks have copies in other packs and within their own. */
const PACKS: readonly SamplePack[] = Array.from({ length: 12 }, (_, pack) => ({
  name: digest(`pack ${pack}`),
  blocks: Array.from({ length: 1 + (pack % 3) }, (_, block) =>
    Array.from({ length: 3 }, (_, i) => ALL_CHUNKS[(pack * 5 + block * 7 + i * i * (1 + (pack % 2))) % 40]!),
  ),
}));

const somePacks = fc.uniqueArray(fc.nat(11), { minLength: 1, maxLength: 5 });
const someSegments = fc.uniqueArray(fc.nat(7), { minLength: 1, maxLength: 4 });
const step = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({ do: fc.constant('add' as const), segments: someSegments, packs: somePacks }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('remove' as const), segments: someSegments }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop' as const), packs: somePacks }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('reopen' as const) }) },
);

function authorOf(segment: number): Author {
  return segment % 2 === 0
    ? { kind: 'session', session: session(`${segment}`) }
    : { kind: 'prune', epoch: 2 ** 40 + segment };
}

/** The segment without the rows of other chunks. */
function onlyWith(segment: IndexSegment, ids: ReadonlySet<ChunkId>): IndexSegment {
  const { chunks } = segment;
  const kept = Array.from({ length: chunks.count }, (_, row) => row).filter((row) =>
    ids.has(chunkIdAt(chunks.ids, row * CHUNK_ID_BYTES)),
  );
  return {
    ...segment,
    chunks: {
      count: kept.length,
      ids: Buffer.concat(
        kept.map((row) => chunks.ids.subarray(row * CHUNK_ID_BYTES, (row + 1) * CHUNK_ID_BYTES)),
      ),
      packs: Uint32Array.from(kept, (row) => chunks.packs[row]!),
      blocks: Uint16Array.from(kept, (row) => chunks.blocks[row]!),
      ordinals: Uint16Array.from(kept, (row) => chunks.ordinals[row]!),
      lengths: Uint32Array.from(kept, (row) => chunks.lengths[row]!),
    },
  };
}

/** What a killed process would leave passes the walk: the rows of every pack come to what its record says. */
async function expectTallied(folder: string): Promise<void> {
  expect(await replaceBySound(join(folder, 'data.mdb'))).toBeUndefined();
}

describe('the chunk index', () => {
  test('agrees with a plain model after any sequence of changes', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 15 }), async (steps) => {
        const place = mkdtempSync(join(folder, 'run-'));
        const model = new Model();
        const said: string[] = [];
        let cache = await open(place, said);
        for (const each of steps) {
          if (each.do === 'add') {
            const added = each.segments.map((segment, i) => {
              const packs = each.packs.map((pack) => PACKS[(pack + i) % 12]!);
              return { name: digest(`segment ${segment}`), packs, author: authorOf(segment) };
            });
            for (const { name, packs, author } of added) model.add(name, packs, author);
            await cache.addSegments(added.map(({ name, packs, author }) => [name, segmentOf(packs, author)]));
          } else if (each.do === 'remove') {
            const names = each.segments.map((segment) => digest(`segment ${segment}`));
            model.remove(names);
            await cache.removeSegments(names);
          } else if (each.do === 'drop') {
            const names = each.packs.map((pack) => PACKS[pack]!.name);
            model.drop(names);
            await cache.dropPacks(names);
          } else {
            await cache.close();
            cache = await open(place, said);
          }
          expectSame(cache, model);
        }
        await cache.close();
        expect(said).toEqual([]);
        await expectTallied(place);
      }),
      { numRuns: process.env.CBR_SOAK === '1' ? 1000 : 60 },
    );
  });

  test('takes a segment of the largest size beside a filled index, and gives it up again', async () => {
    const cache = await open(folder);
    const first = plainSegment('first', 3, 100);
    const large = plainSegment('large', 50, 4000);
    await cache.addSegment(first.name, first.segment);
    const adding = cache.addSegment(large.name, large.segment);
    const removing = cache.removeSegments([first.name]);
    await Promise.all([adding, removing]);
    expect(cache.counts()).toMatchObject({ chunks: 200_000, packs: 50, segments: 1 });
    const { packs } = large;
    for (const pack of packs) {
      pack.blocks.forEach((ids, block) => {
        const place = cache.lookup(ids.at(-1)!)!;
        expect(place).toEqual({ pack: cache.packNamed(pack.name)!.number, block, ordinal: ids.length - 1 });
      });
    }
    expect(first.packs.flatMap(({ blocks }) => blocks.flat()).some((id) => cache.has(id))).toBe(false);
    await cache.dropPacks(packs.slice(1).map(({ name }) => name));
    expect(cache.counts()).toMatchObject({ chunks: 4000, packs: 1, segments: 1 });
    await cache.close();
  });

  test('answers rightly while it is changed', async () => {
    const cache = await open(folder);
    const large = plainSegment('large', 10, 7000);
    // The first half of the same chunks, in other packs.
    const copies = large.packs.slice(0, 5).map(({ blocks }, i) => ({ name: digest(`copy ${i}`), blocks }));
    const author: Author = { kind: 'prune', epoch: 1 };
    const ids = large.packs.flatMap(({ blocks }) => blocks.flat());
    const copied = new Set(copies.flatMap(({ blocks }) => blocks.flat()));
    let rounds = 0;
    const watch = async (change: Promise<void>, mayBeIn: (id: ChunkId) => readonly string[]) => {
      let done = false;
      const end = change.finally(() => {
        done = true;
      });
      for (; !done; rounds++) {
        for (let i = rounds % 97; i < ids.length; i += 97) {
          const place = cache.lookup(ids[i]!);
          const pack = place && cache.pack(place.pack)!.name;
          expect(mayBeIn(ids[i]!)).toContain(pack ?? 'nowhere');
          expect(cache.has(ids[i]!)).toBe(place !== undefined);
        }
        await setImmediate();
      }
      await end;
    };
    const home = new Map(
      large.packs.flatMap(({ name, blocks }) => blocks.flat().map((id) => [id, name] as const)),
    );
    const copy = new Map(
      copies.flatMap(({ name, blocks }) => blocks.flat().map((id) => [id, name] as const)),
    );
    const small = plainSegment('small', 1, 1);
    await cache.addSegment(small.name, small.segment);
    await watch(cache.addSegment(large.name, large.segment), (id) => ['nowhere', home.get(id)!]);
    await watch(cache.addSegment(digest('copies'), segmentOf(copies, author)), (id) => [home.get(id)!]);
    const start = rounds;
    const removing = cache.removeSegments([large.name]);
    await Promise.resolve();
    await Promise.resolve();
    await watch(removing, (id) => (copied.has(id) ? [copy.get(id)!] : ['nowhere']));
    expect(rounds - start).toBeGreaterThan(1);
    expect(cache.counts()).toMatchObject({ chunks: 35_001, packs: 6, segments: 2 });
    await cache.close();
  });

  test.each([
    ['one transaction', 3],
    ['several transactions', 10_000],
  ])('takes further rows of a pack it knows, in %s, and keeps them', async (_, scale) => {
    const pack = plainPack('pack', 4 * scale);
    const fresh = plainPack('fresh', scale);
    const whole = segmentOf([pack, fresh], authorOf(1));
    const ids = pack.blocks.flat();
    const half = new Set(ids.filter((_id, i) => i % 2 === 0));
    const first = onlyWith(segmentOf([pack], authorOf(0)), half);
    const small = plainSegment('small', 1, 1);
    const cache = await open(folder);
    await cache.addSegment(small.name, small.segment);
    await cache.addSegment(digest('first'), first);
    const rowsOf = (name: ObjectDigest) => cache.packNamed(name)?.tally.rows;
    expect(ids.filter((id) => cache.has(id))).toHaveLength(2 * scale);
    expect(rowsOf(pack.name)).toBe(2 * scale);
    // The same rows again: nothing is added. Then the rest, beside a new pack, and with the pack listed twice.
    await cache.addSegment(digest('again'), first);
    expect(rowsOf(pack.name)).toBe(2 * scale);
    await cache.addSegment(digest('whole'), { ...whole, packs: [...whole.packs, whole.packs[0]!] });
    const expectAll = () => {
      expect(ids.filter((id) => cache.places(id).length !== 1)).toEqual([]);
      expect([rowsOf(pack.name), rowsOf(fresh.name)]).toEqual([4 * scale, scale]);
      expect(cache.counts()).toMatchObject({ chunks: 5 * scale + 1, packs: 3 });
    };
    expectAll();
    await cache.removeSegments([digest('first'), digest('again')]);
    expectAll();
    await cache.close();
    await expectTallied(folder);
  });

  test('agrees with its rows when adding further ones breaks off', async () => {
    const pack = plainPack('pack', 70_000);
    const half = new Set(pack.blocks.flat().filter((_id, i) => i % 2 === 0));
    const broken = segmentOf([pack], authorOf(1));
    broken.chunks.ordinals[broken.chunks.count - 1] = 16;
    const cache = await open(folder);
    await cache.addSegment(digest('first'), onlyWith(segmentOf([pack], authorOf(0)), half));
    await expect(cache.addSegment(digest('broken'), broken)).rejects.toMatchObject({ code: 'format' });
    expect(cache.segments().size).toBe(1);
    // What was written before is right, since a pack is the same whoever names it.
    expect(cache.counts().chunks).toBeGreaterThan(35_000);
    expect(cache.packNamed(pack.name)!.tally.rows).toBe(cache.counts().chunks);
    await cache.close();
    await expectTallied(folder);
  });

  test('counts the rows of every pack whatever segments name it', async () => {
    const cache = await open(folder);
    const shared = { name: digest('shared'), blocks: [[chunkId(1), chunkId(2), chunkId(1), chunkId(3)]] };
    const copy = { name: digest('copy'), blocks: [[chunkId(2), chunkId(3)], [chunkId(4)]] };
    const named = (label: string, packs: SamplePack[]) =>
      [digest(label), segmentOf(packs, authorOf(0))] as const;
    // Built from nothing, with rows that come twice; then one at a time.
    await cache.addSegments([named('a', [shared, copy]), named('b', [copy, shared]), named('c', [copy])]);
    const rows = () => [shared, copy].map(({ name }) => cache.packNamed(name)?.tally.rows);
    expect(rows()).toEqual([4, 3]);
    await cache.addSegment(...named('d', [shared, copy, shared]));
    expect(rows()).toEqual([4, 3]);
    await cache.dropPacks([shared.name]); // the copies take its place
    expect(rows()).toEqual([undefined, 3]);
    await cache.addSegment(...named('e', [copy, shared]));
    expect(rows()).toEqual([4, 3]);
    await cache.close();
    await expectTallied(folder);
  });

  test('is empty again when filling it breaks off', async () => {
    const cache = await open(folder);
    const good = plainSegment('good', 2, 50);
    async function* broken() {
      yield [good.name, good.segment] as const;
      throw new Error('the network is gone');
    }
    await expect(cache.addSegments(broken())).rejects.toThrow('the network is gone');
    expect(cache.fresh).toBe(true);
    expect(cache.counts()).toEqual({ chunks: 0, packs: 0, segments: 0, bytes: 0 });
    await cache.addSegment(good.name, good.segment);
    expect(cache.counts().chunks).toBe(100);
    await cache.close();
  });

  test('refuses a segment that is not sorted, or places chunks outside of its packs', async () => {
    const pack = plainPack('pack', 40);
    const author: Author = { kind: 'prune', epoch: 1 };
    const unsorted = segmentOf([pack], author);
    unsorted.chunks.ids.subarray(0, 32).fill(255);
    const outside = segmentOf([pack], author);
    outside.chunks.ordinals[3] = 16;
    const cache = await open(folder);
    for (const segment of [unsorted, outside]) {
      await expect(cache.addSegment(digest('bad'), segment)).rejects.toMatchObject({ code: 'format' });
      expect(cache.counts()).toEqual({ chunks: 0, packs: 0, segments: 0, bytes: 0 });
    }
    const good = plainSegment('good', 1, 40);
    await cache.addSegment(good.name, good.segment);
    await expect(cache.addSegment(digest('bad'), outside)).rejects.toMatchObject({ code: 'format' });
    expect(cache.counts()).toMatchObject({ chunks: 40, packs: 1, segments: 1 });
    await cache.close();
  });
});
