import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { copyAll, statesOf } from '../snapshot/copy-subject.js';
import { randomContent } from '../snapshot/random-content.js';
import { scratch, scratchRepository } from '../snapshot/scratch-repository.js';
import { factsOf } from '../snapshot/tree-facts.js';
import { gateway, prefixes, useOwner } from './s3-subject.js';

const SMALL = { chunkBytes: 4096, blockBytes: 64 * 1024, packBytes: 512 * 1024 };

test('from a disk to an object store, and from there to another disk', async () => {
  useOwner(gateway);
  const from = await scratchRepository(SMALL);
  mkdirSync(join(from.source, 'folder'));
  writeFileSync(join(from.source, 'folder/a'), randomContent(1, 2_000_000));
  writeFileSync(join(from.source, 'b'), randomContent(2, 30_000));
  await from.take();
  const store = scratch();
  const location = await prefixes(gateway)(store.root);
  await store.init({ ...SMALL, encrypted: true }, { location });
  const first = await copyAll(from, store, { opening: { location } });
  expect(first.copied).toMatchObject([{ state: 'new', bytes: { read: 2_030_000, new: 2_030_000 } }]);
  const back = scratch();
  await back.init({ ...SMALL, encrypted: true });
  expect(statesOf(await copyAll(store, back, { sourceOpening: { location } }))).toEqual(['new']);
  expect((await store.check(100, { location })).findings).toEqual([]);
  expect((await back.check()).findings).toEqual([]);
  const { target } = await back.restore(undefined, { path: from.source });
  expect(factsOf(target)).toEqual(factsOf(from.source));
  const again = await copyAll(from, store, { opening: { location } });
  expect(again.to.write.calls).toBe(0);
  // They know each other, whichever way they came.
  expect(statesOf(await copyAll(from, back))).toEqual(['there']);
  writeFileSync(join(from.source, 'c'), 'new');
  await from.take();
  const next = await copyAll(from, store, { opening: { location } });
  expect(next.copied.at(-1)!.bytes).toMatchObject({ read: 3, new: 3 });
  expect(next.to.write.calls).toBeLessThan(8);
});
