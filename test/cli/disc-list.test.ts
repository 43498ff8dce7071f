import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { buildOf, overwrite, type Shelf, shelf, store } from './disc-records.js';
import { plainPlace } from './run.js';

/** `cbr disc list` and `cbr disc show`: what the catalog says. */

/** Two discs with all of the first two snapshots, burned and built, and one with the rest that is only planned. */
async function stocked(): Promise<Shelf & { readonly ids: readonly string[] }> {
  const made = await shelf();
  const { its, snapshots, packs } = made;
  const all = buildOf([[packs[0]!], [packs[1]!]], { snapshots: snapshots.slice(0, 2) });
  await store(its, all, 'burned', 'built');
  const rest = buildOf([[packs[2]!]], { first: 3, content: 'new', snapshots, medium: '200MiB' });
  await store(its, rest);
  return { ...made, ids: [...all.discs, ...rest.discs].map(({ id }) => id) };
}

test('the discs are listed by set and number, with what is on them', async () => {
  const { its, packs, ids } = await stocked();
  await store(its, buildOf([[]], { set: 'archive', snapshots: [] }), 'retired');
  const { summary, items, code } = await its.json(['disc', 'list']);
  expect(code).toBe(0);
  expect(summary).toMatchObject({ sets: 2, builds: 3, discs: 4, problems: 0 });
  const common = { set: 'home', medium: 'dvd+r', content: 'all', planned: '2027-01-15T08:00:00+00:00' };
  expect(items).toMatchObject([
    { set: 'archive', number: 1, state: 'retired', packs: 0, bytes: 0 },
    {
      ...common,
      number: 1,
      disc: ids[0],
      volume: 'HOME_1',
      state: 'burned',
      packs: 1,
      bytes: packs[0]!.size,
      by: 'ann@dove',
      changed: '2027-01-15T08:01:40+00:00',
    },
    { ...common, number: 2, disc: ids[1], volume: 'HOME_2', state: 'built', bytes: packs[1]!.size },
    { set: 'home', number: 3, disc: ids[2], state: 'planned', content: 'new', medium: '200MiB' },
  ]);
  const few = await its.json(['disc', 'list', '--set', 'home']);
  expect(few.items).toEqual(items.slice(1));
  expect(few.summary).toMatchObject({ sets: 1, builds: 2, discs: 3 });
  const { stdout } = await its.run(['disc', 'list']);
  expect(stdout).toMatch(/^archive\/1 +ARCHIVE_1 +retired +0 +0 B +2027-01-15/m);
  expect(stdout).toMatch(/^home\/1 +HOME_1 +burned +1 +9\d\.\d KiB .* all +dvd\+r +[0-9a-f]{8}$/m);
  expect(stdout).toContain('4 discs in all, 2 of them written and not retired\n');
});

test('without discs there are none, and a set that is not there is no empty one', async () => {
  const its = await plainPlace();
  expect((await its.run(['disc', 'list'])).stdout).toBe('There are no discs yet.\n');
  const { code, stdout, stderr } = await its.run(['disc', 'list', '--set', 'hom']);
  expect([code, stdout]).toEqual([1, '']);
  expect(stderr).toContain('there is no set "hom"\nSee: cbr disc list');
});

test('a disc is found by set and number, volume id, or id, and shown with the snapshots that need it', async () => {
  const { its, ids, snapshots, packs } = await stocked();
  const shown = await its.json(['disc', 'show', 'home/2']);
  expect(shown.items.map(({ snapshot }) => snapshot)).toEqual(snapshots.slice(1));
  expect(shown.items[0]).toMatchObject({ paths: [its.source], time: expect.stringContaining('T') });
  expect(shown.summary).toMatchObject({
    exitCode: 0,
    disc: ids[1],
    state: 'built',
    packs: 1,
    bytes: packs[1]!.size,
    packsGone: 0,
    snapshots: 2,
  });
  for (const name of ['HOME_2', 'home_2', ids[1]!, ids[1]!.slice(0, 20).toUpperCase()])
    expect((await its.json(['disc', 'show', name, '--packs'])).items).toMatchObject([
      { pack: packs[1]!.name, bytes: packs[1]!.size },
    ]);
  const { stdout } = await its.run(['disc', 'show', 'HOME_1']);
  expect(stdout).toContain('State   burned since 2027-01-15');
  expect(stdout).toContain('3 snapshots need something on it\n');
  const alone = await its.run(['disc', 'show', 'home/3']);
  expect(alone.stdout).toContain('1 snapshot needs something on it\n');
});

test('what is not there or is ambiguous is refused, and nothing is guessed', async () => {
  const { its, packs } = await stocked();
  await store(its, buildOf([[packs[0]!]], { first: 4 }));
  const twin = buildOf([[packs[0]!]], { set: 'photos' });
  await store(its, { ...twin, discs: twin.discs.map((each) => ({ ...each, volume: 'HOME_1' })) });
  const refused = async (name: string): Promise<string> => {
    const { code, stderr, stdout } = await its.run(['disc', 'show', name]);
    expect(stdout).toBe('');
    return `${code} ${stderr}`;
  };
  expect(await refused('home/9')).toMatch(/^1 cbr: the catalog has no disc "home\/9"\n.*cbr disc list/);
  expect(await refused('')).toMatch(/^1 cbr: the catalog has no disc ""/);
  expect(await refused('%00')).toMatch(/^1 cbr: the catalog has no disc "%00"/);
  expect(await refused('HOME_1')).toMatch(/^2 cbr: 2 discs are called "HOME_1": .*"home\/1".*"photos\/1"/);
});

test('packs that a prune has removed are counted as gone', async () => {
  const { its, snapshots } = await stocked();
  for (const snapshot of snapshots.slice(1)) await its.run(['forget', snapshot]);
  const pruned = await its.json(['prune', '--max-unused', '0']);
  expect(pruned.summary).toMatchObject({ exitCode: 0, packs: { removed: expect.any(Number) } });
  const { summary, items } = await its.json(['disc', 'show', 'home/3']);
  expect(summary).toMatchObject({ packs: 1, packsGone: 1, snapshots: 0 });
  expect(items).toEqual([]);
  const { stdout } = await its.run(['disc', 'show', 'home/3']);
  expect(stdout).toContain('1 pack of them the repository does not have any more');
  expect(stdout).toContain('No snapshot needs what is on it.');
});

test('a damaged record costs itself, and is told with the exit code', async () => {
  const { its } = await stocked();
  expect(readdirSync(join(its.repo, 'catalog')).sort()).toEqual(['1', '2', '3', '4']);
  overwrite(its, 4, 'nothing of ours');
  const listed = await its.json(['disc', 'list']);
  expect(listed.summary).toMatchObject({ exitCode: 4, discs: 2 });
  expect(listed.problems).toMatchObject([{ severity: 'error', code: 'damaged', object: 'catalog/4' }]);
  overwrite(its, 1, '');
  const less = await its.json(['disc', 'list']);
  expect(less.summary).toMatchObject({ exitCode: 4, discs: 0 });
  expect(less.problems.map(({ object, code }) => [object, code])).toEqual([
    ['catalog/1', 'damaged'],
    ['catalog/4', 'damaged'],
    ['catalog/2', 'stray'],
    ['catalog/3', 'stray'],
  ]);
});

test('words of strangers steer no terminal, and records are shown by cat', async () => {
  const its = await plainPlace();
  const evil = '\x1b[31m\u202evil\n';
  const build = buildOf([[]], { set: evil, medium: '\x07' });
  const discs = build.discs.map((each) => ({ ...each, volume: `\x1b]0;t\x07` }));
  await store(its, { ...build, discs }, 'built');
  for (const args of [['list'], ['show', discs[0]!.id], ['retire', discs[0]!.id, '--yes']]) {
    const { code, stdout, stderr } = await its.run(['disc', ...args]);
    expect([code, stderr]).toEqual([0, '']);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for
    expect(stdout.replaceAll('\n', '')).not.toMatch(/[\x00-\x1f\u202e]/);
    expect(stdout).toContain('\\x1b');
  }
  expect((await its.json(['disc', 'list'])).items).toMatchObject([{ set: evil }]);
  expect((await its.json(['cat', 'catalog', '1'])).items).toMatchObject([
    { value: { build: { set: evil } } },
  ]);
  expect((await its.json(['cat', 'catalog'])).items.map(({ object }) => object)).toEqual([
    'catalog/1',
    'catalog/2',
    'catalog/3',
  ]);
});
