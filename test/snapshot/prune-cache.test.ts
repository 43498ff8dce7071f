import { closeSync, openSync, readdirSync, readFileSync, writeFileSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { fingerprintOf } from '../../dist/repo/cache/data-file.js';
import { readPackTable } from '../../dist/repo/pack-reader.js';
import { expectClean, expectRestored, objectsIn, prune } from './prune-subject.js';
import { randomContent } from './random-content.js';
import { type Scratch, scratchRepository } from './scratch-repository.js';
import { factsOf } from './tree-facts.js';

/** A prune removes what its cache knows nothing of: so it asks first whether the cache is what it was. */

const PAGE_BYTES = 4096;
const BRANCH_PAGE = 0x01;

/** Changes bytes of the closed cache, as a bad disk does: times and length stay as they were. */
function damageCache(
  its: Scratch,
  changes: (data: Buffer) => readonly (readonly [at: number, byte: number])[],
) {
  const name = readdirSync(its.cache).find((each) => /-/.test(each))!;
  const file = join(its.cache, name, 'data.mdb');
  const made = changes(readFileSync(file));
  const descriptor = openSync(file, 'r+');
  for (const [at, byte] of made) writeSync(descriptor, Buffer.of(byte), 0, 1, at);
  closeSync(descriptor);
  writeFileSync(
    join(its.cache, name, 'state'),
    JSON.stringify({ state: 'closed', fingerprint: fingerprintOf(file) }),
  );
  return made.length;
}

async function expectRefusedThenDone(its: Scratch, id: string, facts: ReturnType<typeof factsOf>) {
  const before = objectsIn(its, 'packs');
  await expect(prune(its)).rejects.toThrow(/cache is damaged/);
  // Copies may have been made; nothing has gone.
  expect(objectsIn(its, 'packs')).toEqual(expect.arrayContaining(before));
  await prune(its);
  expect(its.reports.join()).toMatch(/built anew/);
  await expectRestored(its, id, facts);
  await expectClean(its);
}

describe('a cache that is damaged where it has no checksums', () => {
  test('in the tree of names: what it does not find is not removed', async () => {
    const its = await scratchRepository({ chunkBytes: 4096, blockBytes: 16_384, packBytes: 16_384 });
    for (let i = 0; i < 40; i++) writeFileSync(join(its.source, `f${i}`), randomContent(i, 200_000));
    const { summary } = await its.take({ threads: 1 });
    const facts = factsOf(its.source);
    const names = objectsIn(its, 'packs').map((name) => Buffer.from(name, 'hex'));
    // A key of a branch page: all entries are still met one after the other, and some are not found by their name.
    const changed = damageCache(its, (data) => {
      for (let page = 0; page + PAGE_BYTES <= data.length; page += PAGE_BYTES) {
        if ((data.readUInt16LE(page + 18) & BRANCH_PAGE) === 0) continue;
        for (const name of names) {
          const at = data.subarray(page, page + PAGE_BYTES).indexOf(name);
          if (at >= 0 && name[0]! < 0x80) return [[page + at, name[0]! | 0x80]];
        }
      }
      return [];
    });
    expect(changed).toBe(1);
    await expectRefusedThenDone(its, summary.snapshot!, facts);
  });

  test('in the place of a chunk: what it says is not in use is not left out', async () => {
    const its = await scratchRepository();
    for (let i = 0; i < 10; i++) writeFileSync(join(its.source, `f${i}`), randomContent(i, 900_000));
    const { summary } = await its.take({ threads: 1 });
    const facts = factsOf(its.source);
    const id = await its.use(async ({ cache, backend, keys, algorithms }) => {
      const name = cache.packNames().find((each) => cache.packNamed(each)!.kind === 'data')!;
      const { table } = await readPackTable(backend, name, keys, algorithms.zstd);
      return Buffer.from(table.ids.subarray(0, 20));
    });
    const changed = damageCache(its, (data) => {
      const places: [number, number][] = [];
      for (let at = data.indexOf(id); at >= 0; at = data.indexOf(id, at + 1)) {
        // Behind the key: pack, block, and the position in the block.
        places.push([at + 26, data[at + 26]! ^ 1]);
      }
      return places;
    });
    expect(changed).toBeGreaterThan(0);
    await expectRefusedThenDone(its, summary.snapshot!, facts);
  });
});
