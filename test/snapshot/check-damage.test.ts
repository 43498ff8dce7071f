import { basename, join } from 'node:path';
import * as fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ObjectDigest } from '../../dist/core/index.js';
import { loadRepository } from '../../dist/repo/index.js';
import { Copy, filledScratch, findingOf, missingFiles, objectsOf } from './check-subject.js';
import { isSoak, type Scratch } from './scratch-repository.js';

/** Each object damaged in each way: check names it and what it affects, and goes on to the end. */

let plain: Scratch;
let sealed: Scratch;

beforeAll(async () => {
  plain = await filledScratch();
  sealed = await filledScratch({ encrypted: true });
});
afterAll(() => {
  plain.remove();
  sealed.remove();
});

type Damage = (copy: Copy, object: string) => void;

/** Positions that matter: magic, version, salt, what is sealed, its tag, what closes the object. */
const POSITIONS: readonly (readonly [string, (size: number) => number])[] = [
  ['its magic', () => 0],
  ['its version', () => 4],
  ['its kind', () => 17],
  ['its salt', () => 30],
  ['the first byte behind its header', () => 56],
  ['its middle', (size) => size >> 1],
  ['near its end', (size) => size - 40],
  ['its last byte', (size) => size - 1],
];

const DAMAGES: readonly (readonly [string, Damage])[] = [
  ...POSITIONS.map(([where, at]): readonly [string, Damage] => [
    `a flipped bit in ${where}`,
    (copy, object) => copy.flip(object, at(copy.size(object))),
  ]),
  ['cut in half', (copy, object) => copy.cut(object, copy.size(object) >> 1)],
  ['cut by one byte', (copy, object) => copy.cut(object, copy.size(object) - 1)],
  ['with a byte too many', (copy, object) => copy.replace(object, Buffer.alloc(copy.size(object) + 1, 1))],
  ['emptied', (copy, object) => copy.cut(object, 0)],
  ['removed', (copy, object) => copy.lose(object)],
];

describe('a sound repository', () => {
  test.each(['plain', 'sealed'] as const)('has no findings and no notes: %s', async (kind) => {
    const copy = new Copy(kind === 'plain' ? plain : sealed);
    const structure = await copy.run();
    expect(structure).toMatchObject({ findings: [], notes: [], snapshots: 2, bytesRead: 0 });
    const everything = await copy.run(100);
    expect(everything).toMatchObject({ findings: [], notes: [], snapshots: 2 });
    expect(everything.packs).toBe(copy.objects('packs').length);
    expect(everything.bytesRead).toBe(copy.objects('packs').reduce((sum, each) => sum + copy.size(each), 0));
  });
});

describe.each(DAMAGES)('%s', (name, damage) => {
  test.each(['plain', 'sealed'] as const)('an index segment, %s', async (kind) => {
    const copy = new Copy(kind === 'plain' ? plain : sealed);
    for (const object of copy.objects('index')) {
      const each = new Copy(copy.original);
      damage(each, object);
      const report = await each.run();
      const finding = findingOf(report, object);
      expect(finding, name).toBeDefined();
      expect(finding!.affected.length).toBeGreaterThan(0);
    }
  });

  test('a snapshot', async () => {
    for (const object of new Copy(plain).objects('snapshots')) {
      const copy = new Copy(plain);
      damage(copy, object);
      const report = await copy.run();
      const finding = findingOf(report, object);
      expect(finding, name).toBeDefined();
      expect(finding!.affected).toContain(`${basename(object).slice(0, 8)}:/`);
    }
  });

  test('a pack of data', async () => {
    for (const object of await some('data', name)) {
      const copy = new Copy(plain);
      damage(copy, object);
      const report = await copy.run(100);
      expect(objectsOf(report), name).toEqual([object]);
      await expectTruth(copy, findingOf(report, object)!.affected);
      // Of another size, it is read whether asked for or not.
      if (copy.hasSize(object)) continue;
      expect((await copy.run()).findings.map(({ affected }) => affected)).toEqual([
        findingOf(report, object)!.affected,
      ]);
    }
  });

  test('a pack of trees', async () => {
    for (const object of await some('tree', name)) {
      const copy = new Copy(plain);
      damage(copy, object);
      const report = await copy.run(100);
      expect(objectsOf(report), name).toEqual([object]);
      await expectCovered(copy, findingOf(report, object)!.affected);
    }
  });
});

test('a damaged header of a pack of trees is found without reading data, and costs nothing', async () => {
  const [object] = await some('tree', 'removed');
  for (const at of [0, 30]) {
    const copy = new Copy(plain);
    copy.flip(object!, at);
    const { findings } = await copy.run();
    expect(findings.map(({ object, affected }) => [object, affected])).toEqual([[object, []]]);
  }
});

describe.each(DAMAGES.filter(([name]) => name !== 'removed'))('%s', (_, damage) => {
  test('a key', async () => {
    const copy = new Copy(sealed);
    const [object] = copy.objects('keys');
    const other = object!.replace(/[0-9a-f]{32}$/, '0'.repeat(32));
    // A second slot that cannot be read leaves the first to open the repository.
    copy.copyOf(object!, other);
    damage(copy, other);
    expect(objectsOf(await copy.run())).toEqual([other]);
  });

  test('a config beside a sound one', async () => {
    const copy = new Copy(plain);
    copy.copyOf('config/1', 'config/2');
    damage(copy, 'config/2');
    expect(objectsOf(await copy.run())).toEqual(['config/2']);
  });
});

test('any few objects damaged in any way are all named', async () => {
  const names = new Copy(plain);
  const objects = [...names.objects('packs'), ...names.objects('snapshots')];
  const damaged = fc.record({
    object: fc.constantFrom(...objects),
    how: fc.constantFrom('flip', 'cut', 'lose'),
    where: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
  });
  const some = fc.uniqueArray(damaged, { minLength: 1, maxLength: 3, selector: ({ object }) => object });
  await fc.assert(
    fc.asyncProperty(some, async (all) => {
      const copy = new Copy(plain);
      for (const { object, how, where } of all) {
        const at = Math.floor(where * copy.size(object));
        if (how === 'flip') copy.flip(object, at);
        else if (how === 'cut') copy.cut(object, at);
        else copy.lose(object);
      }
      const found = objectsOf(await copy.run(100));
      expect(found).toEqual(all.map(({ object }) => object).sort());
    }),
    { numRuns: isSoak ? 1000 : 15 },
  );
});

/** Packs of a kind: one, another for each way of damage; all of them in a long run. */
async function some(kind: 'data' | 'tree', name: string): Promise<string[]> {
  const copy = new Copy(plain);
  const packs = await copy.use(async (repository) => {
    await loadRepository(repository);
    const kindOf = (object: string) => repository.cache.packNamed(basename(object) as ObjectDigest)!.kind;
    return copy.objects('packs').filter((object) => kindOf(object) === kind);
  });
  const turn = DAMAGES.findIndex(([each]) => each === name);
  return isSoak ? packs : [packs[turn % packs.length]!];
}

/** The files of the second snapshot that check says are affected, relative to the source. */
async function latest(copy: Copy, affected: readonly string[]): Promise<string[]> {
  const id = (await copy.snapshots()).at(-1)!.id.slice(0, 8);
  const prefix = `${id}:${copy.original.source}/`;
  return affected
    .filter((each) => each.startsWith(prefix))
    .map((each) => each.slice(prefix.length))
    .sort();
}

/** What check says is what a restore cannot bring back, file by file. */
async function expectTruth(copy: Copy, affected: readonly string[]): Promise<void> {
  const { target } = await copy.restore(undefined, { path: copy.original.source, verify: false });
  expect(await latest(copy, affected)).toEqual(missingFiles(copy.original.source, target));
}

/** As `expectTruth`, where whole folders may be named instead of what is in them. */
async function expectCovered(copy: Copy, affected: readonly string[]): Promise<void> {
  const target = copy.newTarget();
  let missing = ['everything'];
  try {
    await copy.restore(undefined, { path: copy.original.source, verify: false, target });
    missing = missingFiles(copy.original.source, target);
  } catch {
    // The way to the source itself is lost.
  }
  const id = (await copy.snapshots()).at(-1)!.id.slice(0, 8);
  const folders = affected
    .filter((each) => each.endsWith('/') && each.startsWith(id))
    .map((each) => each.slice(9));
  const files = new Set(await latest(copy, affected));
  const isCovered = (path: string): boolean =>
    files.has(path) || folders.some((folder) => join(copy.original.source, path).startsWith(folder));
  expect(missing.filter((path) => !isCovered(path))).toEqual([]);
  if (missing.length === 0) expect(affected.filter((each) => each.startsWith(id))).toEqual([]);
}
