import { createHash } from 'node:crypto';
import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type ChunkSizes, createChunker } from '../../dist/chunker/index.js';
import { runs } from '../core/runs.js';
import { referenceCuts } from './reference.js';

const KIB = 1024;
const SMALL: ChunkSizes = { min: 1 * KIB, target: 4 * KIB, max: 16 * KIB };
const DEFAULT: ChunkSizes = { min: 16 * KIB, target: 64 * KIB, max: 256 * KIB };

/** Bytes that look random and are the same everywhere. */
function noise(length: number, label: string): Buffer {
  return createHash('shake256', { outputLength: length }).update(label).digest();
}

/** Noise, runs of one byte and repeated text, put one behind the other: content as files have it. */
const contents = fc
  .array(
    fc.record({
      kind: fc.constantFrom('noise', 'run', 'text'),
      length: fc.integer({ min: 1, max: 40_000 }),
      seed: fc.nat({ max: 1000 }),
    }),
    { maxLength: 8 },
  )
  .map((parts) =>
    Buffer.concat(
      parts.map(({ kind, length, seed }) => {
        if (kind === 'noise') return noise(length, String(seed));
        if (kind === 'run') return Buffer.alloc(length, seed & 0xff);
        return Buffer.alloc(length, `line ${seed} of a file\n`);
      }),
    ),
  );

const small = createChunker(SMALL);

/** Cuts as the intake does it: a window from behind the last cut, as large as the slab, until the end of the extent. */
function cutsByWindows(bytes: Buffer, window: (turn: number) => number, chunker = small): number[] {
  const ends: number[] = [];
  let position = 0;
  for (let turn = 0; position < bytes.length; turn++) {
    const size = Math.min(Math.max(window(turn), chunker.sizes.max), bytes.length - position);
    const isEnd = position + size === bytes.length;
    const cuts = chunker.cuts(bytes.subarray(position, position + size), isEnd);
    if (cuts.length === 0) throw new Error(`no cut in a window of ${size} bytes`);
    for (const cut of cuts) ends.push(position + cut);
    position += cuts.at(-1)!;
  }
  return ends;
}

describe('cut points', () => {
  test('do not depend on the windows in which the content was read', () => {
    fc.assert(
      fc.property(
        contents,
        fc.array(fc.integer({ min: 1, max: 60_000 }), { minLength: 1, maxLength: 5 }),
        (bytes, windows) => {
          const whole = small.cuts(bytes, true);
          expect(cutsByWindows(bytes, (turn) => windows[turn % windows.length]!)).toEqual(whole);
        },
      ),
      runs(150),
    );
  });

  test('are those that an implementation from the text of the format finds', () => {
    fc.assert(
      fc.property(contents, (bytes) => {
        expect(small.cuts(bytes, true)).toEqual(referenceCuts(bytes, SMALL));
      }),
      runs(60),
    );
  });

  test.each([
    DEFAULT,
    { min: 4 * KIB, target: 16 * KIB, max: 64 * KIB },
    { min: 1250, target: 5000, max: 20_000 },
    { min: 1500, target: 6000, max: 24_000 },
    { min: 64, target: 4096, max: 8192 },
    { min: 4096, target: 4096, max: 4096 },
  ])('are the same for sizes $min, $target, $max', (sizes) => {
    const bytes = noise(12 * sizes.target, 'sizes');
    expect(createChunker(sizes).cuts(bytes, true)).toEqual(referenceCuts(bytes, sizes));
  });

  test('keep the sizes within bounds, and cover everything', () => {
    fc.assert(
      fc.property(contents, fc.boolean(), (bytes, isEnd) => {
        const cuts = small.cuts(bytes, isEnd);
        let start = 0;
        for (const [i, end] of cuts.entries()) {
          const isLast = isEnd && i === cuts.length - 1;
          expect(end - start).toBeGreaterThan(isLast ? 0 : SMALL.min);
          expect(end - start).toBeLessThanOrEqual(SMALL.max);
          start = end;
        }
        if (isEnd) expect(start).toBe(bytes.length);
        else expect(bytes.length - start).toBeLessThan(SMALL.max);
      }),
      runs(200),
    );
  });

  test('found before the end are final, whatever follows', () => {
    fc.assert(
      fc.property(contents, contents, (bytes, more) => {
        const early = small.cuts(bytes, false);
        const late = small.cuts(Buffer.concat([bytes, more]), true);
        expect(late.slice(0, early.length)).toEqual(early);
      }),
      runs(150),
    );
  });

  test('of content without any structure are at the largest size', () => {
    expect(small.cuts(Buffer.alloc(40 * KIB), true)).toEqual([16 * KIB, 32 * KIB, 40 * KIB]);
    expect(small.cuts(Buffer.alloc(32 * KIB), false)).toEqual([16 * KIB, 32 * KIB]);
    expect(small.cuts(new Uint8Array(0), true)).toEqual([]);
    expect(small.cuts(Uint8Array.of(1), true)).toEqual([1]);
    expect(small.cuts(Uint8Array.of(1), false)).toEqual([]);
  });

  test('leave the input as it was', () => {
    const bytes = noise(100_000, 'untouched');
    const before = Buffer.from(bytes);
    small.cuts(bytes, true);
    expect(bytes.equals(before)).toBe(true);
  });

  test('move only near an insertion', () => {
    const bytes = noise(2_000_000, 'insertion');
    fc.assert(
      fc.property(
        fc.nat({ max: bytes.length }),
        fc.uint8Array({ minLength: 1, maxLength: 2000 }),
        (at, inserted) => {
          const pieces = (content: Buffer): string[] => {
            let start = 0;
            return small.cuts(content, true).map((end) => {
              const id = createHash('sha1').update(content.subarray(start, end)).digest('hex');
              start = end;
              return id;
            });
          };
          const before = new Set(pieces(bytes));
          const after = pieces(Buffer.concat([bytes.subarray(0, at), inserted, bytes.subarray(at)]));
          expect(after.filter((id) => !before.has(id)).length).toBeLessThan(16);
        },
      ),
      runs(25),
    );
  });

  test('of known content are pinned: repositories rely on them', () => {
    const bytes = noise(1_000_000, 'pinned');
    expect(createChunker(DEFAULT).cuts(bytes, true)).toEqual([
      67_990, 117_686, 339_738, 397_979, 448_023, 506_675, 538_236, 583_064, 709_338, 759_956, 795_795,
      856_954, 918_892, 972_941, 1_000_000,
    ]);
    const average = bytes.length / small.cuts(bytes, true).length;
    expect(average).toBeGreaterThan(SMALL.target / 2);
    expect(average).toBeLessThan(2 * SMALL.target);
  });
});
