import {
  appendFileSync,
  chmodSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Place, place, plainPlace } from './run.js';

/** A name in latin1, as it stands on the disk: not UTF-8. */
const CAFE = Buffer.from('caf\xe9', 'latin1');
const ESCAPE = 'evil\x1b[31m\nname';

function fill({ source }: Place): void {
  mkdirSync(join(source, 'folder/empty'), { recursive: true });
  writeFileSync(join(source, 'folder/letter'), 'dear reader\n');
  writeFileSync(join(source, 'big'), Buffer.alloc(300_000, 'abcdefghi'));
  chmodSync(join(source, 'folder/letter'), 0o4751);
  utimesSync(join(source, 'big'), 1_000_000_000, 1_000_000_000);
  symlinkSync('nowhere', join(source, 'link'));
  linkSync(join(source, 'big'), join(source, 'twin'));
  writeFileSync(Buffer.concat([Buffer.from(`${source}/`), CAFE]), 'x');
  writeFileSync(join(source, ESCAPE), '');
}

/** Six files, a symlink; the folders empty, folder and source, and those above. */
const FILES = 6;

async function filled(): Promise<Place> {
  const its = await plainPlace();
  fill(its);
  return its;
}

const snapshotId = async (its: Place, ...args: readonly string[]): Promise<string> =>
  (await its.json(['snapshot', its.source, ...args])).summary.snapshot as string;

describe('init', () => {
  test('makes a repository, for people', async () => {
    const its = place();
    const { code, stdout, stderr } = await its.run(['init'], { env: { CBR_PASSWORD: 'secret' } });
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^Made the repository [0-9a-f]{8} in .*\/repo\.\nKeep the password safe: .*\n$/);
  });

  test('and for programs, with every parameter', async () => {
    const its = place();
    const { summary } = await its.json([
      ...['init', '--no-encryption', '--chunk-size', '16KiB', '--block-size', '1MiB'],
      ...['--pack-size', '8 MiB', '--compression', '5', '--pad'],
    ]);
    expect(summary).toMatchObject({
      command: 'init',
      exitCode: 0,
      location: its.repo,
      encrypted: false,
      formatVersion: 0,
      chunkSize: 16_384,
      blockSize: 2 ** 20,
      packSize: 2 ** 23,
      compression: 5,
      pad: true,
    });
    expect(summary.repository).toMatch(/^[0-9a-f]{32}$/);
    // The version is what the objects themselves say (docs/format.md: u16 at byte 4).
    const config = readFileSync(join(its.repo, 'config/1'));
    expect(config.readUInt16LE(4)).toBe(summary.formatVersion);
  });

  test('never over another one, nor into a folder that is something else', async () => {
    const its = await plainPlace();
    const again = await its.run(['init'], { env: { CBR_PASSWORD: 'secret' } });
    expect(again).toMatchObject({ code: 1, stderr: expect.stringContaining('already') });
    writeFileSync(join(its.source, 'letter'), 'dear');
    const other = await its.run(['-r', its.source, 'init', '--no-encryption']);
    expect(other).toMatchObject({ code: 10, stderr: expect.stringContaining('is not a repository') });
    expect(readdirSync(its.source)).toEqual(['letter']);
  });

  test('sizes that do not go together make nothing', async () => {
    const its = place();
    const args = ['init', '--no-encryption', '--chunk-size', '2MiB', '--block-size', '4MiB'];
    expect((await its.run(args)).code).toBe(2);
    expect(existsSync(its.repo) ? readdirSync(its.repo) : []).toEqual([]);
    expect((await its.run(['init', '--no-encryption'])).code).toBe(0);
  });
});

describe('snapshot', () => {
  test('a summary for people', async () => {
    const its = await filled();
    const first = await its.run(['snapshot', its.source]);
    expect(first).toMatchObject({ code: 0, stderr: '' });
    expect(first.stdout).toMatch(/^Snapshot {2}[0-9a-f]{32} \(full\)\nRoot {6}[0-9a-f]{64}\nFiles {5}\d/);
    expect(first.stdout).toMatch(/Size .* KiB, of which .* new, stored as .*\nTime .*\d s\n$/);
    const second = await its.run(['snapshot', its.source]);
    const parent = /^Snapshot {2}([0-9a-f]{8})/.exec(first.stdout)![1];
    expect(second.stdout).toContain(` (incr, after ${parent})\n`);
    expect(second.stdout).toMatch(/^Files {5}0 new, /m);
  });

  test('and one for programs', async () => {
    const its = await filled();
    const args = ['--tag', 'b', '--tag', 'a', '--comment', 'for the record', '--job', 'daily'];
    const { summary, items } = await its.json([
      ...['snapshot', its.source, '--host', 'dove', '--time', '2026-11-20T14:05:09.5+01:00'],
      ...args,
    ]);
    expect(items).toEqual([]);
    expect(summary).toMatchObject({
      command: 'snapshot',
      exitCode: 0,
      problems: 0,
      level: 'full',
      time: '2026-11-20T14:05:09.5+01:00',
      host: 'dove',
      user: userInfo().username,
      paths: [its.source],
      comment: 'for the record',
      job: 'daily',
      files: { changed: 0, unchanged: 0 },
    });
    expect(new Set(summary.tags as string[])).toEqual(new Set(['a', 'b']));
    expect(summary.snapshot).toMatch(/^[0-9a-f]{32}$/);
    expect(summary.root).toMatch(/^[0-9a-f]{64}$/);
    const { source, new: unique, stored } = summary.bytes as { source: number; new: number; stored: number };
    expect(source).toBeGreaterThanOrEqual(300_013);
    expect(unique).toBeLessThanOrEqual(source);
    expect(stored).toBeLessThan(unique);
  });

  test('levels', async () => {
    const its = await filled();
    const level = async (...args: string[]): Promise<unknown> =>
      (await its.json(['snapshot', its.source, ...args])).summary.level;
    expect(await level()).toBe('full');
    expect(await level()).toBe('incr');
    expect(await level('--level', 'diff')).toBe('diff');
    expect(await level('--level', 'full')).toBe('full');
  });

  test('-v says what is new or changed', async () => {
    const its = await filled();
    await its.run(['snapshot', its.source]);
    appendFileSync(join(its.source, 'folder/letter'), 'yours\n');
    writeFileSync(join(its.source, 'other'), 'new');
    const { items } = await its.json(['-v', 'snapshot', its.source]);
    const actions = items.map(({ action, path }) => [action, path]);
    expect(actions).toContainEqual(['changed', join(its.source, 'folder/letter')]);
    expect(actions).toContainEqual(['new', join(its.source, 'other')]);
    expect(actions).not.toContainEqual(['unchanged', join(its.source, 'big')]);
  });

  test('a dry run says so and stores nothing', async () => {
    const its = await filled();
    const before = readdirSync(its.repo, { recursive: true }).length;
    const { summary, items } = await its.json(['snapshot', its.source, '--dry-run']);
    expect(summary).toMatchObject({ exitCode: 0, dryRun: true });
    expect(summary).not.toHaveProperty('snapshot');
    expect(items.map(({ path }) => path)).toContain(join(its.source, 'big'));
    const { stdout } = await its.run(['snapshot', its.source, '--dry-run']);
    expect(stdout).toMatch(/^new +.*\/big /m);
    expect(stdout).toContain('a dry run');
    expect((await its.json(['snapshots'])).items).toEqual([]);
    expect(readdirSync(its.repo, { recursive: true }).length).toBe(before);
  });

  test('exclusion by pattern and by file', async () => {
    const its = await filled();
    const file = join(its.root, 'patterns');
    writeFileSync(file, '# a comment\n\n/folder/empty/\r\ntwin\n');
    const id = await snapshotId(its, '--exclude', 'l*', '--exclude', '!link', '--exclude-file', file);
    const { items } = await its.json(['ls', '-R', `${id}:${its.source}`]);
    const names = items.map(({ path }) => (path as string).slice(its.source.length + 1));
    expect(names).toEqual(expect.arrayContaining(['big', 'folder', 'link']));
    for (const name of ['folder/letter', 'folder/empty', 'twin']) expect(names).not.toContain(name);
    const missing = await its.run(['snapshot', its.source, '--exclude-file', '/nowhere/at/all']);
    expect(missing).toMatchObject({ code: 2, stderr: expect.stringContaining('exclude file') });
  });

  test('--init makes the repository once', async () => {
    const its = place();
    fill(its);
    const env = { CBR_PASSWORD: 'secret' };
    const dry = await its.run(['snapshot', '--init', '--dry-run', its.source], { env });
    expect(dry.code).toBe(10);
    const first = await its.run(['snapshot', '--init', its.source], { env });
    expect(first).toMatchObject({ code: 0, stderr: expect.stringContaining('Keep the password safe') });
    const second = await its.run(['snapshot', '--init', its.source], { env });
    expect(second).toMatchObject({ code: 0, stderr: '' });
    expect((await its.json(['snapshots'], { env })).items).toHaveLength(2);
    const wrong = await its.run(['snapshot', '--init', its.source], { env: { CBR_PASSWORD: 'other' } });
    expect(wrong.code).toBe(12);
  });
});

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

describe('restore', () => {
  test('full paths, a folder, a file', async () => {
    const its = await filled();
    const id = await snapshotId(its);
    const [full, folder, file] = ['full', 'folder', 'file'].map((name) => join(its.root, 'out', name)) as [
      string,
      string,
      string,
    ];
    const run = await its.run(['restore', 'latest', '--target', full]);
    expect(run).toMatchObject({ code: 0, stderr: '' });
    expect(run.stdout).toMatch(
      new RegExp(`^Snapshot +${id}\nTarget +${full}\nRestored +\\d+ files in \\d+ folders`),
    );
    expect(readFileSync(join(full, its.source, 'folder/letter'), 'utf8')).toBe('dear reader\n');

    const { summary, items } = await its.json(['restore', `${id}:${its.source}`, '--target', folder]);
    expect(items).toEqual([]);
    expect(summary).toMatchObject({
      command: 'restore',
      exitCode: 0,
      snapshot: id,
      target: folder,
      files: { restored: FILES - 0, skipped: 0, failed: 0 },
      metadataProblems: 0,
    });
    expect(readdirSync(folder, { encoding: 'buffer' })).toHaveLength(6);

    expect((await its.run(['restore', `latest:${its.source}/big`, '--target', file])).code).toBe(0);
    expect(readdirSync(file)).toEqual(['big']);
  });

  test('what exists is left alone and counted', async () => {
    const its = await filled();
    await snapshotId(its);
    const target = join(its.root, 'out');
    mkdirSync(target);
    writeFileSync(join(target, 'big'), 'mine');
    const { code, summary } = await its.json(['restore', `latest:${its.source}`, '--target', target]);
    expect({ code, files: summary.files }).toMatchObject({ code: 0, files: { skipped: 1, failed: 0 } });
    expect(readFileSync(join(target, 'big'), 'utf8')).toBe('mine');
    const again = await its.run(['restore', `latest:${its.source}`, '--target', target]);
    expect(again.stdout).toMatch(/^Existed +\d+, left alone$/m);
  });

  test('a dry run writes nothing', async () => {
    const its = await filled();
    await snapshotId(its);
    const target = join(its.root, 'out');
    const { summary, items } = await its.json(['restore', 'latest', '--target', target, '--dry-run']);
    expect(summary).toMatchObject({ exitCode: 0, dryRun: true });
    expect(items.map(({ path }) => path).join('\n')).toContain('folder/letter');
    const { stdout } = await its.run(['restore', 'latest', '--target', target, '--dry-run']);
    expect(stdout).toMatch(/^Would restore +\d+ files/m);
    expect(existsSync(target)).toBe(false);
  });

  test('parts, by pattern', async () => {
    const its = await filled();
    await snapshotId(its);
    const target = join(its.root, 'out');
    const args = ['restore', `latest:${its.source}`, '--target', target];
    expect((await its.run([...args, '--include', 'folder/', '--exclude', 'empty'])).code).toBe(0);
    expect(readdirSync(target, { recursive: true }).sort()).toEqual(['folder', 'folder/letter']);
  });

  test('--verify compares what was written', async () => {
    const its = await filled();
    await snapshotId(its);
    const args = ['restore', `latest:${its.source}`, '--target', join(its.root, 'out'), '--verify'];
    const { code, summary } = await its.json(args);
    expect(code).toBe(0);
    expect(summary.files).toMatchObject({ failed: 0, verified: 5 });
  });

  test('what is not there, and a target that is a file', async () => {
    const its = await filled();
    await snapshotId(its);
    const target = join(its.root, 'out');
    expect((await its.run(['restore', 'latest:/absent', '--target', target])).code).toBe(1);
    expect(existsSync(target)).toBe(false);
    writeFileSync(target, 'a file');
    const file = await its.run(['restore', 'latest', '--target', target]);
    expect(file).toMatchObject({ code: 1, stdout: '' });
    expect(readFileSync(target, 'utf8')).toBe('a file');
    expect((await its.run(['restore', 'latest', '--target', ''])).code).toBe(2);
  });
});

describe('stats, sessions, cache', () => {
  test('stats', async () => {
    const its = await filled();
    expect((await its.json(['stats'])).summary).toMatchObject({ snapshots: 0, chunks: 0 });
    await snapshotId(its);
    await snapshotId(its);
    const { summary } = await its.json(['stats']);
    expect(summary).toMatchObject({ command: 'stats', exitCode: 0, snapshots: 2 });
    const { source, unique, stored } = summary.bytes as Record<string, number>;
    expect(source).toBeGreaterThan(600_000);
    expect(unique).toBeLessThan(source!);
    expect(stored).toBeGreaterThan(0);
    const { stdout } = await its.run(['stats']);
    expect(stdout).toMatch(/^Snapshots +2, .*[KM]iB/);
    expect(stdout).toMatch(/^Stored +.*[KM]iB/m);
  });

  test('nobody is writing', async () => {
    const its = await plainPlace();
    expect(await its.run(['sessions'])).toMatchObject({ code: 0, stdout: 'Nobody is writing.\n' });
    expect((await its.json(['sessions'])).summary).toMatchObject({ command: 'sessions', sessions: 0 });
  });

  test('the cache is listed and cleared, and made again', async () => {
    const its = await filled();
    await snapshotId(its);
    const listed = await its.json(['cache', 'list']);
    expect(listed.items).toMatchObject([{ location: its.repo, current: true, inUse: false }]);
    expect((await its.run(['cache', 'list'])).stdout).toMatch(new RegExp(`^\\* .* ${its.repo}$`, 'm'));
    const elsewhere = await its.json(['cache', 'list', '-r', its.source]);
    expect(elsewhere.items).toMatchObject([{ current: false }]);
    const cleared = await its.json(['cache', 'clear']);
    expect(cleared.summary).toMatchObject({ exitCode: 0, removed: 1, bytes: listed.items[0]!.bytes });
    expect((await its.run(['cache', 'list'])).stdout).toMatch(/^There are no caches in /);
    expect((await its.run(['cache', 'clear'])).stdout).toBe('Removed 0 caches, 0 B.\n');
    expect((await its.json(['snapshot', its.source])).summary).toMatchObject({ exitCode: 0, level: 'full' });
  });
});

describe('a name that is not given', () => {
  test('the host is this machine', async () => {
    const its = await filled();
    await snapshotId(its);
    expect((await its.json(['snapshots'])).items).toMatchObject([{ host: hostname() }]);
  });
});
