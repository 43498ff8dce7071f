import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomContent } from '../snapshot/random-content.js';
import { everything, left, THREE, take, taken } from './taken.js';

test('lists what can be brought back and brings it back', async () => {
  const { its, ids } = await taken(...THREE);
  expect((await its.run(['unforget'])).stdout).toBe('There is nothing to bring back.\n');
  await its.run(['forget', ids[0]!, ids[1]!]);
  const { items, summary } = await its.json(['unforget']);
  expect(items).toMatchObject([
    { snapshot: ids[0], host: 'dove', paths: [its.source], time: '2026-01-05T02:00:00+00:00' },
    { snapshot: ids[1] },
  ]);
  expect(items[0]).toMatchObject({ by: expect.stringContaining('@'), forgotten: expect.any(String) });
  expect(summary).toMatchObject({ snapshots: 2 });
  const listed = await its.run(['unforget']);
  expect(listed.stdout).toMatch(/^ID +Time +Host +Forgotten +By +Paths\n[^\n]+\n[^\n]+\n2 in all\n$/);
  expect(listed.stdout.split('\n')[1]).toMatch(new RegExp(`^${ids[0]!.slice(0, 8)}  2026`));
  const { items: backs, summary: end } = await its.json(['unforget', ids[0]!.slice(0, 8)]);
  expect(backs).toMatchObject([{ forgotten: ids[0], changed: true }]);
  expect(end).toMatchObject({ exitCode: 0, snapshots: 1, changed: 1, bytes: { storedAgain: 0 } });
  const back = backs[0]!.snapshot as string;
  expect(await left(its)).toEqual([back, ids[2]]);
  expect((await its.json(['unforget'])).items).toMatchObject([{ snapshot: ids[1] }]);
  const target = join(its.root, 'target');
  const restored = await its.run(['restore', `${back}:${its.source}`, '--target', target]);
  expect(restored.code).toBe(0);
  expect(readdirSync(target)).toEqual(['file']);
  const { stdout } = await its.run(['unforget', ids[1]!]);
  expect(stdout).toMatch(
    new RegExp(`^Brought ${ids[1]!.slice(0, 8)} \\(.*\\) back: it is now the snapshot [0-9a-f]{32}\\.\n$`),
  );
  expect((await its.run(['check'])).code).toBe(0);
});

test('several at once, all found before one is brought back; done again nothing is', async () => {
  const { its, ids } = await taken(...THREE);
  await its.run(['forget', ids[0]!, ids[1]!]);
  const before = everything(its);
  const wrong = await its.run(['unforget', ids[0]!, ids[2]!]);
  expect(wrong).toMatchObject({ code: 1, stdout: '' });
  expect(everything(its)).toEqual(before);
  const { items, summary } = await its.json(['unforget', ids[1]!, ids[0]!, ids[1]!]);
  expect(items).toMatchObject([
    { forgotten: ids[1], changed: true },
    { forgotten: ids[0], changed: true },
  ]);
  expect(summary).toMatchObject({ exitCode: 0, snapshots: 2, changed: 2 });
  const now = items.map(({ snapshot }) => snapshot);
  expect(await left(its)).toEqual([now[1], now[0], ids[2]]);
  const again = await its.run(['unforget', ids[0]!, ids[1]!]);
  expect(again).toMatchObject({ code: 0, stderr: '' });
  expect(again.stdout).toMatch(
    new RegExp(`^${ids[0]!.slice(0, 8)} \\(.*\\) is back already: it is the snapshot ${now[1]}\\.\n.*\n$`),
  );
  expect((await its.json(['unforget', ids[0]!])).summary).toMatchObject({ exitCode: 0, changed: 0 });
  expect(await left(its)).toEqual([now[1], now[0], ids[2]]);
});

test('what a prune has left of the trees is not listed, and the others come back', async () => {
  const { its, ids } = await taken(THREE[0]);
  writeFileSync(join(its.source, 'big'), randomContent(1, 3_000_000));
  ids.push(await take(its, THREE[1]));
  rmSync(join(its.source, 'big'));
  ids.push(await take(its, THREE[2]));
  await its.run(['forget', ids[0]!, ids[1]!]);
  expect((await its.run(['prune', '--max-unused', '50%'])).stdout).toMatch(/Removed [1-9]/);
  const { items } = await its.json(['unforget']);
  expect(items).toMatchObject([{ snapshot: ids[0] }]);
  const both = await its.json(['unforget', ids[1]!, ids[0]!]);
  expect(both.code).toBe(1);
  expect(both.problems).toMatchObject([
    { severity: 'error', code: 'not-found', message: expect.stringContaining('cannot be brought back') },
  ]);
  expect(both.items).toMatchObject([{ forgotten: ids[0], changed: true }]);
  expect(both.summary).toMatchObject({ exitCode: 1, snapshots: 2, changed: 1 });
});

test('says that what was never forgotten or is gone cannot be brought back', async () => {
  const { its, ids } = await taken(THREE[0]);
  const unknown = await its.run(['unforget', ids[0]!]);
  expect(unknown).toMatchObject({ code: 1, stdout: '' });
  expect(unknown.stderr).toMatch(/no forgotten snapshot has an id that begins with/);
  await its.run(['forget', ids[0]!]);
  rmSync(join(its.repo, 'packs'), { recursive: true });
  const { code, stdout, stderr } = await its.run(['unforget', ids[0]!]);
  expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
  expect(stderr).toMatch(/cannot be brought back: .*a prune has removed it/);
  expect(await left(its)).toEqual([]);
});
