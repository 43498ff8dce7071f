import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomContent } from '../snapshot/random-content.js';
import { type Place, plainPlace } from './run.js';
import { take } from './taken.js';

/** Two snapshots; a file of 500 kB is in the first of them only, one of 300 kB in both. */
async function measured(): Promise<{ its: Place; ids: string[] }> {
  const its = await plainPlace();
  const file = (name: string): string => join(its.source, name);
  mkdirSync(file('folder'));
  writeFileSync(file('folder/both.bin'), randomContent(1, 300_000));
  writeFileSync(file('first.bin'), randomContent(2, 500_000));
  const first = await take(its, '2024-01-05');
  rmSync(file('first.bin'));
  return { its, ids: [first, await take(its, '2024-01-06')] };
}

interface Free {
  readonly content: number;
  readonly stored: number;
}

test('what snapshots take together, and what is free without them', async () => {
  const { its, ids } = await measured();
  const { summary } = await its.json(['stats', '--before', '2024-01-06', '--free']);
  expect(summary).toMatchObject({ snapshots: 1, bytes: { source: 800_000, unique: 800_000 } });
  const { content, stored } = summary.free as Free;
  expect(content).toBe(500_000);
  expect(stored).toBeGreaterThan(500_000);
  const both = await its.json(['stats', ...ids]);
  expect(both.summary).toMatchObject({ snapshots: 2, bytes: { source: 1_100_000, unique: 800_000 } });
  expect(both.summary).not.toHaveProperty('free');
  const { items } = await its.json(['stats', '--each']);
  expect(items).toMatchObject([
    { snapshot: ids[0], bytes: 800_000, free: { content: 500_000 } },
    { snapshot: ids[1], bytes: 300_000, free: { content: 0 } },
  ]);
  // What was promised is free indeed, but for headers and tables.
  await its.run(['forget', ids[0]!]);
  const pruned = await its.json(['prune', '--max-unused', '0']);
  const { freed, added } = pruned.summary.bytes as { freed: number; added: number };
  expect(Math.abs(freed - added - stored)).toBeLessThan(5_000);
});

test('for people', async () => {
  const { its } = await measured();
  expect((await its.run(['stats', 'latest', '--free'])).stdout).toMatch(
    /^Snapshots {2}1, 293 KiB of files in it\nContent {4}293 KiB, .*\nStored .*\nChunks .*\nFree {7}\d+ B \(0 B of content\)/,
  );
  const lines = (await its.run(['stats', '--each'])).stdout.split('\n');
  expect(lines[0]).toMatch(/^ID +Time +Host +Size +Free +Paths$/);
  expect(lines[1]).toMatch(/ dove +781 KiB +48\d KiB +\//);
  const { stdout } = await its.run(['stats', `latest:${its.source}`, '--by', 'folder']);
  expect(stdout).toBe(
    `   Size    Share  Files  Folder\n293 KiB  100.0 %      1  ${its.source}/folder\n293 KiB in 1 file\n`,
  );
});

test('records that cannot be opened are told', async () => {
  const { its, ids } = await measured();
  writeFileSync(join(its.repo, 'snapshots', ids[0]!), 'damaged');
  rmSync(its.cache, { recursive: true });
  for (const args of [['stats'], ['stats', '--after', '2024-01-01']]) {
    const { code, summary, problems } = await its.json(args);
    expect({ code, summary }).toMatchObject({ code: 4, summary: { snapshots: 1 } });
    expect(problems).toMatchObject([{ severity: 'error', object: `snapshots/${ids[0]}` }]);
  }
  expect((await its.json(['stats', ids[1]!])).code).toBe(0);
});

test('what makes no sense is refused', async () => {
  const its = await plainPlace();
  const wrong = [
    ['--free'],
    ['--by', 'colour'],
    ['--by', 'type', '--each'],
    ['--depth', '2'],
    ['latest', '--by', 'type', '--depth', '2'],
    ['latest', 'latest~1', '--by', 'type'],
  ];
  for (const args of wrong) {
    expect({ args, code: (await its.run(['stats', ...args])).code }).toEqual({ args, code: 2 });
  }
});
