import { expect, test } from 'vitest';
import type { Place } from './run.js';
import { taken } from './taken.js';

const tagsOf = async (its: Place): Promise<unknown[]> =>
  (await its.json(['snapshots'])).items.map(({ tags }) => tags);

test('is added to what is named and removed again, and says what changed', async () => {
  const { its, ids } = await taken('2024-01-05T02:00', '2024-01-06T02:00', '2024-01-07T02:00');
  const added = await its.json(['tag', 'add', 'keep', 'latest', ids[0]!, ids[0]!.slice(0, 12)]);
  expect(added.summary).toMatchObject({ command: 'tag add', snapshots: 2, changed: 2 });
  expect(added.items).toMatchObject([
    { snapshot: ids[2], tags: ['keep'], changed: true },
    { snapshot: ids[0], tags: ['keep'], changed: true },
  ]);
  const again = await its.run(['tag', 'add', 'keep', '--at', '2024-01-07 03:00']);
  expect(again.stdout).toMatch(
    /^[0-9a-f]{8} \(2024-01-07 .*, dove\): keep \(as before\)\n0 of 1 snapshot changed\.\n$/,
  );
  expect((await its.json(['tag', 'remove', 'keep', ids[2]!])).summary).toMatchObject({ changed: 1 });
  expect((await its.json(['tag', 'remove', 'keep', ids[1]!])).summary).toMatchObject({ changed: 0 });
  expect(await tagsOf(its)).toEqual([['keep'], [], []]);
});

test('all that the filter lets through; other tags stay', async () => {
  const { its } = await taken('2024-01-05T02:00', '2024-01-06T02:00');
  const evil = 'a,b \u001b[31m';
  await its.run(['tag', 'add', evil, 'latest']);
  const { stdout } = await its.run(['tag', 'add', 'new', '--all', '--tag', evil]);
  expect(stdout).toContain('): a,b \\x1b[31m, new\n1 of 1 snapshot changed.\n');
  expect(await tagsOf(its)).toEqual([[], [evil, 'new']]);
  expect((await its.json(['tag', 'remove', evil, '--all'])).summary).toMatchObject({
    snapshots: 2,
    changed: 1,
  });
  expect(await tagsOf(its)).toEqual([[], ['new']]);
});

test('one name that means nothing, and nothing is changed; contradictions are refused', async () => {
  const { its, ids } = await taken('2024-01-05T02:00');
  const other = ids[0]!.startsWith('0') ? '1' : '0';
  expect((await its.run(['tag', 'add', 'keep', 'latest', other])).code).toBe(1);
  for (const args of [[], ['latest', '--all'], ['--all', '--at', 'now'], ['--at', '2099-01-01']]) {
    expect({ args, code: (await its.run(['tag', 'add', 'keep', ...args])).code }).toEqual({ args, code: 2 });
  }
  expect(await tagsOf(its)).toEqual([[]]);
});
