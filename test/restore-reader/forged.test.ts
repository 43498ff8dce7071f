import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { chunkIdAt, chunkIdBytes } from '../../dist/core/index.js';
import { forgedSnapshot } from '../snapshot/forged-snapshot.js';
import { randomContent } from '../snapshot/random-content.js';
import { scratchRepository } from '../snapshot/scratch-repository.js';
import { storedPages } from '../snapshot/stored-content.js';
import { lostIn, read } from './reader.js';

/** Trees that say what is not so, over chunks that are whole: every chunk is compared with its whole id and with its length. */

test('a chunk of another id that begins alike, and lengths that are not those of the chunks', async () => {
  const its = await scratchRepository({ chunkBytes: 16_384, blockBytes: 128 * 1024 });
  const content = randomContent(1, 300_000);
  writeFileSync(join(its.source, 'file'), content);
  await its.take();
  const items = (await storedPages(its, 'file')).flat().filter((item) => item.id !== undefined);
  const [first, second] = [items[0]!, items[1]!];
  const size = first.length + second.length;
  const alike = chunkIdAt(Buffer.concat([chunkIdBytes(first.id).subarray(0, 8), Buffer.alloc(24, 1)]));
  const moved = [
    { ...first, length: first.length + 1 },
    { ...second, length: second.length - 1 },
  ];
  const id = await its.use((repository) =>
    forgedSnapshot(repository, [
      { name: 'alike', type: 'file', size, chunks: [{ ...first, id: alike }, second] },
      { name: 'listed', type: 'file', size, chunks: moved, isListed: true },
      { name: 'moved', type: 'file', size, chunks: moved },
      { name: 'right', type: 'file', size, chunks: [first, second] },
    ]),
  );
  const target = its.newTarget();
  const run = await read(['restore', id, '--target', target, '--discs', its.repo]);
  expect(run.code, run.stderr).toBe(4);
  expect(Object.keys(lostIn(run))).toEqual(['alike', 'listed', 'moved']);
  expect(lostIn(run).alike).toContain('a chunk is not what its id says');
  expect(lostIn(run).moved).toContain('a chunk has another length');
  for (const name of ['alike', 'listed', 'moved']) expect(existsSync(join(target, name))).toBe(false);
  expect(readFileSync(join(target, 'right')).equals(content.subarray(0, size))).toBe(true);
});
