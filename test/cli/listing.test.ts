import { chmodSync, existsSync, rmSync, writeFileSync } from 'node:fs';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { CAFE, ESCAPE, filled, snapshotId } from './filled.js';

describe('snapshots', () => {
  test('a table for people, items for programs', async () => {
    const its = await filled();
    expect((await its.run(['snapshots'])).stdout).toBe('There are no snapshots yet.\n');
    const a = await snapshotId(its, '--host', 'ape', '--tag', 'x', '--tag', 'y', '--time', '2026-01-01');
    const b = await snapshotId(its, '--host', 'bee', '--tag', 'x', '--time', '2026-01-02');
    const { code, stdout, stderr } = await its.run(['snapshots']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[0]).toMatch(/^ID +Time +Host +Level +Files +Size +Tags +Paths$/);
    expect(lines[1]).toMatch(
      new RegExp(`^${a.slice(0, 8)}  2026-01-01 00:00:00 \\+00:00  ape .* KiB  x,y +${its.source}$`),
    );
    expect(lines[2]).toMatch(new RegExp(`^${b.slice(0, 8)}  2026-01-02 .* bee `));
    expect(lines[3]).toBe('2 in all');

    const listed = await its.json(['snapshots']);
    expect(listed.summary).toMatchObject({ command: 'snapshots', snapshots: 2 });
    expect(listed.items[0]).toMatchObject({
      snapshot: a,
      time: '2026-01-01T00:00:00+00:00',
      host: 'ape',
      paths: [its.source],
      tags: ['x', 'y'],
      level: 'full',
      problems: 0,
      programVersion: expect.stringMatching(/^cbr /),
    });
    expect(listed.items[1]).toMatchObject({ snapshot: b, host: 'bee' });

    const chosen = async (...args: string[]): Promise<unknown[]> =>
      (await its.json(['snapshots', ...args])).items.map(({ snapshot }) => snapshot);
    expect(await chosen('--host', 'bee')).toEqual([b]);
    expect(await chosen('--tag', 'x')).toEqual([a, b]);
    expect(await chosen('--tag', 'x', '--tag', 'y')).toEqual([a]);
    expect(await chosen('--path', its.source)).toEqual([a, b]);
    expect(await chosen('--path', join(its.source, 'folder'))).toEqual([]);
    expect((await its.run(['snapshots', '--host', 'cat'])).stdout).toBe('0 of 2\n');
  });
});

test('a run says what passed between it and the repository', async () => {
  const its = await filled();
  const snapshot = await snapshotId(its);
  const { summary } = await its.json(['ls', snapshot]);
  const { read, list, write } = summary.traffic as Record<string, { calls: number; bytes: number }>;
  expect(read!.calls).toBeGreaterThan(1);
  expect(read!.bytes).toBeGreaterThan(100);
  expect(list!.calls).toBeGreaterThan(1);
  expect(write).toBeUndefined();
  const { stderr } = await its.run(['ls', snapshot, '-v']);
  expect(stderr).toMatch(/^Repository: [0-9]+ reads \([0-9.]+ K?i?B\), 0 writes \(0 B\), [0-9]+ lists, /m);
});

describe('how a snapshot is named', () => {
  test('id, prefix, latest, latest~N; and by host, path and tag', async () => {
    const its = await filled();
    const a = await snapshotId(its, '--host', 'ape', '--tag', 'x');
    const b = await snapshotId(its, '--host', 'ape');
    const named = async (name: string, ...args: string[]): Promise<unknown> => {
      const { summary } = await its.json(['ls', name, ...args]);
      return summary.snapshot ?? summary.exitCode;
    };
    expect(await named(a)).toBe(a);
    expect(await named(a.slice(0, 12))).toBe(a);
    expect(await named('latest')).toBe(b);
    expect(await named('latest~0')).toBe(b);
    expect(await named('latest~1')).toBe(a);
    expect(await named('latest', '--tag', 'x')).toBe(a);
    expect(await named('latest', '--path', its.source)).toBe(b);
    expect(await named('latest~2')).toBe(1);
    expect(await named('latest', '--tag', 'z')).toBe(1);
    expect(await named('ffffffffffff')).toBe(1);
    expect(await named('not-an-id')).toBe(1);
    expect(await named(':/etc')).toBe(1);
  });

  test('of several hosts none is guessed', async () => {
    const its = await filled();
    const ape = await snapshotId(its, '--host', 'ape');
    const bee = await snapshotId(its, '--host', 'bee');
    const { code, stdout, stderr } = await its.run(['restore', 'latest', '--target', join(its.root, 'out')]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    for (const text of ['ape', 'bee', '--host']) expect(stderr).toContain(text);
    expect(existsSync(join(its.root, 'out'))).toBe(false);
    expect((await its.json(['ls', 'latest', '--host', 'ape'])).summary.snapshot).toBe(ape);
    expect((await its.json(['ls', 'latest', '--host', 'bee'])).summary.snapshot).toBe(bee);
  });

  test('a record that cannot be opened is no reason to take an older one', async () => {
    const its = await filled();
    await snapshotId(its);
    const last = await snapshotId(its);
    const path = join(its.repo, 'snapshots', last);
    chmodSync(path, 0o600);
    writeFileSync(path, 'damaged');
    rmSync(its.cache, { recursive: true });
    for (const args of [
      ['ls', 'latest'],
      ['restore', 'latest', '--target', join(its.root, 'out')],
    ]) {
      const { code, stderr } = await its.run(args);
      expect({ args, code }).toEqual({ args, code: 4 });
      expect(stderr).toContain(last);
    }
    const listed = await its.json(['snapshots']);
    expect(listed).toMatchObject({ code: 4, problems: [{ object: `snapshots/${last}` }] });
    expect(listed.items).toHaveLength(1);
  });
});

describe('ls', () => {
  test('names, as ls prints them', async () => {
    const its = await filled();
    await snapshotId(its);
    const { code, stdout, stderr } = await its.run(['ls', `latest:${its.source}`]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const names = ['big', 'caf\\xe9', 'evil\\x1b[31m\\x0aname', 'folder', 'link', 'twin'];
    expect(stdout).toBe(`${names.join('\n')}\n`);
    const file = await its.run(['ls', `latest:${its.source}/folder/letter`]);
    expect(file.stdout).toBe('letter\n');
    const all = await its.run(['ls', '-R', `latest:${its.source}/folder`]);
    expect(all.stdout).toBe(`${its.source}/folder/empty\n${its.source}/folder/letter\n`);
    const root = await its.run(['ls', 'latest']);
    expect(root.stdout).toBe(`${its.source.split('/')[1]}\n`);
  });

  test('-l: mode, owner, size, time, target', async () => {
    const its = await filled();
    await snapshotId(its);
    const { stdout } = await its.run(['ls', '-l', `latest:${its.source}`]);
    const user = userInfo().username;
    expect(stdout).toMatch(
      new RegExp(`^-rw-r--r--  ${user} +\\S+ +293 KiB 2001-09-09 01:46:40 \\+00:00 big$`, 'm'),
    );
    expect(stdout).toMatch(/^lrwxrwxrwx .* link -> nowhere$/m);
    expect(stdout).toMatch(/^drwxr-xr-x .* - .* folder$/m);
    const { stdout: all } = await its.run(['ls', '-lR', `latest:${its.source}/folder`]);
    expect(all).toMatch(/^-rwsr-x--x .* 12 B .*\/folder\/letter$/m);
  });

  test('items for programs, names exact', async () => {
    const its = await filled();
    const id = await snapshotId(its);
    const { items, summary } = await its.json(['ls', '-l', `latest:${its.source}`]);
    expect(summary).toMatchObject({ command: 'ls', snapshot: id, entries: 6 });
    const byName = new Map(items.map((item) => [(item.path as string).slice(its.source.length + 1), item]));
    expect(byName.get('big')).toMatchObject({
      kind: 'file',
      size: 300_000,
      mode: 0o644,
      uid: process.getuid!(),
      user: userInfo().username,
      mtime: '2001-09-09T01:46:40+00:00',
    });
    expect(byName.get('big')!.hardLink).toBe(byName.get('twin')!.hardLink);
    expect(byName.get('link')).toMatchObject({ kind: 'symlink', linkTarget: 'nowhere' });
    expect(byName.get('folder')).toMatchObject({ kind: 'directory' });
    expect(byName.get(ESCAPE)).not.toHaveProperty('pathBase64');
    const cafe = byName.get('caf\ufffd')!;
    expect(Buffer.from(cafe.pathBase64 as string, 'base64')).toEqual(
      Buffer.concat([Buffer.from(`${its.source}/`), CAFE]),
    );
  });

  test('a path that is not there', async () => {
    const its = await filled();
    await snapshotId(its);
    const { code, stderr } = await its.run(['ls', `latest:${its.source}/absent`]);
    expect(code).toBe(1);
    expect(stderr).toContain(`${its.source}/absent`);
  });
});
