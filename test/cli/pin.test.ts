import { chmodSync, existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { SessionId } from '../../dist/core/index.js';
import { openRepository } from '../../dist/repo/index.js';
import { annotateSnapshot } from '../../dist/snapshot/index.js';
import { Place } from './run.js';

const BERLIN = { TZ: 'Europe/Berlin' };
/** Where the clocks of a March midnight show 1:00 at once. */
const BEIRUT = { TZ: 'Asia/Beirut' };

const its = new Place();
/** Oldest first; the first of them on another host. */
let ids: readonly [string, string, string];

beforeAll(async () => {
  expect((await its.run(['init', '--no-encryption'])).code).toBe(0);
  writeFileSync(join(its.source, 'file'), 'content');
  const take = async (...args: string[]): Promise<string> =>
    (await its.json(['snapshot', its.source, ...args])).summary.snapshot as string;
  ids = [
    await take('--host', 'ape', '--time', '2026-01-01', '--tag', 'x'),
    await take('--host', 'bee', '--time', '2026-01-02'),
    await take('--host', 'bee', '--time', '2026-01-03', '--tag', 'y'),
  ];
});
// As before the first note: the cache too, for it knows that no number is given twice.
beforeEach(() => {
  for (const folder of [join(its.repo, 'notes'), its.cache]) rmSync(folder, { recursive: true, force: true });
});
afterAll(() => its.remove());

const notes = (): string[] => {
  const folder = join(its.repo, 'notes');
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.includes('/'))
    .sort();
};

const listed = async (env: Readonly<Record<string, string>> = {}) =>
  (await its.json(['snapshots'], { env })).items;

describe('pin', () => {
  test('several snapshots, named as everywhere, once each; and unpin', async () => {
    const [ape, old, last] = ids;
    const pinned = await its.json(['pin', 'latest', ape.slice(0, 12), last, '--host', 'bee']);
    expect(pinned).toMatchObject({ code: 0, stderr: '' });
    expect(pinned.items).toEqual([
      { type: 'item', snapshot: last, pinned: true, changed: true },
      { type: 'item', snapshot: ape, pinned: true, changed: true },
    ]);
    expect(pinned.summary).toMatchObject({ command: 'pin', exitCode: 0, snapshots: 2, changed: 2 });
    expect(notes()).toEqual([`${ape}/1`, `${last}/1`].sort());
    expect((await listed()).map(({ snapshot, pinned }) => [snapshot, pinned])).toEqual([
      [ape, true],
      [old, false],
      [last, true],
    ]);

    const unpinned = await its.json(['unpin', 'latest', 'latest~1', '--host', 'bee']);
    expect(unpinned).toMatchObject({ code: 0, stderr: '' });
    expect(unpinned.items).toEqual([
      { type: 'item', snapshot: last, pinned: false, changed: true },
      { type: 'item', snapshot: old, pinned: false, changed: false },
    ]);
    expect(unpinned.summary).toMatchObject({ command: 'unpin', snapshots: 2, changed: 1 });
    expect((await listed()).filter(({ pinned }) => pinned).map(({ snapshot }) => snapshot)).toEqual([ape]);
    expect(notes()).toEqual([`${ape}/1`, `${last}/1`, `${last}/2`].sort());
    expect((await its.run(['check'])).code).toBe(0);
  });

  test('says what it did, and what was so already', async () => {
    const name = `${ids[0].slice(0, 8)} (2026-01-01 00:00:00 +00:00, ape)`;
    const said = async (...args: string[]): Promise<string> => {
      const { code, stdout, stderr } = await its.run(args);
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
      return stdout;
    };
    expect(await said('pin', 'latest', '--tag', 'x')).toBe(`${name} is pinned for ever\n`);
    expect(await said('pin', ids[0])).toBe(`${name} was already pinned for ever\n`);
    expect(await said('pin', ids[0], '--until', '2999-12-31')).toBe(`${name} is pinned until 2999-12-31\n`);
    expect(await said('pin', ids[0], '--until', '2999-12-31')).toBe(
      `${name} was already pinned until 2999-12-31\n`,
    );
    expect(await said('unpin', ids[0])).toBe(`${name} is not pinned any more\n`);
    expect(await said('unpin', ids[0])).toBe(`${name} was not pinned\n`);
    expect(await said('-q', 'pin', ids[0])).toBe('');
  });

  test.each([
    // A date alone is kept through that day, by the clocks of this machine or those it names.
    ['2999-07-01', BERLIN, '2999-07-01T23:59:59+02:00'],
    [' 2999-07-01 ', {}, '2999-07-01T23:59:59+00:00'],
    ['2999-07-01Z', {}, '2999-07-01T23:59:59+00:00'],
    ['2999-07-01+05:30', {}, '2999-07-01T18:29:59+00:00'],
    // The night in which the clocks are put forward at midnight, and the last day that there is.
    ['2027-03-27', BEIRUT, '2027-03-27T23:59:59+02:00'],
    ['9999-12-31', {}, '9999-12-31T23:59:59+00:00'],
    // A time is meant to its second.
    ['2999-07-01 14:05', BERLIN, '2999-07-01T14:05:00+02:00'],
    ['2999-07-01T14:05:09.5Z', {}, '2999-07-01T14:05:09+00:00'],
    ['@32503680000', {}, '3000-01-01T00:00:00+00:00'],
  ])('until %s', async (until, env, expected) => {
    const { items, code } = await its.json(['pin', ids[0], '--until', until], { env });
    expect({ code, items }).toMatchObject({ code: 0, items: [{ pinned: true, pinnedUntil: expected }] });
    expect((await listed(env))[0]).toMatchObject({ snapshot: ids[0], pinned: true, pinnedUntil: expected });
  });

  test('today counts to its end', async () => {
    // In a zone where it is about noon, so that the day cannot end meanwhile.
    const east = 12 - new Date().getUTCHours();
    const TZ = `Etc/GMT${east > 0 ? '-' : '+'}${Math.abs(east)}`;
    const today = new Date(Date.now() + east * 3_600_000).toISOString().slice(0, 10);
    const { items } = await its.json(['pin', ids[0], '--until', today], { env: { TZ } });
    expect(items).toMatchObject([{ pinned: true, pinnedUntil: expect.stringMatching(`^${today}T23:59:59`) }]);
  });

  test('until a duration from now', async () => {
    const ends = async (until: string): Promise<number[]> => {
      const before = Date.now();
      const { code, items } = await its.json(['pin', ids[0], '--until', until]);
      const after = Date.now();
      expect({ code, items }).toMatchObject({ code: 0, items: [{ pinned: true }] });
      const end = Date.parse(items[0]!.pinnedUntil as string);
      return [end - after, end - before];
    };
    const day = 86_400_000;
    for (const [until, span] of [
      ['90s', 90_000],
      ['6h', day / 4],
      [' 30d ', 30 * day],
      ['1w1d', 8 * day],
    ] as const) {
      const [fromEnd, fromBegin] = await ends(until);
      expect(fromEnd).toBeLessThanOrEqual(span);
      expect(fromBegin).toBeGreaterThan(span - 1000);
    }
  });

  test('that has run out counts no more, and is not shown', async () => {
    const repository = await openRepository({
      location: its.repo,
      password: () => Promise.reject(new Error('not encrypted')),
      cacheRoot: join(its.root, 'library'),
      portable: false,
      host: 'here',
      now: () => Date.now(),
      report: () => undefined,
    });
    try {
      await annotateSnapshot(
        repository,
        { id: ids[0] as SessionId },
        { pin: { until: 1_700_000_000 } },
        'me',
        0,
      );
    } finally {
      await repository.close();
    }
    expect((await listed())[0]).toMatchObject({ snapshot: ids[0], pinned: false });
    expect((await listed())[0]).not.toHaveProperty('pinnedUntil');
    expect((await its.run(['snapshots'])).stdout).not.toContain('Pinned');
    expect((await its.run(['unpin', ids[0]])).stdout).toContain('was not pinned');
    expect(notes()).toEqual([`${ids[0]}/1`]);
    expect((await its.json(['pin', ids[0]])).items).toMatchObject([{ pinned: true, changed: true }]);
  });
});

describe('refused, and nothing is written', () => {
  test.each([
    [['pin', '--until', '2020-01-01', 'latest'], 2, '2020-01-01 is over'],
    [['pin', '--until', '@1', 'latest'], 2, 'is over'],
    [['pin', '--until', 'tomorrow', 'latest'], 2, 'A time is expected'],
    [['pin', '--until', 'tomorrow', 'latest'], 2, 'Or a duration from now: 30d.'],
    [['pin', '--until', '1y6m', 'latest'], 2, 'm is minutes; months are written mo.'],
    [['pin', '--until', '0d', 'latest'], 2, 'is not a duration'],
    [['pin', '--until', '2999-02-30', 'latest'], 2, 'A time is expected'],
    [['unpin', '--until', '2999-01-01', 'latest'], 2, '--until'],
    [['pin'], 2, 'snapshot'],
    [['unpin'], 2, 'snapshot'],
    [['pin', 'latest'], 2, 'ape'],
    [['pin', 'latest', 'latest~9', '--host', 'bee'], 1, 'latest~9'],
    [['pin', 'latest', 'nonsense', '--host', 'bee'], 1, 'nonsense'],
    [['pin', 'latest', `${'0'.repeat(31)}z`, '--host', 'bee'], 1, 'no snapshot id'],
  ])('%j', async (args, exitCode, text) => {
    const { code, stdout, stderr } = await its.run(args);
    expect({ code, stdout }).toEqual({ code: exitCode, stdout: '' });
    expect(stderr).toContain(text);
    expect(notes()).toEqual([]);
  });

  test('in JSON', async () => {
    const { code, summary } = await its.json(['pin', 'latest', '--until', '2020-01-01']);
    expect(code).toBe(2);
    expect(summary).toMatchObject({ command: 'pin', exitCode: 2, error: { code: 'usage' } });
  });
});

describe('snapshots', () => {
  test('have a column for pins only where there are any', async () => {
    const table = async (...args: string[]): Promise<string[]> =>
      (await its.run(['snapshots', ...args])).stdout.trimEnd().split('\n');
    expect((await table())[0]).toMatch(/ Tags +Paths$/);
    await its.run(['pin', ids[0]]);
    await its.run(['pin', ids[2], '--until', '2999-12-31']);
    const lines = await table();
    expect(lines[0]).toMatch(/ Tags +Pinned +Paths$/);
    expect(lines[1]).toMatch(new RegExp(` x +for ever +${its.source}$`));
    expect(lines[2]!.indexOf(its.source)).toBe(lines[0]!.indexOf('Paths'));
    expect(lines[2]).not.toMatch(/until|for ever/);
    expect(lines[3]).toMatch(new RegExp(` y +until 2999-12-31 +${its.source}$`));
    expect((await table('--tag', 'y'))[0]).toMatch(/ Tags +Pinned +Paths$/);
    await its.run(['unpin', ids[0]]);
    expect((await table('--host', 'ape'))[0]).toMatch(/ Tags +Paths$/);
  });

  test('a damaged note is a finding of check, and the listing goes on without it', async () => {
    await its.run(['pin', ids[0]]);
    const path = join(its.repo, 'notes', ids[0], '1');
    chmodSync(path, 0o600);
    writeFileSync(path, 'damaged');
    const checked = await its.json(['check']);
    expect(checked).toMatchObject({ code: 4, problems: [{ object: `notes/${ids[0]}/1` }] });
    const { code, items } = await its.json(['snapshots', '--cache-dir', join(its.root, 'other')]);
    expect({ code, pins: items.map(({ pinned }) => pinned) }).toEqual({
      code: 0,
      pins: [false, false, false],
    });
  });
});
