import { createHash, randomBytes } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CbrError, decode, encode } from '../../dist/core/index.js';
import {
  addBuild,
  addDiscEvent,
  type CatalogRecord,
  catalogRecord,
  createRecord,
  encodeRecord,
  type PlannedCatalogBuild,
  readDiscCatalog,
} from '../../dist/repo/index.js';
import { mutated } from '../core/mutations.js';
import { runs } from '../core/runs.js';
import { type Scratch, scratchRepository } from '../snapshot/scratch-repository.js';

const BY = 'ann@dove';
const id = (): string => randomBytes(16).toString('hex');
const pack = (size = 1000) => ({ name: randomBytes(32).toString('hex'), size });
const disc = (number: number) => ({ id: id(), number, volume: `DVD_${number}`, packs: [pack(), pack(7)] });

function build(first = 1, count = 2, changes: Partial<PlannedCatalogBuild> = {}): PlannedCatalogBuild {
  return {
    id: id(),
    set: 'home',
    content: 'all',
    medium: 'dvd+r',
    sectors: 2_295_104,
    snapshots: [id(), id()],
    discs: Array.from({ length: count }, (_, i) => disc(first + i)),
    ...changes,
  };
}

const read = (at: Scratch) => at.use((repository) => readDiscCatalog(repository));
const add = (at: Scratch, each: PlannedCatalogBuild, time = 10) =>
  at.use((repository) => addBuild(repository, each, BY, time));
const happened = (at: Scratch, of: { id: string }, event: 'built' | 'burned' | 'retired', time: number) =>
  at.use((repository) => addDiscEvent(repository, of.id, event, BY, time));
const fileOf = (at: Scratch, number: number | string): string => join(at.repo, 'catalog', String(number));
const numbers = (at: Scratch): string[] => readdirSync(join(at.repo, 'catalog')).sort();

describe('the account of discs', () => {
  test.each([true, false])(
    'tells what was planned and what became of it, encrypted: %s',
    async (encrypted) => {
      const at = await scratchRepository({ encrypted });
      expect(await read(at)).toEqual({ builds: [], unreadable: [], strays: [] });
      const first = build();
      const second = build(3, 1, { content: 'new', set: 'home' });
      const other = build(1, 1, { set: 'photos', medium: '200MiB' });
      await add(at, first, 10);
      await happened(at, first.discs[0]!, 'built', 11);
      await add(at, second, 12);
      await add(at, other, 13);
      await happened(at, first.discs[0]!, 'burned', 14);
      await happened(at, first.discs[1]!, 'built', 15);
      await happened(at, second.discs[0]!, 'retired', 16);
      await happened(at, second.discs[0]!, 'burned', 17);
      const discOf = (of: PlannedCatalogBuild, i: number, state: string, changed: number) => ({
        ...of.discs[i],
        state,
        changed,
        build: of.id,
      });
      expect(await read(at)).toEqual({
        builds: [
          {
            ...first,
            time: 10,
            by: BY,
            discs: [discOf(first, 0, 'burned', 14), discOf(first, 1, 'built', 15)],
          },
          { ...second, time: 12, by: BY, discs: [discOf(second, 0, 'burned', 17)] },
          { ...other, time: 13, by: BY, discs: [discOf(other, 0, 'planned', 13)] },
        ],
        unreadable: [],
        strays: [],
      });
      // A secret is a secret here too.
      expect(readFileSync(fileOf(at, 1)).includes('dvd+r')).toBe(!encrypted);
      expect((await at.check()).findings).toEqual([]);
    },
  );

  test('everybody who writes at the same time is heard, and numbers are given once', async () => {
    const at = await scratchRepository();
    const first = build(1, 12);
    await add(at, first);
    await at.use(async (one) => {
      await at.use(async (two) => {
        await Promise.all(
          first.discs.map((each, i) => addDiscEvent(i % 2 === 0 ? one : two, each.id, 'built', BY, 20 + i)),
        );
        const rivals = [build(13, 2), build(14, 2)];
        const ends = await Promise.allSettled(
          rivals.map((each, i) => addBuild(i === 0 ? one : two, each, BY, 40)),
        );
        expect(ends.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected']);
        const lost = ends.find((end) => end.status === 'rejected');
        expect(lost?.reason).toMatchObject({ code: 'busy', message: 'set "home" has a disc 14 already' });
      });
    });
    const { builds } = await read(at);
    expect(builds).toHaveLength(2);
    expect(builds[0]!.discs.map(({ state, changed }) => [state, changed])).toEqual(
      first.discs.map((_, i) => ['built', 20 + i]),
    );
    expect(numbers(at)).toHaveLength(14);
  });

  test('of a disc that nobody planned is refused, and left aside where it is stored', async () => {
    const at = await scratchRepository();
    await add(at, build());
    await expect(happened(at, { id: id() }, 'built', 11)).rejects.toMatchObject({ code: 'not-found' });
    expect(numbers(at)).toEqual(['1']);
    const stray: CatalogRecord = { disc: { id: randomBytes(16), event: 'burned' }, by: BY, time: 12 };
    await at.use(({ backend, records }) =>
      createRecord(backend, 'catalog', '2', catalogRecord, stray, records),
    );
    expect(await read(at)).toMatchObject({ builds: [{ discs: [{}, {}] }], unreadable: [], strays: ['2'] });
  });
});

describe('damage', () => {
  test('costs the record that has it, and the next one goes above', async () => {
    const at = await scratchRepository();
    const [first, second] = [build(1, 1), build(2, 1)];
    await add(at, first);
    await happened(at, first.discs[0]!, 'built', 11);
    await add(at, second);
    await happened(at, second.discs[0]!, 'built', 13);
    const hurt = readFileSync(fileOf(at, 4));
    hurt[60]! ^= 1;
    writeFileSync(fileOf(at, 5), hurt);
    writeFileSync(fileOf(at, 6), '');
    // Of another number it is another record.
    writeFileSync(fileOf(at, 7), readFileSync(fileOf(at, 4)));
    writeFileSync(fileOf(at, 'notes.txt'), 'not of cbr');
    expect((await read(at)).unreadable).toEqual(['5', '6', '7']);
    expect((await read(at)).builds).toHaveLength(2);
    await happened(at, second.discs[0]!, 'burned', 14);
    expect(numbers(at)).toContain('8');
    expect((await at.check()).findings.map(({ object }) => object)).toEqual([
      'catalog/5',
      'catalog/6',
      'catalog/7',
    ]);
    writeFileSync(fileOf(at, 1), 'gone');
    const left = await read(at);
    expect(left).toMatchObject({ unreadable: ['1', '5', '6', '7'], strays: ['2'] });
    expect(left.builds).toMatchObject([{ id: second.id, discs: [{ state: 'burned', changed: 14 }] }]);
  });

  test('a record of a newer program is none: nobody reads past it', async () => {
    const at = await scratchRepository();
    await add(at, build());
    const content = readFileSync(fileOf(at, 1)).subarray(0, -32);
    content.writeUInt16LE(99, 4);
    const digest = createHash('sha256').update(content).digest();
    writeFileSync(fileOf(at, 2), Buffer.concat([content, digest]));
    await expect(read(at)).rejects.toMatchObject({ code: 'newer-format' });
    await expect(add(at, build(3))).rejects.toMatchObject({ code: 'newer-format' });
  });

  test('what plans a disc again does not take the place of the first', async () => {
    const at = await scratchRepository();
    const first = build(1, 1);
    await add(at, first);
    await add(at, build(2, 1, { id: first.id }));
    await add(at, build(3, 1, { discs: [{ ...first.discs[0]!, number: 3, volume: 'FORGED' }] }));
    const twin = disc(4);
    await add(at, build(4, 1, { discs: [twin, { ...twin, number: 5 }] }));
    expect(await read(at)).toMatchObject({
      builds: [{ id: first.id, discs: [{ number: 1, volume: 'DVD_1' }] }],
      unreadable: ['2', '3', '4'],
    });
  });
});

describe('what the format does not allow', () => {
  const long = 'x'.repeat(65);
  test.each([
    ['a set without a name', { set: '' }],
    ['65 bytes of text', { set: long }],
    ['65 bytes of text', { medium: long }],
    ['no id of 32 hexadecimal digits', { id: 'ABC' }],
    ['no id of 32 hexadecimal digits', { snapshots: ['../../etc/passwd'] }],
    ['no name of a pack', { discs: [{ ...disc(1), packs: [{ name: 'x', size: 1 }] }] }],
    ['33 bytes of text', { discs: [{ ...disc(1), volume: 'V'.repeat(33) }] }],
  ] as const)('is not stored: %s', async (reason, changes) => {
    const at = await scratchRepository();
    await expect(add(at, build(1, 1, changes))).rejects.toMatchObject({
      code: 'limit',
      message: expect.stringContaining(reason),
    });
    expect((await read(at)).builds).toEqual([]);
  });

  const bytes = (count: number) => fc.uint8Array({ minLength: count, maxLength: count });
  const count = fc.integer({ min: 1, max: Number.MAX_SAFE_INTEGER });
  const text = (most: number) => fc.string({ minLength: 1, maxLength: most });
  const planned = fc.record({
    id: bytes(16),
    set: text(64),
    content: fc.constantFrom('all', 'since-full', 'new'),
    medium: text(64),
    sectors: count,
    snapshots: fc.array(bytes(16), { maxLength: 3 }),
    discs: fc.array(
      fc.record({
        id: bytes(16),
        number: count,
        volume: text(32),
        packs: fc.array(fc.record({ name: bytes(32), size: count }), { maxLength: 3 }),
      }),
      { maxLength: 3 },
    ),
  });
  const event = fc.record({ id: bytes(16), event: fc.constantFrom('built', 'burned', 'retired') });
  const record = fc
    .tuple(
      fc.oneof(
        planned.map((each) => ({ build: each })),
        event.map((each) => ({ disc: each })),
      ),
      count,
    )
    .map(([what, time]) => ({ ...what, by: BY, time }) as CatalogRecord);

  test('decodes to what was encoded', () => {
    const property = (each: CatalogRecord): void => {
      expect(decode(catalogRecord, encode(catalogRecord, each), 'catalog')).toEqual(each);
    };
    fc.assert(fc.property(record, property), runs(300));
  });

  test('mutated bytes are a value or an error of ours', () => {
    const samples = fc.sample(record, 20).map((each) => encode(catalogRecord, each));
    fc.assert(
      fc.property(mutated(samples), (wrong) => {
        try {
          const value = decode(catalogRecord, wrong, 'catalog');
          expect(encode(catalogRecord, value).equals(Buffer.from(wrong))).toBe(true);
        } catch (error) {
          expect(error).toBeInstanceOf(CbrError);
        }
      }),
      runs(1000),
    );
  });

  test('both or neither of build and disc is no event', async () => {
    const at = await scratchRepository();
    await at.use(async ({ records }) => {
      const [both] = fc.sample(fc.tuple(planned, event), 1);
      for (const what of [{}, { build: both![0], disc: both![1] }]) {
        const value = { ...what, by: BY, time: 1 } as CatalogRecord;
        expect(() => encodeRecord('catalog', '1', catalogRecord, value, records)).toThrow(
          'either a build or a disc is expected',
        );
      }
    });
  });
});
