import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { place } from './run.js';

test('the fits on given sizes', async () => {
  const its = place();
  const file = join(its.root, 'items.json');
  const items = [
    { name: 'a', size: 600 },
    { name: 'b', size: 300 },
    { name: 'c', size: 500 },
  ];
  writeFileSync(file, JSON.stringify(items));
  const plan = (...args: string[]) => its.json(['disc', 'plan', '--items', file, ...args]);
  expect((await plan('--capacity', '1000')).summary).toMatchObject({
    exitCode: 0,
    capacity: 1000,
    discs: [
      { names: ['a', 'b'], used: 900 },
      { names: ['c'], used: 500 },
    ],
  });
  expect((await plan('--capacity', '1000', '--fit', 'worst')).summary.discs).toEqual([
    { names: ['b', 'c'], used: 800 },
    { names: ['a'], used: 600 },
  ]);
  expect((await plan('--media', 'dvd+r', '--cushion', '10')).summary).toMatchObject({
    capacity: 4_230_335_692,
    discs: [{ used: 1400 }],
  });
  expect((await plan('--media', 'dvd+r', '--cushion', '0')).summary).toMatchObject({
    capacity: 4_700_372_992,
  });
  const shown = await its.run(['disc', 'plan', '--items', file, '--capacity', '1000']);
  expect(shown.stdout).toContain('   1      2  900 B  100 B\n');
  expect(shown.stdout).toContain('2 discs in all\n');
});

test('what cannot be planned is refused with a reason', async () => {
  const its = place();
  const file = join(its.root, 'items.json');
  const refused = async (content: string, ...args: string[]): Promise<string> => {
    writeFileSync(file, content);
    const run = await its.run(['disc', 'plan', '--items', file, ...args]);
    expect(run).toMatchObject({ code: 2, stdout: '' });
    return run.stderr;
  };
  expect(await refused('[{"name": "film", "size": 20}]', '--capacity', '10')).toContain(
    '"film" has 20 bytes',
  );
  expect(await refused('[]')).toContain('give either --capacity or --media');
  expect(await refused('[]', '--capacity', '10', '--max-new', '5')).toContain(
    '--items and --max-new exclude',
  );
  expect(await refused('[]', '--media', 'cd-80', '--cushion', '100')).toContain('from 0 to below 100');
  expect(await refused('[]', '--media', 'vinyl')).toContain('One of cd-74');
  expect(await refused('{}', '--capacity', '10')).toContain('is no JSON array of items');
  expect(await refused('[', '--capacity', '10')).toContain('is no JSON');
  expect(await refused('[{"name": "a", "size": 1.5}]', '--capacity', '10')).toContain('item 1 has no size');
  expect(await refused('[{"name": "a", "size": 1}, {"name": "a", "size": 2}]', '--capacity', '10')).toContain(
    'item 2 has the same name as one before',
  );
});
