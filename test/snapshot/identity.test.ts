import { closeSync, mkdirSync, openSync, readdirSync, readSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { probeAbilities, tellMissing } from './abilities.js';
import { PLACES } from './places.js';
import { randomContent } from './random-content.js';
import { isSoak, type Restored, removeTree, Scratch, scratchRepository } from './scratch-repository.js';
import { buildTree, runScript, writeParts } from './source-tree.js';
import { treeArbitrary } from './tree-arbitrary.js';
import { factsOf, filledHoles, rsyncDifferences } from './tree-facts.js';

function expectClean(restored: Restored): Restored {
  expect(restored.problems).toEqual([]);
  expect(restored.summary).toMatchObject({ lost: 0, metadataProblems: 0, skippedExisting: 0 });
  return restored;
}

function expectSame(source: string, target: string): void {
  expect(factsOf(target)).toEqual(factsOf(source));
  expect(filledHoles(source, target)).toEqual([]);
  expect(rsyncDifferences(source, target)).toBe('');
}

describe.each(PLACES)('what a snapshot of %s holds, restore brings back', (place) => {
  const can = probeAbilities(place);
  tellMissing(can, `Identity in ${place}`);

  test('generated trees', { timeout: 1_800_000 }, async () => {
    const its = new Scratch(place);
    try {
      await its.init({ chunkBytes: 16 * 1024 });
      await fc.assert(
        fc.asyncProperty(treeArbitrary(can), async (tree) => {
          removeTree(its.source);
          mkdirSync(its.source);
          await buildTree(its.source, tree.children, tree.metadata);
          const taken = await its.take({ level: 'full' });
          expect(taken.problems).toEqual([]);
          const { target } = expectClean(await its.restore());
          expectSame(its.source, target);
          removeTree(target);
        }),
        { numRuns: isSoak ? 500 : 12, endOnFailure: true },
      );
    } finally {
      its.remove();
    }
  });
});

function rangeOf(path: string, start: number, length: number): Buffer {
  const fd = openSync(path, 'r');
  try {
    const bytes = Buffer.alloc(length);
    return bytes.subarray(0, readSync(fd, bytes, 0, length, start));
  } finally {
    closeSync(fd);
  }
}

describe('what is large', () => {
  test('paths beyond 4096 bytes', async () => {
    const its = await scratchRepository();
    // Built from the inside out by moving what is there into the next folder: no call is given a long path.
    const names = Array.from({ length: 30 }, (_, i) => `${i}-`.padEnd(200, 'd'));
    runScript(its.source, [
      'mkdir inner',
      'echo deep > inner/file',
      'ln -s nowhere inner/link',
      'mkfifo inner/fifo',
    ]);
    const last = names.reduceRight((inner, name) => {
      runScript(its.source, [`mkdir made && mv ${inner} made && mv made ${name}`]);
      return name;
    }, 'inner');
    expect(readdirSync(its.source)).toEqual([last]);
    expect((await its.take()).problems).toEqual([]);
    const { target, summary } = expectClean(await its.restore());
    expect(summary).toMatchObject({ files: 1, folders: 31, others: 2 });
    // rsync takes no such paths.
    const facts = factsOf(target);
    expect(facts).toEqual(factsOf(its.source));
    expect(Math.max(...Object.keys(facts).map((path) => path.length))).toBeGreaterThan(6000);
    expect(await its.take()).toMatchObject({ problems: [], summary: { statistics: { unchangedFiles: 1 } } });
  });

  test('folders of very many entries, in pages', async () => {
    const its = await scratchRepository();
    for (let i = 0; i < 6000; i++)
      writeFileSync(join(its.source, `entry number ${i}`), i % 100 === 0 ? String(i) : '');
    const first = await its.take();
    expect(first.problems).toEqual([]);
    expectSame(its.source, expectClean(await its.restore()).target);
    writeFileSync(join(its.source, 'entry number 3000'), 'changed');
    const second = await its.take();
    expect(second.summary.statistics).toMatchObject({ changedFiles: 1, unchangedFiles: 5999, newFiles: 0 });
    // One page of about 512 entries and the page above it, compressed.
    expect(second.summary.statistics.storedBytes).toBeLessThan(first.summary.statistics.storedBytes / 2);
    expectSame(its.source, expectClean(await its.restore()).target);
  });

  test('a sparse file of several GiB', { timeout: 300_000 }, async () => {
    const its = await scratchRepository();
    const path = join(its.source, 'sparse');
    writeParts(path, [
      { seed: 1, bytes: 100_000 },
      { hole: 2 ** 31 - 150_000 },
      { seed: 2, bytes: 300_000 },
      { hole: 2 ** 32 },
      { seed: 3, bytes: 5 },
      { hole: 2 ** 20 },
    ]);
    const { summary } = await its.take();
    expect(summary.statistics).toMatchObject({ sourceBytes: statSync(path).size });
    expect(summary.statistics.newBytes).toBeLessThan(2 ** 20);
    const { target } = expectClean(await its.restore(undefined, { verify: isSoak }));
    expect(filledHoles(its.source, target)).toEqual([]);
    const restored = join(target, 'sparse');
    expect(statSync(restored).size).toBe(statSync(path).size);
    // Nothing but the data takes room, so the rest reads as zeros.
    for (const start of [0, 2 ** 31 - 50_000, 2 ** 31 + 2 ** 32 + 250_000]) {
      expect(rangeOf(restored, start, 350_000).equals(rangeOf(path, start, 350_000)), `at ${start}`).toBe(
        true,
      );
    }
  });

  test('files of very many chunks, in lists of pages', async () => {
    const its = await scratchRepository({ chunkBytes: 4096, blockBytes: 256 * 1024 });
    const path = join(its.source, 'finely cut');
    // Nothing repeats, and holes stand between: items of both kinds on many pages.
    writeParts(path, [
      ...Array.from({ length: 80 }, (_, i) => [{ seed: i, bytes: 300_000 }, { hole: 50_000 }]).flat(),
      { seed: 99, bytes: 6_000_000 },
    ]);
    writeFileSync(join(its.source, 'about 64 chunks'), randomContent(7, 256 * 1024));
    writeFileSync(join(its.source, 'some more'), randomContent(8, 320 * 1024));
    const first = await its.take();
    expect(first.problems).toEqual([]);
    expectSame(its.source, expectClean(await its.restore()).target);
    // A change in the middle stores a few chunks and the pages that name them.
    runScript(its.source, [`printf changed | dd of='finely cut' bs=1 seek=7000000 conv=notrunc 2>/dev/null`]);
    const second = await its.take();
    expect(second.summary.statistics.newBytes).toBeLessThan(60_000);
    expect(second.summary.statistics.storedBytes).toBeLessThan(first.summary.statistics.storedBytes / 20);
    expectSame(its.source, expectClean(await its.restore()).target);
  });
});
