import { spawn } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CBR } from './child.js';
import { ESCAPE, filled } from './filled.js';
import { type Line, type Place, plainPlace } from './run.js';
import { take } from './taken.js';

/** Three snapshots: a letter is written, changed and removed, and a note stays. */
async function lettered(): Promise<{ its: Place; ids: readonly string[]; letter: string }> {
  const its = await plainPlace();
  const letter = join(its.source, 'letters/draft.odt');
  mkdirSync(join(its.source, 'letters'));
  writeFileSync(join(its.source, 'note'), 'note');
  writeFileSync(letter, 'one');
  utimesSync(letter, 1_000_000_000, 1_000_000_000);
  const first = await take(its, '2026-01-05T02:00');
  writeFileSync(letter, 'three');
  const second = await take(its, '2026-01-06T02:00');
  rmSync(letter);
  const third = await take(its, '2026-01-07T02:00');
  return { its, ids: [first, second, third], letter };
}

const versionsIn = (items: readonly Line[]) =>
  items.map(({ path, changes, first, last, snapshots }) => ({
    path: (path as string).split('/source/')[1],
    changes,
    first: (first as { snapshot: string }).snapshot,
    last: (last as { snapshot: string }).snapshot,
    snapshots,
  }));

describe('cbr find', () => {
  test('searches the newest snapshot of each host and its paths, or the one that is chosen', async () => {
    const { its, ids, letter } = await lettered();
    const found = async (...args: string[]) =>
      (await its.json(['find', ...args])).items.map(({ path, snapshot }) => [path, snapshot]);
    expect(await found('draft.odt')).toEqual([]);
    expect(await found('note')).toEqual([[join(its.source, 'note'), ids[2]]]);
    expect(await found('*.odt', '--at', '2026-01-06 12:00')).toEqual([[letter, ids[1]]]);
    expect(await found('letters/*', '--snapshot', ids[0]!.slice(0, 8))).toEqual([[letter, ids[0]]]);
    await its.run(['snapshot', its.source, '--host', 'other', '--time', '2026-01-08T02:00']);
    expect(await found('/**/note')).toHaveLength(2);
    expect(await found('note', '--host', 'dove')).toEqual([[join(its.source, 'note'), ids[2]]]);
    const { stdout } = await its.run(['find', '-l', 'NO?E', '-i', '--host', 'dove']);
    expect(stdout).toMatch(/^Snapshot [0-9a-f]{8} of 2026-01-07 .* dove: .*\n-rw.* 4 B .*\/source\/note\n$/);
  });

  test('--history tells each version, and takes in only what it does not know', async () => {
    const { its, ids, letter } = await lettered();
    const { items, summary } = await its.json(['find', '--history', '*.odt']);
    const path = 'letters/draft.odt';
    expect(versionsIn(items)).toEqual([
      { path, changes: ['added'], first: ids[0], last: ids[0], snapshots: 1 },
      { path, changes: ['content', 'mtime'], first: ids[1], last: ids[1], snapshots: 1 },
      { path, changes: ['removed'], first: ids[2], last: ids[2], snapshots: 1 },
    ]);
    expect(items[0]).toMatchObject({ kind: 'file', size: 3, mtime: '2001-09-09T01:46:40+00:00' });
    expect(summary).toMatchObject({ snapshots: 3, paths: 1, versions: 3, pathIndex: { added: 3 } });
    const again = await its.json(['find', '--history', '*.odt']);
    expect(again.items).toEqual(items);
    expect(again.summary.pathIndex).toMatchObject({ added: 0, grown: 0 });
    // No tree is read for it: only what every command looks at.
    expect(again.summary.traffic).toMatchObject({ read: { calls: 1 } });
    writeFileSync(letter, 'three');
    await take(its, '2026-01-08T02:00');
    await its.run(['forget', ids[1]!]);
    const later = await its.json(['find', '--history', letter]);
    expect(versionsIn(later.items).map(({ changes }) => changes)).toEqual([
      ['added'],
      ['removed'],
      ['added'],
    ]);
    expect(later.summary.pathIndex).toMatchObject({ added: 1 });
    const { stdout } = await its.run(['find', '--history', letter]);
    expect(stdout.split('\n')).toHaveLength(5);
  });

  test('by type, time and size', async () => {
    const its = await filled();
    await its.run(['snapshot', its.source]);
    const found = async (...args: string[]) =>
      (await its.json(['find', '/**/source/**', ...args])).items
        .map(({ path }) => (path as string).split('/source/')[1])
        .sort();
    expect(await found('--type', 'd')).toEqual(['folder', 'folder/empty']);
    expect(await found('--type', 'l,d')).toEqual(['folder', 'folder/empty', 'link']);
    expect(await found('--larger', '100K')).toEqual(['big', 'twin']);
    expect(await found('--older', '2002-01-01')).toEqual(['big', 'twin']);
    expect(await found('--type', 'f', '--newer', '2002-01-01', '--smaller', '1')).toEqual([
      'caf\ufffd',
      ESCAPE,
    ]);
    const escaped = await its.run(['find', 'evil*']);
    expect(escaped.stdout).toContain('evil\\x1b[31m\\x0aname\n');
    expect((await its.json(['find', 'caf?'])).items[0]).toHaveProperty('pathBase64');
  });

  test('says what is wrong', async () => {
    const { its, ids } = await lettered();
    const failure = async (...args: string[]) => {
      const { code, stderr } = await its.run(['find', ...args]);
      return `${code} ${stderr}`;
    };
    expect(await failure('[a')).toMatch(/^2 .*'\[a'.*never closed/);
    expect(await failure('a', '--type', 'x')).toMatch(/^2 /);
    expect(await failure('a', '--host', 'nobody')).toMatch(/^1 .*no snapshot of host nobody/);
    expect(await failure('a', '--at', '2025-01-01')).toMatch(/^1 .*at or before 2025-01-01/);
    expect(await failure('a', '--snapshot', 'zzz')).toMatch(/^1 .*zzz/);
    expect(await failure()).toMatch(/^2 /);
    const none = await its.run(['find', 'nothing', '--history']);
    expect(none).toMatchObject({ code: 0, stdout: 'Nothing was found in 3 snapshots.\n' });
    // A snapshot that cannot be opened is told, and the others are searched.
    const record = join(its.repo, 'snapshots', ids[1]!);
    const bytes = readFileSync(record);
    bytes[bytes.length - 1]! ^= 1;
    chmodSync(record, 0o600);
    writeFileSync(record, bytes);
    await its.run(['cache', 'clear']);
    const damaged = await its.json(['find', '--history', '*.odt']);
    expect(damaged.code).toBe(4);
    expect(damaged.items).toHaveLength(2);
    expect(damaged.problems).toMatchObject([{ severity: 'error', object: `snapshots/${ids[1]}` }]);
  });

  test('of two at the same time both find everything; a closed pipe is no error', async () => {
    const { its } = await lettered();
    const runs = await Promise.all(Array.from({ length: 3 }, () => its.json(['find', '--history', '*.odt'])));
    for (const { code, items, problems } of runs) {
      expect({ code, problems }).toEqual({ code: 0, problems: [] });
      expect(items).toHaveLength(3);
    }
    const child = spawn(process.execPath, [CBR, 'find', '--history', '*'], { env: its.env() });
    child.stdout.destroy();
    let stderr = '';
    child.stderr.on('data', (text: Buffer) => {
      stderr += text.toString();
    });
    const code = await new Promise((resolve) => child.on('close', resolve));
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  });

  test('its index is listed with the cache, and cleared with it', async () => {
    const { its } = await lettered();
    await its.run(['find', '--history', '*']);
    const [listed] = (await its.json(['cache', 'list'])).items;
    expect(listed!.pathIndexBytes).toBeGreaterThan(4096);
    expect(listed!.bytes as number).toBeGreaterThan(listed!.pathIndexBytes as number);
    const [folder] = readdirSync(its.cache).filter((name) => /-/.test(name));
    expect(readdirSync(join(its.cache, folder!, 'paths'))).toContain('data.mdb');
    expect((await its.json(['cache', 'clear'])).summary.removed).toBe(1);
    expect(readdirSync(its.cache)).not.toContain(folder);
    expect((await its.json(['find', '--history', '*.odt'])).items).toHaveLength(3);
  });

  test('a damaged index is never believed, and made anew', async () => {
    const { its } = await lettered();
    const { items } = await its.json(['find', '--history', '*.odt']);
    const [folder] = readdirSync(its.cache).filter((name) => /-/.test(name));
    const data = join(its.cache, folder!, 'paths/data.mdb');
    const bytes = readFileSync(data);
    for (let at = bytes.indexOf('draft.odt'); at >= 0; at = bytes.indexOf('draft.odt', at + 1))
      bytes[at] = 'D'.charCodeAt(0);
    writeFileSync(data, bytes);
    const { code, items: found, problems } = await its.json(['find', '--history', '-i', '*.ODT']);
    expect({ code, found }).toEqual({ code: 0, found: items });
    expect(problems).toMatchObject([{ severity: 'note', about: 'cache' }]);
    expect(problems[0]!.message).toContain('path index of this repository is built anew');
  });
});

describe('cbr log', () => {
  test('tells the versions of a path, the newest first, and how to have one', async () => {
    const { its, ids, letter } = await lettered();
    const { items, summary } = await its.json(['log', letter]);
    expect(versionsIn(items).map(({ first, changes }) => [first, changes])).toEqual([
      [ids[2], ['removed']],
      [ids[1], ['content', 'mtime']],
      [ids[0], ['added']],
    ]);
    expect(summary).toMatchObject({ snapshots: 3, versions: 3 });
    const reverse = await its.json(['log', '--reverse', letter]);
    expect(reverse.items).toEqual(items.toReversed());
    // Relative to the working folder, as a user names it.
    const { stdout } = await its.run(['log', 'draft.odt'], { cwd: join(its.source, 'letters') });
    expect(stdout).toMatch(/\(dove: .*source\)\n.*removed .*not in 1 snapshot\n.*content, mtime .*\n.*added/);
    const hint = /cbr restore '([^']*)' --target FOLDER/.exec(stdout)?.[1];
    expect(hint).toBe(`${ids[1]!.slice(0, 8)}:${letter}`);
    const target = join(its.root, 'target');
    expect((await its.run(['restore', hint!, '--target', target])).code).toBe(0);
    expect(readFileSync(join(target, 'draft.odt'), 'utf8')).toBe('three');
  });

  test('of a path that was never there names others of that name', async () => {
    const { its, ids, letter } = await lettered();
    const { code, stderr } = await its.run(['log', '/elsewhere/draft.odt']);
    expect(code).toBe(1);
    expect(stderr).toContain(`none of 3 snapshots has /elsewhere/draft.odt; there is ${letter}`);
    expect((await its.json(['log', '/elsewhere'])).summary.error).toMatchObject({ code: 'not-found' });
    // Only of snapshots that count, and that are still there.
    const nobody = await its.run(['log', letter, '--host', 'nobody']);
    expect(nobody).toMatchObject({ code: 1, stderr: expect.stringContaining('no snapshot of host nobody') });
    for (const id of ids.slice(0, 2)) await its.run(['forget', id]);
    const gone = await its.run(['log', '/elsewhere/draft.odt']);
    expect(gone.stderr).toMatch(/none of 1 snapshot has \/elsewhere\/draft.odt\n/);
  });
});
