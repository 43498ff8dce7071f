import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Place, place } from './run.js';

const project = join(import.meta.dirname, '../..');
const { version } = JSON.parse(readFileSync(join(project, 'package.json'), 'utf8')) as { version: string };

const COMMANDS = [
  'init',
  'snapshot',
  'snapshots',
  'ls',
  'find',
  'log',
  'restore',
  'check',
  'stats',
  'key add',
  'key list',
  'key remove',
  'key change',
  'cache list',
  'cache clear',
  'policy simulate',
  'sessions',
  'doctor',
  'version',
];

describe('version', () => {
  test.each(['--version', '-V'])('%s loads nothing but its own first file', (flag) => {
    // Only these three files are there: whatever else it wanted to load would be missing.
    const { root } = place();
    for (const file of ['bin/cbr.js', 'dist/program/main.js', 'package.json']) {
      mkdirSync(join(root, dirname(file)), { recursive: true });
      cpSync(join(project, file), join(root, file));
    }
    const run = spawnSync(process.execPath, [join(root, 'bin/cbr.js'), flag], { encoding: 'utf8' });
    expect(run).toMatchObject({ status: 0, stdout: `cbr ${version}\n`, stderr: '' });
    const other = spawnSync(process.execPath, [join(root, 'bin/cbr.js'), 'version'], { encoding: 'utf8' });
    expect(other.status).not.toBe(0);
  });

  test('--version beside other options', async () => {
    expect(await place().run(['-q', '--version'])).toMatchObject({ code: 0, stdout: `cbr ${version}\n` });
  });

  test('cbr version', async () => {
    const its = place();
    expect(await its.run(['version'])).toMatchObject({ code: 0, stdout: `cbr ${version}\n`, stderr: '' });
    const { summary } = await its.json(['version']);
    expect(summary).toMatchObject({
      command: 'version',
      exitCode: 0,
      version,
      formatVersion: 1,
      node: process.versions.node,
    });
    expect(summary).not.toHaveProperty('implementations');
  });

  test('cbr version -v names the algorithms in use; CBR_PORTABLE takes those without native code', async () => {
    const its = place();
    const native = await its.json(['version', '-v']);
    expect(Object.keys(native.summary.implementations as object)).toEqual(['zstd', 'blake3', 'argon2']);
    const portable = await its.json(['version', '-v'], { env: { CBR_PORTABLE: '1' } });
    expect(portable.summary.implementations).toMatchObject({
      blake3: '@noble/hashes',
      argon2: '@noble/hashes',
    });
    const { zstd } = portable.summary.implementations as { zstd: string };
    expect(zstd).not.toBe('zstd-napi');
    const { stdout } = await its.run(['-v', 'version'], { env: { CBR_PORTABLE: '1' } });
    expect(stdout).toContain(`zstd    ${zstd}\n`);
  });
});

describe('help', () => {
  test('lists every command with a line of its own', async () => {
    const { code, stdout, stderr } = await place().run(['--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const word of new Set(COMMANDS.map((name) => name.split(' ')[0]))) {
      expect(stdout).toMatch(new RegExp(`^  ${word} +[a-z]`, 'm'));
    }
    expect(await place().run(['help'])).toMatchObject({ code: 0, stdout });
  });

  test('of a command: usage, options, an example', async () => {
    const its = place();
    for (const name of COMMANDS) {
      const words = name.split(' ');
      const { code, stdout, stderr } = await its.run([...words, '--help']);
      expect({ name, code, stderr }).toEqual({ name, code: 0, stderr: '' });
      expect(stdout).toContain(`Usage: cbr ${name} `);
      expect(stdout).toMatch(/\nExamples?:\n {2}\$ cbr /);
      expect(stdout).toContain('--repo <location>');
    }
    const { stdout } = await its.run(['snapshot', '-h']);
    expect(await its.run(['help', 'snapshot'])).toMatchObject({ code: 0, stdout });
  });

  test('says the defaults', async () => {
    const { stdout } = await place().run(['init', '--help']);
    for (const text of ['64KiB', '4MiB', '32MiB', '3']) expect(stdout).toContain(`(default: ${text})`);
  });
});

describe('usage errors exit with 2, say what is wrong, and name the help', () => {
  const cases: readonly (readonly [args: string, message: RegExp])[] = [
    ['', /no command was given/],
    ['key', /no command was given/],
    ['backup /etc', /did you mean snapshot\?/],
    ['snapshto', /unknown command 'snapshto' \(Did you mean snapshot\?\)/],
    ['key ad', /unknown command 'ad'/],
    ['help forgett', /unknown command 'forgett' \(Did you mean forget\?\)\nSee: cbr --help/],
    ['forgett --help', /unknown command 'forgett' \(Did you mean forget\?\)/],
    ['help key ad', /unknown command 'ad'.*\nSee: cbr key --help/],
    ['key help ad', /unknown command 'ad'/],
    ['help backup', /did you mean snapshot\?/],
    ['--bogus snapshots', /unknown option '--bogus'/],
    ['snapshots --bogus', /unknown option '--bogus'/],
    ['snapshots extra', /too many arguments/],
    ['snapshot', /nothing to take in is named/],
    ['restore latest', /required option '--target <folder>' not specified/],
    ['ls', /no snapshot was named/],
    ['-r', /argument missing/],
    ['init --chunk-size 64QB', /--chunk-size.*'64QB' is invalid/],
    ['init --compression 23', /from 0 to 22/],
    ['snapshot . --level half', /full, diff, incr/],
    ['snapshot . --time yesterday', /a time is expected/i],
    ['snapshot . --time 2026-02-30', /a time is expected/i],
    ['snapshot . --tag=', /--tag.*empty/i],
    [`snapshot . --host ${'h'.repeat(1025)}`, /at most 1024 bytes/i],
    ['check --read-data=0', /a percentage/i],
    ['check --read-data=101', /a percentage/i],
    ['stats --threads 0', /from 1 to 64/],
    ['stats --threads 65', /from 1 to 64/],
    ['stats --threads two', /from 1 to 64/],
    ['-q -v stats', /-q and -v/],
    ['key remove Not-An-Id', /not the id of a key/],
  ];

  test.each(cases)('cbr %s', async (args, message) => {
    const words = args.split(' ').filter(Boolean);
    const { code, stdout, stderr } = await place().run(words);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toMatch(/^cbr: /);
    expect(stderr).toMatch(message);
    expect(stderr).not.toMatch(/\n {4}at /);
  });

  test('programs are told too', async () => {
    const { code, summary, stderr } = await place().json(['snapshot', '--bogus']);
    expect(code).toBe(2);
    expect(summary).toMatchObject({
      command: 'snapshot',
      exitCode: 2,
      error: { code: 'usage', message: "unknown option '--bogus'", hint: 'See: cbr snapshot --help' },
    });
    expect(stderr).toBe('');
  });

  test('a word behind -- is no option', async () => {
    const { code, stdout, stderr } = await place().run(['snapshot', '--', '--json']);
    expect({ code, stdout }).toEqual({ code: 10, stdout: '' });
    expect(stderr).toContain('there is no repository');
  });
});

describe('global options', () => {
  test('stand before or behind the command, the later one winning', async () => {
    const its = place();
    for (const args of [
      ['-r', its.repo, 'init', '--no-encryption'],
      ['stats', '--repo', its.repo],
      ['-r', '/nowhere', 'stats', '-r', its.repo],
      ['stats', `--repo=${its.repo}`, '--threads', '1'],
    ]) {
      const { code, stderr } = await its.run(args, { env: { CBR_REPO: '/nowhere/else' } });
      expect({ args, code, stderr }).toEqual({ args, code: 0, stderr: '' });
    }
    const { summary } = await its.json(['key', '-r', its.repo, 'list']);
    expect(summary).toMatchObject({ command: 'key list', exitCode: 0 });
  });

  test('no repository at all is a usage error', async () => {
    const { code, stderr } = await place().run(['stats'], { env: { CBR_REPO: '' } });
    expect(code).toBe(2);
    expect(stderr).toMatch(/no repository was given\nUse -r .*CBR_REPO/);
  });

  test('the cache lies where it is told to', async () => {
    const its = new Place();
    try {
      const cacheOf = async (args: readonly string[], env: Record<string, string>): Promise<unknown> =>
        (await its.json(['cache', 'list', ...args], { env })).items[0]?.path;
      const [a, b, c] = ['a', 'b', 'c'].map((name) => join(its.root, name)) as [string, string, string];
      await its.run(['init', '--no-encryption']);
      await its.run(['stats'], { env: { XDG_CACHE_HOME: a } });
      await its.run(['stats'], { env: { XDG_CACHE_HOME: a, CBR_CACHE_DIR: b } });
      await its.run(['stats', '--cache-dir', c], { env: { XDG_CACHE_HOME: a, CBR_CACHE_DIR: b } });
      expect(await cacheOf([], {})).toMatch(`${its.cache}/`);
      expect(await cacheOf([], { XDG_CACHE_HOME: a })).toMatch(`${a}/cbr/`);
      expect(await cacheOf([], { CBR_CACHE_DIR: b })).toMatch(`${b}/`);
      expect(await cacheOf(['--cache-dir', c], { CBR_CACHE_DIR: b })).toMatch(`${c}/`);
      expect(await cacheOf([], { XDG_CACHE_HOME: 'relative' })).toMatch(`${its.cache}/`);
    } finally {
      its.remove();
    }
  });
});
