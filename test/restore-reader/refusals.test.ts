import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, test } from 'vitest';
import { chunkIdAt } from '../../dist/core/index.js';
import { nameProblem } from '../../restore/names.js';
import { type Forged, forgedSnapshot } from '../snapshot/forged-snapshot.js';
import { scratchRepository } from '../snapshot/scratch-repository.js';
import { READER, read, readOnTerminal } from './reader.js';

/** What the reader does not do, and how it says so. */

describe('names that lead elsewhere', () => {
  const file = (name: string): Forged => ({ name, type: 'file' });

  test('are not restored, and all beside them is', async () => {
    const its = await scratchRepository();
    const names = ['..', '.', '', 'a/../../escaped', '/absolute', 'x\0y', '../escaped'];
    const entries: Forged[] = [
      ...names.map(file),
      { name: 'd', type: 'directory', children: [...names.map(file), file('good')] },
      { name: 'evil/', type: 'directory', children: [file('inside')] },
      file('good'),
    ];
    const id = await its.use((repository) => forgedSnapshot(repository, entries));
    const around = readdirSync(its.root).sort();
    const target = its.newTarget();
    const run = await read(['restore', id, '--target', target, '--discs', its.repo]);
    expect(run.code, run.stderr).toBe(1);
    expect(run.stderr.match(/its name would lead out of its folder/g)).toHaveLength(2 * names.length + 1);
    expect(run.stderr).toContain('  x\\x00y: ');
    expect(readdirSync(target, { recursive: true }).sort()).toEqual(['d', 'd/good', 'good']);
    expect(readdirSync(its.root).filter((name) => !around.includes(name))).toHaveLength(1);
  });

  test('nothing is written through a symlink, even where a folder has its name', async () => {
    const its = await scratchRepository();
    const outside = join(its.root, 'outside');
    mkdirSync(outside);
    const entries: Forged[] = [
      { name: 'd', type: 'symlink', to: outside },
      { name: 'd', type: 'directory', children: [file('written')] },
      file('other'),
    ];
    const id = await its.use((repository) => forgedSnapshot(repository, entries));
    const run = await read(['restore', id, '--target', its.newTarget(), '--discs', its.repo]);
    expect(run.code, run.stderr).toBe(4);
    expect(run.stderr).toContain('a tree out of order');
    expect(readdirSync(outside)).toEqual([]);
  });

  test('nor where a name comes again on another page, while a file of that name waits for its disc', async () => {
    const its = await scratchRepository();
    const outside = join(its.root, 'outside');
    mkdirSync(outside);
    const absent = [{ id: chunkIdAt(Buffer.alloc(32, 7)), length: 10 }];
    const pages: Forged[][] = [
      [file('a'), { name: 'x', type: 'file', size: 10, chunks: absent }],
      [file('b'), { name: 'x', type: 'symlink', to: outside }],
      [file('c'), { name: 'x', type: 'directory', children: [file('written')] }],
    ];
    const id = await its.use((repository) =>
      forgedSnapshot(repository, [{ name: 'd', type: 'directory', pages }]),
    );
    const target = its.newTarget();
    const { code, screen } = await readOnTerminal(
      ['restore', id, '--target', target, '--discs', its.repo],
      [],
    );
    expect(readdirSync(outside)).toEqual([]);
    expect(code, screen).toBe(4);
    expect(screen.match(/a tree out of order/g)).toHaveLength(1);
    expect(readdirSync(join(target, 'd'), { recursive: true }).sort()).toEqual(['c', 'x', 'x/written']);
  });

  test.each([
    'CON',
    'nul.txt',
    'Com1',
    'lpt¹',
    'a:b',
    'a\\b',
    'trailing.',
    'trailing ',
    'what?',
    'x\u0001',
    'aux ',
  ])('Windows does not get %j', (name) => {
    expect(nameProblem(Buffer.from(name), 'win32')).toBeDefined();
    expect(nameProblem(Buffer.from(name), 'linux')).toBeUndefined();
  });

  test.each(['console', 'com', 'com10', 'a.con', '.profile', 'año', '  x'])('Windows gets %j', (name) => {
    expect(nameProblem(Buffer.from(name), 'win32')).toBeUndefined();
  });

  test('Windows gets no name that is not UTF-8', () => {
    expect(nameProblem(Buffer.from([0x61, 0xff]), 'win32')).toContain('UTF-8');
  });
});

describe('the command line', () => {
  test.each([
    [['restore'], 'restore takes one SNAPSHOT'],
    [['restore', 'latest'], 'restore needs --target DIR'],
    [['restore', 'latest', 'more', '--target', 'x'], 'restore takes one SNAPSHOT'],
    [['restore', 'latest:home', '--target', 'x'], 'home is not an absolute path'],
    [['restore', 'latest', '--target'], '--target needs a value'],
    [['list', 'what'], 'list takes nothing but'],
    [['erase'], 'there is no command erase'],
    [['list', '--force'], 'there is no option --force'],
    [['--discs', 'x'], 'a command is needed'],
  ])('%j is refused', async (args, message) => {
    expect(await read(args)).toMatchObject({ code: 2, stderr: expect.stringContaining(message), stdout: '' });
  });

  test('help and version', async () => {
    const help = await read(['--help']);
    expect(help).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('restore SNAPSHOT[:PATH] --target DIR'),
    });
    expect((await read([])).stdout).toBe(help.stdout);
    const { version } = JSON.parse(readFileSync(join(import.meta.dirname, '../../package.json'), 'utf8'));
    expect(await read(['--version'])).toMatchObject({ code: 0, stdout: `cbr-restore ${version}\n` });
  });

  test('the file says what it is, and holds the licences of what is in it', () => {
    const text = readFileSync(READER, 'utf8');
    expect(text.startsWith('/*\n * cbr-restore: restores files')).toBe(true);
    for (const owner of ['Paul Miller', 'Arjun Barrett']) expect(text).toContain(owner);
    expect(text.match(/^import .* from "(?!node:).*$/gm)).toBeNull();
  });
});

describe('snapshots and targets', () => {
  test('an unknown snapshot, a short prefix, and a target that is not empty', async () => {
    const its = await scratchRepository();
    writeFileSync(join(its.source, 'file'), 'x');
    await its.take();
    const restoring = (snapshot: string, target: string) =>
      read(['restore', snapshot, '--target', target, '--discs', its.repo]);
    expect(await restoring('0123456789', its.newTarget())).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('no snapshot 0123456789 on the discs in reach'),
    });
    expect(await restoring('ab', its.newTarget())).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('ab is no snapshot'),
    });
    expect(await restoring('latest~1', its.newTarget())).toMatchObject({ code: 1 });
    expect(await restoring('latest', its.source)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not empty'),
    });
    expect(await restoring('latest', join(its.source, 'file'))).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('cannot restore to'),
    });
    expect(readdirSync(its.source)).toEqual(['file']);
  });
});

describe('passwords', () => {
  let repo: string;
  let folder: string;
  beforeAll(async () => {
    const { Scratch } = await import('../snapshot/scratch-repository.js');
    const its = new Scratch();
    await its.init({ encrypted: true });
    repo = its.repo;
    folder = its.root;
    return () => its.remove();
  });

  async function list(env: Readonly<Record<string, string>>, file?: string) {
    const args = ['list', '--discs', repo, ...(file === undefined ? [] : ['--password-file', file])];
    return read(args, { env });
  }

  const fileOf = (content: string): string => {
    const path = join(folder, 'password');
    writeFileSync(path, content);
    return path;
  };

  test.each([
    ['secret', 0],
    ['secret\n', 0],
    ['secret\r\n', 0],
    ['secret\n\n', 12],
    ['wrong', 12],
    ['', 2],
  ])('a file of %j: %i', async (content, code) => {
    expect((await list({}, fileOf(content))).code).toBe(code);
  });

  test('the option counts before the variables, and the file before the text', async () => {
    const right = fileOf('secret');
    expect((await list({ CBR_PASSWORD_FILE: '/nonexistent', CBR_PASSWORD: 'x' }, right)).code).toBe(0);
    expect((await list({ CBR_PASSWORD_FILE: right, CBR_PASSWORD: 'x' })).code).toBe(0);
    expect((await list({ CBR_PASSWORD: 'secret' })).code).toBe(0);
  });

  test('none at all, and a file that is not there', async () => {
    expect(await list({})).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('a password is needed'),
    });
    expect(await list({}, '/nonexistent/file')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('cannot read the password file'),
    });
  });

  test('a wrong one is told from a key that is damaged', async () => {
    expect(await list({ CBR_PASSWORD: 'wrong' })).toMatchObject({
      code: 12,
      stderr: expect.stringContaining('wrong password'),
    });
    const [key] = readdirSync(join(repo, 'keys'));
    const path = join(repo, 'keys', key!);
    const bytes = readFileSync(path);
    writeFileSync(path, Buffer.from(bytes.map((byte, i) => (i === 100 ? byte ^ 1 : byte))));
    expect(await list({ CBR_PASSWORD: 'secret' })).toMatchObject({
      code: 4,
      stderr: expect.stringContaining(`keys/${key}`),
    });
    writeFileSync(path, bytes);
  });
});
