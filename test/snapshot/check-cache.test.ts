import { basename } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ObjectDigest } from '../../dist/core/index.js';
import { decodeSegment, type IndexSegment, loadRepository, type Repository } from '../../dist/repo/index.js';
import { Copy, filledScratch, objectsOf } from './check-subject.js';
import type { Scratch } from './scratch-repository.js';

/** What check does about the cache of this machine, which is one of the things it judges. */

let subject: Scratch;

beforeAll(async () => {
  subject = await filledScratch();
});
afterAll(() => subject.remove());

/** A copy whose source is taken in, so that its cache knows the folders. */
async function taken(): Promise<Copy> {
  const copy = new Copy(subject);
  await copy.take({ paths: [copy.original.source] });
  return copy;
}

async function unchangedFiles(copy: Copy): Promise<number> {
  const { summary } = await copy.take({ paths: [copy.original.source] });
  return summary.statistics.unchangedFiles;
}

/** Puts a segment into the cache in place of the one of that name in the repository. */
async function forge(repository: Repository, change: (segment: IndexSegment) => IndexSegment): Promise<void> {
  const { backend, cache, keys, algorithms } = repository;
  await loadRepository(repository);
  const [name] = [...cache.segments().keys()] as [ObjectDigest];
  const segment = decodeSegment(await backend.read('index', name), name, keys, algorithms.zstd);
  await cache.removeSegments([name]);
  await cache.addSegment(name, change(segment));
}

function without(segment: IndexSegment, row: number): IndexSegment {
  const { chunks } = segment;
  const keep = <T extends Uint32Array | Uint16Array>(column: T): T => column.filter((_, i) => i !== row) as T;
  const ids = Buffer.concat([chunks.ids.subarray(0, 32 * row), chunks.ids.subarray(32 * row + 32)]);
  const columns = {
    packs: keep(chunks.packs),
    blocks: keep(chunks.blocks),
    ordinals: keep(chunks.ordinals),
    lengths: keep(chunks.lengths),
  };
  return { ...segment, chunks: { ...columns, ids, count: chunks.count - 1 } };
}

/** One more row, at the place of the last one: a chunk that does not exist is known. */
function withStranger({ chunks, ...rest }: IndexSegment): IndexSegment {
  const last = chunks.count - 1;
  return {
    ...rest,
    chunks: {
      count: chunks.count + 1,
      ids: Buffer.concat([chunks.ids, Buffer.alloc(32, 0xff)]),
      packs: Uint32Array.of(...chunks.packs, chunks.packs[last]!),
      blocks: Uint16Array.of(...chunks.blocks, chunks.blocks[last]!),
      ordinals: Uint16Array.of(...chunks.ordinals, chunks.ordinals[last]!),
      lengths: Uint32Array.of(...chunks.lengths, chunks.lengths[last]!),
    },
  };
}

describe('a chunk index that does not agree with the segments', () => {
  test.each([
    ['lacks a chunk', (segment: IndexSegment) => without(segment, 3)],
    ['knows one that does not exist', withStranger],
  ])('%s: it is built anew, with a word', async (_, change) => {
    const copy = await taken();
    await copy.use((repository) => forge(repository, change));
    const report = await copy.run();
    expect(report.findings).toEqual([]);
    expect(report.notes.join()).toContain('did not agree with the index segments');
    expect(await copy.run()).toMatchObject({ findings: [], notes: [] });
    // Files are read again, since what the wrong index led to is not known.
    expect(await unchangedFiles(copy)).toBe(0);
  });

  test('that agrees is left alone', async () => {
    const copy = await taken();
    expect(await copy.run(100)).toMatchObject({ findings: [], notes: [] });
    expect(await unchangedFiles(copy)).toBeGreaterThan(1000);
  });
});

describe('damage', () => {
  test('drops the folder states of the snapshots it reaches, and a snapshot stores what is gone again', async () => {
    const copy = await taken();
    const before = await copy.snapshots();
    const hurt = await firstReached(copy);
    copy.lose(hurt);
    const report = await copy.run();
    expect(objectsOf(report)).toEqual([hurt]);
    expect(report.findings[0]!.affected.length).toBeGreaterThan(0);
    expect(report.notes.join()).toContain('reads all files of 1 source folders again');
    expect(await unchangedFiles(copy)).toBe(0);
    const healed = await copy.run(100);
    // The pack is still gone, and of the files of today nothing is.
    expect(objectsOf(healed)).toEqual([hurt]);
    const known = before.map(({ id }) => id.slice(0, 8));
    expect(healed.findings[0]!.affected.filter((each) => !known.includes(each.slice(0, 8)))).toEqual([]);
  });

  test('found by reading is not remembered as verified; what is sound is', async () => {
    const copy = await taken();
    const hurt = await firstReached(copy);
    copy.flip(hurt, copy.size(hurt) >> 1);
    await copy.run(100);
    await copy.use(async ({ cache }) => {
      for (const object of copy.objects('packs')) {
        const time = cache.verifiedAt(basename(object) as ObjectDigest);
        if (object === hurt) expect(time).toBeUndefined();
        else expect(time).toBeGreaterThan(0);
      }
    });
  });
});

/** A data pack whose loss reaches files of the last snapshot. */
async function firstReached(copy: Copy): Promise<string> {
  for (const object of copy.objects('packs')) {
    const probe = new Copy(subject);
    if (!probe.objects('packs').includes(object)) continue;
    probe.lose(object);
    const [finding] = (await probe.run()).findings;
    const last = (await probe.snapshots()).at(-1)!.id.slice(0, 8);
    const affected = finding!.affected.filter((each) => each.startsWith(last));
    if (affected.length > 0 && affected.every((each) => !each.endsWith('/'))) return object;
  }
  throw new Error(`no such pack in ${copy.repo}`);
}

describe('a share of the content', () => {
  test('is what was asked for, and the next one is another', async () => {
    const copy = new Copy(subject);
    const packs = copy.objects('packs').map((object) => copy.size(object));
    const total = packs.reduce((sum, size) => sum + size, 0);
    let read = 0;
    const runs = 4;
    for (let i = 0; i < runs; i++) {
      const { bytesRead, findings } = await copy.run(100 / runs);
      expect(findings).toEqual([]);
      expect(bytesRead).toBeGreaterThanOrEqual(total / runs);
      expect(bytesRead).toBeLessThan(total / runs + Math.max(...packs));
      read += bytesRead;
    }
    expect(read).toBeGreaterThanOrEqual(total);
    await copy.use(async ({ cache }) => {
      for (const object of copy.objects('packs')) {
        expect(cache.verifiedAt(basename(object) as ObjectDigest)).toBeGreaterThan(0);
      }
    });
  });
});
