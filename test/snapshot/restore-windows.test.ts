import { readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Backend, withTraffic } from '../../dist/backends/index.js';
import type { ContentItem } from '../../dist/snapshot/index.js';
import { randomContent } from './random-content.js';
import { type Restored, Scratch } from './scratch-repository.js';
import { runScript, writeParts } from './source-tree.js';
import { storedAt, storedPages } from './stored-content.js';
import { factsOf } from './tree-facts.js';

/** Fewer items than any page of a content list has: every page is a window of its own. */
const WINDOW_ITEMS = 100;

const bytesOf = (item: ContentItem): number => (item.id === undefined ? item.hole : item.length);

describe('a file of more items than a window takes', () => {
  let its: Scratch;
  let pages: (readonly ContentItem[])[];
  let facts: ReturnType<typeof factsOf>;

  beforeAll(async () => {
    its = new Scratch();
    await its.init({ chunkBytes: 4096, blockBytes: 256 * 1024, packBytes: 2 ** 20 });
    writeParts(join(its.source, 'huge'), [
      { hole: 200_000 },
      ...Array.from({ length: 40 }, (_, i) => [{ seed: i, bytes: 400_000 }, { hole: 100_000 }]).flat(),
    ]);
    for (let i = 0; i < 300; i++) writeFileSync(join(its.source, `a ${i}`), randomContent(1000 + i, 20 * i));
    for (let i = 0; i < 50; i++) writeFileSync(join(its.source, `z ${i}`), randomContent(2000 + i, 3000 * i));
    runScript(its.source, [
      'mkdir folder',
      'ln huge folder/linked',
      'ln huge "a second name"',
      'touch empty',
    ]);
    await its.take();
    pages = await storedPages(its, 'huge');
    facts = factsOf(its.source);
  });

  afterAll(() => its.remove());

  const restore = (changes: object = {}, opening: object = {}): Promise<Restored> =>
    its.restore(undefined, { windowItems: WINDOW_ITEMS, ...changes }, opening);

  /** What a restore reads. */
  async function readOf(changes: object): Promise<{ readonly calls: number; readonly bytes: number }> {
    let counted = withTraffic({} as Backend);
    const wrapBackend = (inner: Backend): Backend => {
      counted = withTraffic(inner);
      return counted;
    };
    const { summary } = await restore({ verify: false, ...changes }, { wrapBackend });
    expect(summary.lost).toBe(0);
    return counted.traffic.read;
  }

  test('is restored whole, in several windows, and verified', async () => {
    expect(pages.length).toBeGreaterThan(2);
    expect(Math.min(...pages.slice(0, -1).map((page) => page.length))).toBeGreaterThan(WINDOW_ITEMS);
    const { target, summary, problems } = await restore();
    expect(problems).toEqual([]);
    expect(summary).toMatchObject({ lost: 0, metadataProblems: 0, verified: summary.files });
    expect(factsOf(target)).toEqual(facts);
  });

  test('is restored with few blocks fetched twice, because what the next window needs as well waits for it', async () => {
    const whole = await readOf({ windowItems: 1_000_000 });
    const parted = await readOf({});
    expect(parted.calls).toBeGreaterThanOrEqual(whole.calls + pages.length - 1);
    expect(parted.bytes).toBeLessThan(1.15 * whole.bytes);
  });

  test('keeps what is written of it in one file until it is whole, and no file open afterwards', async () => {
    // Once, so that all that lasts is open.
    await restore({ verify: false });
    const before = readdirSync('/proc/self/fd').length;
    const { target } = await restore({ verify: false });
    expect(readdirSync('/proc/self/fd').length).toBe(before);
    expect(readdirSync(target).filter((name) => name.startsWith('.cbr'))).toEqual([]);
  });

  test.each(['first', 'later', 'last'])(
    'is not named when a chunk of its %s page is damaged',
    async (which) => {
      const page = { first: 0, later: 1, last: pages.length - 1 }[which]!;
      const chunk = pages[page]!.findLast(({ id }) => id !== undefined)!;
      const { path, offset, length } = await storedAt(its, chunk.id!);
      const whole = readFileSync(path);
      const harmed = Buffer.from(whole);
      harmed[offset + Math.floor(length / 2)]! ^= 1;
      rmSync(path);
      writeFileSync(path, harmed);
      const before = readdirSync('/proc/self/fd').length;
      try {
        const { target, summary, problems } = await restore();
        const names = ['a second name', 'folder/linked', 'huge'];
        const lost = problems.filter(({ severity }) => severity === 'error').map(({ subject }) => subject);
        // Small files in the damaged block are lost with it.
        const others = lost.filter((subject) => !names.includes(subject));
        expect(lost.filter((subject) => names.includes(subject)).sort()).toEqual(names);
        expect(others.every((subject) => /^[az] \d+$/.test(subject))).toBe(true);
        expect(summary).toMatchObject({ lost: lost.length, verified: summary.files });
        const found = factsOf(target);
        expect(
          Object.keys(facts)
            .filter((each) => found[each] === undefined)
            .sort(),
        ).toEqual(lost.map((subject) => `./${subject}`).sort());
        for (const [each, words] of Object.entries(found)) expect(words, each).toBe(facts[each]);
        expect(readdirSync('/proc/self/fd').length).toBe(before);
      } finally {
        rmSync(path);
        writeFileSync(path, whole);
      }
    },
  );

  test('is left alone where it exists, however many windows it would take', async () => {
    const target = its.newTarget();
    runScript(its.root, [`mkdir '${target}' && echo mine > '${target}/huge'`]);
    const { summary } = await restore({ target, verify: false });
    expect(summary.lost).toBe(0);
    expect(readFileSync(join(target, 'huge'), 'utf8')).toBe('mine\n');
    expect(factsOf(join(target, 'folder'))['./linked']).toContain(`size ${sizeOf(pages)}`);
  });

  describe('is verified in several windows too', () => {
    const ALONE = 'existed, was left alone, and differs from the snapshot: ';
    /** Restores, changes the file, and has it verified by a restore that leaves it alone. */
    async function verdictOn(change: (path: string) => void): Promise<Restored> {
      const { target } = await restore({ verify: false });
      change(join(target, 'huge'));
      return restore({ target });
    }
    const written = (offset: number) => (path: string) =>
      runScript(its.root, [`printf X | dd of='${path}' bs=1 seek=${offset} conv=notrunc 2>/dev/null`]);
    const reasons = (restored: Restored): string[] =>
      [...new Set(restored.problems.map(({ reason }) => reason))].filter((reason) =>
        reason.startsWith(ALONE),
      );

    test('a byte of a later page that differs', async () => {
      const before = pages.slice(0, 2).flat();
      const start = before.reduce((sum, item) => sum + bytesOf(item), 0);
      const index = pages[2]!.findIndex(({ id }) => id !== undefined);
      const offset = start + pages[2]!.slice(0, index).reduce((sum, item) => sum + bytesOf(item), 0);
      const verdict = await verdictOn(written(offset + 1));
      expect(reasons(verdict)).toEqual([`${ALONE}it differs from byte ${offset} on`]);
      // All of its names; nothing of them is lost that the restore had to bring.
      expect(verdict.problems.map(({ severity }) => severity)).toEqual(['note', 'note', 'note']);
      expect(verdict.summary).toMatchObject({ lost: 0, verified: verdict.summary.skippedExisting - 3 });
    });

    test('a hole of a later page that is none', async () => {
      const end = sizeOf(pages);
      const verdict = await verdictOn(written(end - 1));
      expect(reasons(verdict)[0]).toMatch(/: it is not empty from byte \d+ on$/);
    });

    test('an end that comes too early or too late', async () => {
      const end = sizeOf(pages);
      const early = await verdictOn((path) => truncateSync(path, end - 300_000));
      expect(reasons(early)[0]).toMatch(/: it (ends before byte|is not empty from byte) \d+( on)?$/);
      const late = await verdictOn((path) => truncateSync(path, end + 1));
      expect(reasons(late)).toEqual([`${ALONE}it goes on behind byte ${end}`]);
    });
  });
});

function sizeOf(pages: readonly (readonly ContentItem[])[]): number {
  return pages.flat().reduce((sum, item) => sum + bytesOf(item), 0);
}
