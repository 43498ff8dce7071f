import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { randomContent } from '../snapshot/random-content.js';
import { type Place, plainPlace } from './run.js';
import { everything, left, objects, THREE, take } from './taken.js';

const MARKER = 'this was never to be stored';
const SECRET = 'work/secret.key';

/** Two snapshots, with a file that should not be in them and one that only the second has. */
async function leaked(): Promise<{ its: Place; ids: string[] }> {
  const its = await plainPlace();
  mkdirSync(join(its.source, 'work/old'), { recursive: true });
  writeFileSync(join(its.source, SECRET), Buffer.concat([randomContent(5, 200_000), Buffer.from(MARKER)]));
  writeFileSync(join(its.source, 'work/old/report'), 'long');
  writeFileSync(join(its.source, 'letter'), 'dear reader');
  const ids = [await take(its, THREE[0], '--tag', 'nightly')];
  writeFileSync(join(its.source, 'later'), 'more');
  ids.push(await take(its, THREE[1]));
  return { its, ids };
}

/** Whether the bytes of the secret are anywhere in the repository; only what is stored raw is found by them. */
function isStored(its: Place): boolean {
  const packs = readdirSync(join(its.repo, 'packs'), { recursive: true, withFileTypes: true });
  return packs.some(
    (each) => each.isFile() && readFileSync(join(each.parentPath, each.name)).includes(MARKER),
  );
}

async function namesIn(its: Place, snapshot: string): Promise<string[]> {
  const { items } = await its.json(['ls', '-R', `${snapshot}:${its.source}`]);
  return items.map(({ path }) => (path as string).slice(its.source.length + 1)).sort();
}

test('a file that should never have been stored is gone after a rewrite and a prune', async () => {
  const { its, ids } = await leaked();
  await its.run(['pin', ids[0]!]);
  expect(isStored(its)).toBe(true);
  const { summary, items } = await its.json(['rewrite', '--all', '--exclude', '*.key', '--forget']);
  expect(summary).toMatchObject({ exitCode: 0, snapshots: 2, changed: 2, unchanged: 0, forgotten: 2 });
  expect(summary.leftOut).toEqual({ entries: 2, bytes: 2 * (200_000 + MARKER.length) });
  expect(items).toMatchObject([
    { from: [ids[0]], state: 'new', forgotten: [ids[0]], files: 2, folders: 3, bytes: 15 },
    { from: [ids[1]], state: 'new', forgotten: [ids[1]], files: 3 },
  ]);
  const now = items.map(({ snapshot }) => snapshot as string);
  expect(await left(its)).toEqual(now);
  const listed = await its.json(['snapshots']);
  expect(listed.items).toMatchObject([
    {
      time: '2026-01-05T02:00:00+00:00',
      host: 'dove',
      tags: ['nightly'],
      pinned: true,
      paths: [its.source],
      level: 'full',
      files: 2,
      folders: 3,
      bytes: 15,
      rewrittenFrom: [ids[0]],
    },
    { time: '2026-01-06T02:00:00+00:00', pinned: false, level: 'incr', rewrittenFrom: [ids[1]] },
  ]);
  expect((await its.run(['snapshots', '-v'])).stdout).toContain(`made from ${ids[0]!.slice(0, 8)}\n`);
  expect(await namesIn(its, now[1]!)).toEqual(['later', 'letter', 'work', 'work/old', 'work/old/report']);
  expect((await its.run(['prune', '--max-unused', '0'])).code).toBe(0);
  expect(isStored(its)).toBe(false);
  expect(await its.run(['check', '--read-data'])).toMatchObject({ code: 0 });
  const { code, stderr } = await its.run(['unforget', ids[0]!]);
  expect(code, stderr).toBe(1);
});

test('what is left out goes in again with the next snapshot, content and all, and nothing else is lost', async () => {
  const { its, ids } = await leaked();
  await its.run(['rewrite', ...ids, '--exclude', '/work', '--forget']);
  await its.run(['prune', '--max-unused', '0']);
  const again = await take(its, THREE[2]);
  const target = join(its.root, 'target');
  expect(await its.run(['restore', `${again}:${its.source}`, '--target', target])).toMatchObject({ code: 0 });
  expect(readFileSync(join(target, SECRET))).toEqual(readFileSync(join(its.source, SECRET)));
  expect(readdirSync(target).sort()).toEqual(['later', 'letter', 'work']);
  expect(await its.run(['check', '--read-data'])).toMatchObject({ code: 0 });
  // And without a prune in between, when it is unchanged where it was left out.
  const { items } = await its.json(['rewrite', again, '--exclude', '*.key', '--forget']);
  const next = await take(its, '2026-01-08T02:00');
  expect(await namesIn(its, items[0]!.snapshot as string)).not.toContain(SECRET);
  expect(await namesIn(its, next)).toContain(SECRET);
});

test('a dry run lists what would be left out, and changes nothing', async () => {
  const { its, ids } = await leaked();
  const before = everything(its);
  const { items, summary } = await its.json([
    'rewrite',
    '--all',
    '--exclude',
    'work/*',
    '--dry-run',
    '--forget',
  ]);
  expect(items).toMatchObject([
    { action: 'excluded', snapshot: ids[0], path: join(its.source, 'work/old'), size: 4 },
    { action: 'excluded', snapshot: ids[0], path: join(its.source, SECRET), size: 200_000 + MARKER.length },
    { from: [ids[0]], state: 'new', forgotten: [], leftOut: { entries: 3 }, files: 1, folders: 2 },
    { action: 'excluded', snapshot: ids[1] },
    { action: 'excluded', snapshot: ids[1] },
    { from: [ids[1]], state: 'new' },
  ]);
  expect(summary).toMatchObject({ dryRun: true, changed: 2, forgotten: 0, leftOut: { entries: 6 } });
  const { stdout } = await its.run(['rewrite', ids[0]!, '--exclude', '*.key', '--dry-run']);
  expect(stdout).toMatch(
    /^[0-9a-f]{8} \(2026.*\):\nexcluded +.*secret\.key {2}\(195 KiB\) {2}\(--exclude \*\.key\)\n.* 1 entry .*left out; /,
  );
  expect(everything(its)).toEqual(before);
});

test('nothing is made where nothing changes, and no second one of the same', async () => {
  const { its, ids } = await leaked();
  const before = everything(its);
  const none = await its.json(['rewrite', '--all', '--exclude', 'no such name', '--forget']);
  expect(none.items.map(({ state }) => state)).toEqual(['unchanged', 'unchanged']);
  expect(none.summary).toMatchObject({ exitCode: 0, changed: 0, unchanged: 2, forgotten: 0 });
  expect((await its.run(['rewrite', 'latest', '--new-host', 'dove'])).stdout).toContain('nothing to change');
  expect(everything(its)).toEqual(before);
  const [first] = (await its.json(['rewrite', ids[0]!, '--exclude', '*.key'])).items;
  const again = await its.json(['rewrite', ids[0]!, '--exclude', '*.key']);
  expect(again.items).toMatchObject([{ state: 'there', snapshot: first!.snapshot }]);
  // As after a run that was stopped between the two: it goes on.
  const end = await its.json(['rewrite', ids[0]!, '--exclude', '*.key', '--forget']);
  expect(end.items).toMatchObject([{ state: 'there', snapshot: first!.snapshot, forgotten: [ids[0]] }]);
  expect(await left(its)).toEqual([first!.snapshot, ids[1]]);
});

test('host, user, job, time and path are said anew, and nothing is read or stored but the folders above', async () => {
  const { its, ids } = await leaked();
  const words = [
    '--new-host',
    'd\u00f6ve',
    '--new-user',
    'ann',
    '--new-job',
    'weekly',
    '--new-time',
    '2020-02-29T12:00+01:00',
  ];
  const moved = await its.json([
    'rewrite',
    ids[1]!,
    ...words,
    '--new-path',
    `${its.source}=/home/ann/source`,
  ]);
  expect(moved.items).toMatchObject([{ from: [ids[1]], state: 'new', files: 4 }]);
  const { items } = await its.json(['snapshots', '--host', 'd\u00f6ve']);
  expect(items).toMatchObject([
    {
      time: '2020-02-29T12:00:00+01:00',
      user: 'ann',
      job: 'weekly',
      paths: ['/home/ann/source'],
      files: 4,
      folders: 3,
      rewrittenFrom: [ids[1]],
    },
  ]);
  const id = items[0]!.snapshot as string;
  const paths = (await its.json(['ls', '-R', id])).items.map(({ path }) => path as string);
  expect(paths.filter((path) => !path.startsWith('/home'))).toEqual([]);
  const target = join(its.root, 'target');
  await its.run(['restore', `${id}:/home/ann/source`, '--target', target]);
  expect(readFileSync(join(target, 'letter'), 'utf8')).toBe('dear reader');
  expect(await its.run(['check', '--read-data'])).toMatchObject({ code: 0 });
});

test('bad requests are refused, and nothing is changed', async () => {
  const { its, ids } = await leaked();
  const before = everything(its);
  const refusals: readonly (readonly [string[], number, RegExp])[] = [
    [['rewrite', ids[0]!], 2, /nothing says what to change/],
    [['rewrite', '--exclude', 'x'], 2, /nothing says which snapshots/],
    [['rewrite', ids[0]!, '--all', '--exclude', 'x'], 2, /exclude each other/],
    [['rewrite', '--all', '--new-time', '2020-01-01'], 2, /is for one snapshot, and 2 were chosen/],
    [['rewrite', ids[0]!, '--exclude', its.source], 2, /nothing would be left of snapshot/],
    [['rewrite', ids[0]!, '--include', 'no such file'], 2, /nothing would be left of snapshot/],
    [['rewrite', ids[0]!, '--new-path', 'x'], 2, /OLD=NEW is expected/],
    [['rewrite', ids[0]!, '--new-path', '/elsewhere=/x'], 2, /neither a source nor a folder above one/],
    [['rewrite', ids[0]!, '--new-path', `${its.source}/work=/x`], 2, /neither a source nor/],
    [['rewrite', 'ffff', '--exclude', 'x'], 1, /ffff/],
    [['rewrite', ids[0]!, 'ffff', '--exclude', '*.key'], 1, /ffff/],
    [['rewrite', '--host', 'nobody', '--exclude', 'x'], 1, /no snapshot is chosen/],
    [['rewrite', ids[0]!, '--exclude-regex', '('], 2, /invalid regular expression/],
  ];
  for (const [args, code, message] of refusals) {
    const run = await its.run(args);
    expect({ args, code: run.code, stdout: run.stdout }).toEqual({ args, code, stdout: '' });
    expect(run.stderr).toMatch(message);
  }
  expect(everything(its)).toEqual(before);
});

test('of several, one of which nothing would be left does not keep the others', async () => {
  const { its, ids } = await leaked();
  rmSync(join(its.source, 'work'), { recursive: true });
  const alone = await its.json([
    'snapshot',
    join(its.source, 'letter'),
    '--time',
    THREE[2],
    '--host',
    'dove',
  ]);
  const { items, problems, code } = await its.json(['rewrite', '--all', '--exclude', 'letter', '--forget']);
  expect(code).toBe(1);
  expect(items.map(({ from }) => from)).toEqual([[ids[0]], [ids[1]]]);
  expect(problems).toMatchObject([
    { severity: 'error', message: expect.stringContaining('nothing would be left') },
  ]);
  expect(await left(its)).toContain(alone.summary.snapshot);
  expect(objects(its, 'forgotten')).toEqual([...ids].sort());
});
