import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { isRoot } from '../snapshot/scratch-repository.js';
import { CAFE, ESCAPE, filled, snapshotId } from './filled.js';
import { type Place, plainPlace } from './run.js';
import { take } from './taken.js';

/** `cbr diff`: what it prints. */

/** Two snapshots, the second of which differs in all ways. */
async function changed(): Promise<{ its: Place; ids: string[] }> {
  const its = await filled();
  const ids = [await snapshotId(its)];
  const at = (name: string): string => join(its.source, name);
  writeFileSync(at('added'), 'added');
  rmSync(Buffer.concat([Buffer.from(`${its.source}/`), CAFE]));
  writeFileSync(at('folder/letter'), 'dear writer,\n');
  renameSync(at('twin'), at('folder/big'));
  chmodSync(at('big'), 0o600);
  rmSync(at(ESCAPE));
  symlinkSync('nowhere', at(ESCAPE));
  ids.push(await snapshotId(its));
  return { its, ids };
}

const lines = (text: string, { source }: Place): string[] =>
  text.replaceAll(source, '').trimEnd().split('\n');

test('what differs between two snapshots, one line each, and a summary', async () => {
  const { its, ids } = await changed();
  const expected = [
    '+  /added  (5 B)',
    'U  /big  (mode)',
    '-  /caf\\xe9  (1 B)',
    'T  /evil\\x1b[31m\\x0aname  (file -> symlink)',
    'R  /twin -> /folder/big  (293 KiB, mode)',
    'M  /folder/letter  (12 B -> 13 B)',
    '',
    'Files   1 added, 1 removed, 1 changed, 1 moved, 1 change of metadata alone',
    'Others  1 changed',
    'Size    18 B added, 13 B removed',
  ];
  const run = await its.run(['diff', ids[0]!, ids[1]!]);
  expect(run).toMatchObject({ code: 0, stderr: '' });
  expect(lines(run.stdout, its)).toEqual(expected);
  for (const args of [[ids[0]!], ['latest~1', 'latest'], [`${ids[0]}:${its.source}`, 'latest']]) {
    expect(lines((await its.run(['diff', ...args])).stdout, its), args.join()).toEqual(expected);
  }
  const stat = await its.run(['diff', 'latest~1', '--stat']);
  expect(lines(stat.stdout, its)).toEqual(expected.slice(-3));
  expect((await its.run(['diff', 'latest', 'latest'])).stdout).toBe('Changes  none\n');
  const folder = await its.run([
    'diff',
    `latest~1:${its.source}/folder`,
    `latest:${its.source}/folder/empty`,
  ]);
  expect(lines(folder.stdout, its).slice(0, 2)).toEqual(['-  /folder/empty/', '-  /folder/letter  (12 B)']);
  const filtered = await its.run(['diff', 'latest~1', '--include', 'folder', '--exclude', 'big']);
  expect(lines(filtered.stdout, its)).toContain('M  /folder/letter  (12 B -> 13 B)');
  expect(filtered.stdout).not.toMatch(/added {2}|big/);
});

test('exact names, and what differs, for programs', async () => {
  const { its } = await changed();
  const { items, summary } = await its.json(['diff', 'latest~1', 'latest', '--metadata']);
  const of = (change: string) => items.filter((item) => item.change === change);
  const cafe = of('removed')[0]!;
  expect(Buffer.from(cafe.pathBase64 as string, 'base64').subarray(-4)).toEqual(CAFE);
  expect(of('type')[0]).toMatchObject({
    path: join(its.source, ESCAPE),
    kind: 'symlink',
    kindBefore: 'file',
  });
  expect(of('moved')).toEqual([
    {
      type: 'item',
      change: 'moved',
      path: join(its.source, 'folder/big'),
      from: join(its.source, 'twin'),
      kind: 'file',
      differs: ['mode'],
      sizeBefore: 300_000,
      size: 300_000,
    },
  ]);
  expect(of('metadata').find(({ path }) => path === join(its.source, 'big'))?.differs).toEqual(['mode']);
  expect(of('metadata').find(({ path }) => path === its.source)?.differs).toEqual(['mtime']);
  expect(summary).toMatchObject({
    files: { added: 1, removed: 1, changed: 1, moved: 1 },
    bytes: { added: 18, removed: 13 },
  });
});

test('times stand for snapshots', async () => {
  const its = await plainPlace();
  const file = join(its.source, 'file');
  for (const day of ['01', '02', '03']) {
    writeFileSync(file, 'x'.repeat(Number(day)));
    await take(its, `2026-01-${day}T12:00`);
  }
  const change = async (...args: string[]) => (await its.run(['diff', ...args])).stdout.split('\n')[0];
  expect(await change('--at', '2026-01-02')).toBe(`M  ${file}  (1 B -> 3 B)`);
  expect(await change('--at', '2026-01-02', '--at', '2026-01-03')).toBe(`M  ${file}  (1 B -> 2 B)`);
  expect(await change('--at', '2026-01-03', `:${file}`)).toBe(`M  ${file}  (2 B -> 3 B)`);
  expect(await change('--at', '2026-01-02', 'latest~1')).toBe(`M  ${file}  (1 B -> 2 B)`);
  const three = await its.run(['diff', 'latest', 'latest', '--at', '2026-01-02']);
  expect(three).toMatchObject({ code: 2, stderr: expect.stringContaining('more than two snapshots') });
  expect(await its.run(['diff'])).toMatchObject({ code: 2, stderr: expect.stringMatching(/no snapshot/) });
});

test('a snapshot and the disk; the repository and the cache are nobody’s change', async () => {
  const { its } = await changed();
  mkdirSync(join(its.source, 'new folder'));
  writeFileSync(join(its.source, 'new folder/file'), 'new');
  writeFileSync(join(its.source, 'added'), 'ADDED');
  const live = await its.run(['diff', 'latest', '--live']);
  expect(lines(live.stdout, its).slice(0, 3)).toEqual([
    'M  /added  (5 B)',
    '+  /new folder/',
    '+  /new folder/file  (3 B)',
  ]);
  expect(live).toMatchObject({ code: 0, stderr: '' });
  const target = join(its.root, 'target');
  await its.run(['restore', `latest:${its.source}`, '--target', target]);
  const restored = ['diff', `latest:${its.source}`, '--live-path', target, '--compare-content'];
  expect((await its.run(restored)).stdout).toBe('Changes  none\n');
  writeFileSync(join(target, 'added'), readFileSync(join(its.source, 'added')));
  expect((await its.run(restored)).stdout).toContain(`M  ${target}/added  (5 B)`);
  expect(await its.run(['diff', 'latest', 'latest', '--live'])).toMatchObject({ code: 2 });
  expect(await its.run(['diff', 'latest', '--live-path', 'none'])).toMatchObject({ code: 1 });
  const root = await plainPlace();
  await root.run(['snapshot', root.root, '-q']);
  // Its folders of its own have been written to meanwhile.
  expect((await root.run(['diff', 'latest', '--live'])).stdout).toBe('Changes  none\n');
});

test('what cannot be read on the disk is told, is no change, and makes it incomplete', async () => {
  const { its } = await changed();
  const asNobody = isRoot ? 'setpriv --reuid=65534 --clear-groups' : '';
  chmodSync(join(its.source, 'folder'), 0o700);
  chmodSync(its.root, 0o755);
  await its.shell('chmod -R a+rwX repo home; chmod 700 source/folder');
  if (!isRoot) chmodSync(join(its.source, 'folder'), 0);
  const run = await its.shell(
    `unset -f cbr; ${asNobody} "${process.execPath}" "$CBR" diff latest --live --stat`,
    {
      env: { CBR: join(import.meta.dirname, '../../bin/cbr.js') },
    },
  );
  if (!isRoot) chmodSync(join(its.source, 'folder'), 0o700);
  expect(run.code).toBe(3);
  expect(run.stderr).toContain(`${its.source}/folder: permission denied (EACCES)`);
  expect(run.stdout).not.toMatch(/removed/);
});
