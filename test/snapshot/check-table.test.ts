import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ChunkId, chunkIdAt } from '../../dist/core/index.js';
import { ChunkTable, FLAG } from '../../dist/snapshot/check/chunk-table.js';
import { randomContent } from './random-content.js';

interface Place {
  readonly id: number;
  readonly pack: number;
  readonly block: number;
  readonly ordinal: number;
}

const IDS = randomContent(1, 32 * 40);
const idOf = (id: number): ChunkId => chunkIdAt(IDS, 32 * id);

const places = fc.array(
  fc.record({
    id: fc.nat(39),
    pack: fc.nat(3),
    block: fc.constantFrom(0, 1, 65_535),
    ordinal: fc.constantFrom(0, 65_535),
  }),
  { maxLength: 120 },
);

/** As a list of places, which is what the table stands for. */
function modelOf(all: readonly Place[]): Place[] {
  const key = (each: Place): string => JSON.stringify(each);
  return all.filter((each, i) => all.findIndex((other) => key(other) === key(each)) === i);
}

function fill(all: readonly Place[]): ChunkTable {
  const table = new ChunkTable();
  for (const { id, pack, block, ordinal } of all) table.add(IDS, 32 * id, pack, block, ordinal, 100 + id);
  return table;
}

describe('the table of chunk places', () => {
  test('holds each place once, and finds all places of an id', () => {
    fc.assert(
      fc.property(places, (all) => {
        const model = modelOf(all);
        const table = fill(all);
        expect(table.size).toBe(model.length);
        expect(table.distinct).toBe(new Set(model.map(({ id }) => id)).size);
        for (let id = 0; id < 40; id++) {
          const rows: number[] = [];
          table.find(idOf(id), (row) => rows.push(row) === 0);
          const found = rows.map((row) => ({
            id,
            pack: table.pack(row),
            block: table.block(row),
            ordinal: table.ordinal(row),
          }));
          expect(found).toEqual(model.filter((each) => each.id === id));
          for (const row of rows) expect([table.id(row), table.length(row)]).toEqual([idOf(id), 100 + id]);
        }
      }),
    );
  });

  test('keeps flags apart', () => {
    const table = fill([
      { id: 1, pack: 0, block: 0, ordinal: 0 },
      { id: 2, pack: 0, block: 0, ordinal: 1 },
    ]);
    table.set(0, FLAG.lost);
    table.set(0, FLAG.tree);
    expect([table.has(0, FLAG.lost), table.has(0, FLAG.tree), table.has(0, FLAG.list)]).toEqual([
      true,
      true,
      false,
    ]);
    expect(table.has(1, FLAG.lost)).toBe(false);
  });

  test('grows over many pages', () => {
    const count = 50_000;
    const ids = randomContent(2, 32 * count);
    const table = new ChunkTable();
    for (let i = 0; i < count; i++) expect(table.add(ids, 32 * i, i % 7, 1, i % 65_536, i)).toBe(true);
    expect(table.distinct).toBe(count);
    for (let i = 0; i < count; i += 37) {
      const row = table.find(chunkIdAt(ids, 32 * i), () => true);
      expect(table.length(row)).toBe(i);
      expect(table.id(row)).toBe(chunkIdAt(ids, 32 * i));
    }
    expect(table.find(idOf(0), () => true)).toBe(-1);
  });
});
