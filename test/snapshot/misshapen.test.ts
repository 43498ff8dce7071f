import { chmodSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { objectPath } from '../../dist/backends/index.js';
import { type IndexSegment, loadRepository } from '../../dist/repo/index.js';
import { encodeSegment } from '../../dist/repo/segment-codec.js';
import { headerOf } from '../repo/independent-objects.js';
import { noise } from '../repo/parts.js';
import { expectRestored, forget, objectsIn, prune } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

/** Objects that are there and are not what the index says: a writer relies on nothing of them. */

const pathOf = (its: Scratch, pack: string): string => join(its.repo, objectPath('packs', pack));
const dataPacks = (its: Scratch): string[] =>
  objectsIn(its, 'packs').filter((name) => {
    const bytes = readFileSync(pathOf(its, name));
    return bytes.length > 0 && headerOf(bytes, 'CBRP').kind === 1;
  });

describe('a pack of another length than its segment says', () => {
  test.each([
    ['empty', 0],
    ['cut short', 100_000],
  ])('%s: what it holds is stored again, by whoever lists it', async (_, length) => {
    for (const cache of ['the same', 'another']) {
      const its = await scratchRepository();
      writeFileSync(join(its.source, 'file'), randomContent(1, 900_000));
      await its.take({ threads: 1 });
      const facts = factsOf(its.source);
      const [pack] = dataPacks(its) as [string];
      chmodSync(pathOf(its, pack), 0o600);
      truncateSync(pathOf(its, pack), length);
      const opening = cache === 'another' ? { cacheRoot: join(its.root, 'another cache') } : {};
      const { summary } = await its.take({ threads: 1, level: 'full' }, opening);
      expect(summary.statistics.newBytes).toBeGreaterThan(800_000);
      await expectRestored(its, summary.snapshot!, facts, { cacheRoot: join(its.root, 'reader') });
    }
  });

  test('is forgotten as damaged when a prune has removed it', async () => {
    const its = await scratchRepository();
    writeFileSync(join(its.source, 'file'), randomContent(1, 900_000));
    const first = (await its.take({ threads: 1 })).summary.snapshot!;
    const [pack] = dataPacks(its) as [string];
    chmodSync(pathOf(its, pack), 0o600);
    truncateSync(pathOf(its, pack), 1000);
    const isSound = () => its.use(async (repository) => (await loadRepository(repository)).sync.isSound);
    const second = (await its.take({ threads: 1, level: 'full' })).summary.snapshot!;
    expect(await isSound()).toBe(false);
    await forget(its, first);
    await prune(its);
    expect(objectsIn(its, 'packs')).not.toContain(pack);
    expect(await isSound()).toBe(true);
    await expectRestored(its, second, factsOf(its.source));
  });
});

test('a forged segment with impossible blocks is a damaged one: nothing else stops', async () => {
  const its = await scratchRepository();
  writeFileSync(join(its.source, 'file'), randomContent(1, 9000));
  const session = (await its.take({ threads: 1 })).summary.snapshot!;
  const facts = factsOf(its.source);
  const forged = (block: { stored: number; plain: number; chunks: number }): IndexSegment => ({
    author: { kind: 'session', session: session as never },
    packs: [
      {
        name: noise(32, JSON.stringify(block)).toString('hex') as never,
        kind: 'data',
        size: 10,
        blocks: [block],
      },
    ],
    chunks: {
      count: 0,
      ids: Buffer.alloc(0),
      packs: new Uint32Array(0),
      blocks: new Uint16Array(0),
      ordinals: new Uint16Array(0),
      lengths: new Uint32Array(0),
    },
  });
  const names = await its.use(async ({ backend, keys, records }) => {
    const written: string[] = [];
    for (const block of [
      { stored: 1, plain: 1, chunks: 70_000 },
      { stored: 1, plain: 2 ** 31, chunks: 1 },
      { stored: 2 ** 31, plain: 1, chunks: 1 },
    ]) {
      const { name, bytes } = encodeSegment(forged(block), keys, records.compression);
      await backend.write('index', name, bytes);
      written.push(`index/${name}`);
    }
    return written;
  });
  const { findings } = await its.check(0);
  expect(findings.map(({ object }) => object).sort()).toEqual(names.sort());
  const { summary } = await its.take({ threads: 1 });
  await expectRestored(its, summary.snapshot!, facts);
  await prune(its);
  await expectRestored(its, session, facts);
  for (const name of names) rmSync(join(its.repo, name));
  expect((await its.check(0)).findings).toEqual([]);
});
