import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FormatError, MessagePackWriter } from '../../dist/core/index.js';
import { MAX_PAGE_ITEMS, readListPage } from '../../dist/snapshot/content-list.js';
import type { ContentItem } from '../../dist/snapshot/index.js';
import { type Forged, forgedSnapshot } from './forged-snapshot.js';
import { randomContent } from './random-content.js';
import { type Restored, type Scratch, scratchRepository } from './scratch-repository.js';
import { storedPages } from './stored-content.js';

/** Content lists that say what is not so, over chunks that are whole: as whoever can write an unencrypted store may make. */

type Chunk = Extract<ContentItem, { readonly id: string }>;

interface Stored {
  readonly its: Scratch;
  /** Those of a file, in order. */
  readonly chunks: readonly Chunk[];
  /** The content of chunks. */
  readonly contentOf: (chunks: readonly Chunk[]) => Buffer;
}

async function stored(chunkBytes = 16_384): Promise<Stored> {
  const its = await scratchRepository({ chunkBytes, blockBytes: 128 * 1024 });
  const source = randomContent(1, 600_000);
  writeFileSync(join(its.source, 'file'), source);
  await its.take();
  const chunks = (await storedPages(its, 'file')).flat().filter((item) => item.id !== undefined);
  const contents = new Map<string, Buffer>();
  let offset = 0;
  for (const { id, length } of chunks) {
    contents.set(id, source.subarray(offset, offset + length));
    offset += length;
  }
  return { its, chunks, contentOf: (some) => Buffer.concat(some.map(({ id }) => contents.get(id)!)) };
}

async function restored(its: Scratch, entries: readonly Forged[]): Promise<Restored> {
  const id = await its.use((repository) => forgedSnapshot(repository, entries));
  return its.restore(id, { path: '/', verify: false });
}

const lengthOf = (items: readonly ContentItem[]): number =>
  items.reduce((sum, item) => sum + (item.id === undefined ? item.hole : item.length), 0);

/** One chunk said to be longer and another to be shorter, so that the sum is right. */
const shifted = ([first, second, ...rest]: readonly Chunk[], by: number): ContentItem[] => [
  { ...first!, length: first!.length + by },
  { ...second!, length: second!.length - by },
  ...rest,
];

describe('a content list that gives a chunk another length than it has', () => {
  test.each([
    { by: 1, isListed: false },
    { by: -1, isListed: false },
    { by: 1000, isListed: true },
    { by: -1000, isListed: true },
  ])('moved by $by, in pages: $isListed', async ({ by, isListed }) => {
    const { its, chunks, contentOf } = await stored();
    const rest = isListed ? Array.from({ length: 80 }, (_, i) => chunks[i % chunks.length]!) : chunks;
    const right = rest.slice(0, isListed ? 80 : 20);
    const wrong = shifted(right, by);
    expect(lengthOf(wrong)).toBe(lengthOf(right));
    const file = { type: 'file', size: lengthOf(right), isListed } as const;
    const { target, summary, problems } = await restored(its, [
      { ...file, name: 'a right one', chunks: right },
      { ...file, name: 'forged', chunks: wrong },
      { ...file, name: 'right too', chunks: right },
    ]);
    expect(problems).toEqual([
      {
        type: 'problem',
        severity: 'error',
        subject: 'forged',
        reason: expect.stringMatching(/^a chunk of it has \d+ bytes, and its content list says \d+$/),
      },
    ]);
    expect(summary).toMatchObject({ lost: 1, files: 2 });
    expect(existsSync(join(target, 'forged'))).toBe(false);
    const expected = contentOf(right);
    for (const name of ['a right one', 'right too']) {
      expect(readFileSync(join(target, name)).equals(expected), name).toBe(true);
    }
  });

  test('the only chunk of a file', async () => {
    const { its, chunks, contentOf } = await stored();
    const size = chunks[0]!.length;
    const one = (name: string, length: number): Forged => ({
      name,
      type: 'file',
      size: length,
      chunks: [{ ...chunks[0]!, length }],
    });
    const { target, summary } = await restored(its, [
      one('longer', size + 1),
      one('right', size),
      one('shorter', size - 1),
    ]);
    expect(summary).toMatchObject({ lost: 2, files: 1 });
    expect(existsSync(join(target, 'longer')) || existsSync(join(target, 'shorter'))).toBe(false);
    expect(readFileSync(join(target, 'right')).equals(contentOf(chunks.slice(0, 1)))).toBe(true);
  });
});

/** More than a page: with small windows the first part is written before the end of the list is read. */
const listed = (chunks: readonly Chunk[]): readonly Chunk[] =>
  Array.from({ length: MAX_PAGE_ITEMS + 100 }, (_, i) => chunks[i % chunks.length]!);

test.each([10, 1_000_000])(
  'a file of few chunks that come again and again, in windows of %i',
  async (windowItems) => {
    const { its, chunks, contentOf } = await stored(4096);
    const items = listed(chunks.slice(0, 5));
    const file: Forged = { name: 'file', type: 'file', size: lengthOf(items), chunks: items, isListed: true };
    const id = await its.use((repository) => forgedSnapshot(repository, [file]));
    const { target, summary, problems } = await its.restore(id, { path: '/', windowItems });
    expect(problems.filter(({ severity }) => severity === 'error')).toEqual([]);
    expect(summary).toMatchObject({ lost: 0, files: 1, verified: 1 });
    expect(readFileSync(join(target, 'file')).equals(contentOf(items))).toBe(true);
  },
);

describe('a content list that does not hold the bytes of its file', () => {
  test.each([-1, 1, 100_000])('%i bytes too many', async (more) => {
    const { its, chunks } = await stored(4096);
    const items = listed(chunks);
    const size = lengthOf(items) - more;
    const forged: Forged = { name: 'forged', type: 'file', size, chunks: items, isListed: true };
    const id = await its.use((repository) => forgedSnapshot(repository, [forged]));
    for (const windowItems of [10, 1_000_000]) {
      const { target, summary, problems } = await its.restore(id, { path: '/', verify: false, windowItems });
      expect(summary).toMatchObject({ lost: 1, files: 0 });
      expect(problems.map(({ reason }) => reason)).toEqual([
        expect.stringMatching(/^content list: it holds (more than the \d+ bytes|\d+ bytes less than)/),
      ]);
      expect(existsSync(join(target, 'forged'))).toBe(false);
    }
  });

  test('a page of no items, or of no pages, is refused: such pages could name each other for ever', () => {
    const empty = [
      new MessagePackWriter().array(3).int(0).latin1('').array(0).finish(),
      new MessagePackWriter().array(2).int(1).array(0).finish(),
    ];
    for (const page of empty) expect(() => readListPage(page, 'page')).toThrow(FormatError);
  });
});
