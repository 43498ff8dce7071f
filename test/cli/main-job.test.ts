import { appendFileSync, existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { hostname, userInfo } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { FILES, fill, filled, snapshotId } from './filled.js';
import { place, plainPlace } from './run.js';

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
      formatVersion: 1,
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

  test('a time in the future is warned of: latest means such a snapshot until then', async () => {
    const its = await filled();
    const { code, problems } = await its.json(['snapshot', its.source, '--time', '2099-01-01']);
    expect(code).toBe(0);
    expect(problems).toMatchObject([{ severity: 'warning', message: expect.stringContaining('2099-01-01') }]);
    const now = await its.json(['snapshot', its.source]);
    expect(now.problems).toEqual([]);
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
    // It reads no content: nothing is known of what would be new.
    expect(stdout).not.toMatch(/Root|of which/);
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
    expect(missing).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('cannot read the file of --exclude-file'),
    });
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
      files: { restored: FILES, skipped: 0, failed: 0 },
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
