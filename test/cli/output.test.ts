import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { CBR } from './child.js';
import { Place, plainPlace, quoted } from './run.js';
import { onTerminal, scriptOnTerminal } from './terminal.js';

const FOLDERS = 10;
const FILES_EACH = 100;

/** A repository with a snapshot of more names than a pipe holds; no test takes away from it. */
const its = new Place();

beforeAll(async () => {
  for (let folder = 0; folder < FOLDERS; folder++) {
    const path = join(
      its.source,
      `folder-with-a-name-that-is-rather-long-in-order-to-fill-the-pipe-${folder}`,
    );
    mkdirSync(path);
    for (let file = 0; file < FILES_EACH; file++)
      writeFileSync(join(path, `file-${file}`), `${folder} ${file}`);
  }
  for (const args of [
    ['init', '--no-encryption'],
    ['snapshot', its.source],
  ]) {
    expect(await its.run(args)).toMatchObject({ code: 0, stderr: '' });
  }
});
afterAll(() => its.remove());

describe('standard output', () => {
  test('a reader that goes away is no fault', async () => {
    const { stdout, stderr } = await its.shell(
      'cbr ls -R latest | head -n 1; cbr ls -R latest --json | head -n 1',
    );
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toHaveLength(3);
    const taken = await its.shell('{ cbr snapshot -v source; echo "code $?" >&2; } | true');
    expect(taken.stderr).toBe('code 0\n');
  });

  test('one that is full is', async () => {
    for (const command of ['cbr ls -R latest', 'cbr ls latest', 'cbr snapshots --json', 'cbr --help']) {
      const { stderr, stdout } = await its.shell(`${command} > /dev/full; echo $?`);
      expect({ command, stdout }).toEqual({ command, stdout: '1\n' });
      expect(stderr).toMatch(/^cbr: .*no space left on device/i);
    }
  });

  test('that a snapshot could not be reported does not undo it', async () => {
    const before = (await its.json(['snapshots'])).items.length;
    const { stderr, stdout } = await its.shell('cbr snapshot source > /dev/full; echo $?');
    expect(stdout).toBe('1\n');
    expect(stderr).toContain('cannot write to standard output');
    expect((await its.json(['snapshots'])).items).toHaveLength(before + 1);
  });

  test('all of a long listing arrives', async () => {
    const { stdout } = await its.shell(`cbr ls -R latest:${its.source} | (sleep 0.3; cat) | wc -l`);
    expect(stdout.trim()).toBe(String(FOLDERS * (FILES_EACH + 1)));
  });
});

describe('-q', () => {
  test('says nothing when all is well', async () => {
    for (const args of [
      ['snapshot', its.source],
      ['snapshots'],
      ['ls', 'latest'],
      ['restore', 'latest', '--target', join(its.root, 'out')],
      ['check'],
      ['stats'],
      ['sessions'],
      ['cache', 'list'],
      ['version'],
    ]) {
      expect(await its.run(['-q', ...args])).toEqual({ code: 0, signal: null, stdout: '', stderr: '' });
    }
  });

  test('says the problem when there is one', async () => {
    const { code, stdout, stderr } = await its.run(['-q', 'snapshot', its.source, '/nowhere/at/all']);
    expect({ code, stdout }).toEqual({ code: 3, stdout: '' });
    expect(stderr).toMatch(/^cbr: \/nowhere\/at\/all: .*ENOENT.*\n$/);
  });
});

describe('problems', () => {
  test('as they occur on standard error, and once more at the end', async () => {
    const { code, stdout, stderr } = await its.run(['snapshot', its.source, '/nowhere/at/all']);
    expect(code).toBe(3);
    expect(stderr).toMatch(/^cbr: \/nowhere\/at\/all: .*ENOENT.*\n$/);
    expect(stdout).toMatch(/\nProblems: 1\n {2}\/nowhere\/at\/all: .*\n$/);
  });

  test('for programs', async () => {
    const { code, problems, summary, stderr } = await its.json(['snapshot', its.source, '/nowhere/at/all']);
    expect({ code, stderr }).toEqual({ code: 3, stderr: '' });
    expect(problems).toEqual([
      {
        type: 'problem',
        severity: 'error',
        about: 'source',
        code: 'ENOENT',
        message: expect.stringContaining('/nowhere/at/all'),
        path: '/nowhere/at/all',
      },
    ]);
    expect(summary).toMatchObject({ exitCode: 3, problems: 1, snapshot: expect.any(String) });
  });

  test('names cannot steer the terminal', async () => {
    const its = await plainPlace();
    writeFileSync(join(its.source, '\x1b]0;owned\x07'), 'x');
    symlinkSync('\x1b[2J\n', join(its.source, 'link'));
    const args = ['snapshot', its.source, '--tag', 'a\x1b[2J', '--host', 'h\nost', '--job', 'j'];
    const taken = await its.run([...args, '-v']);
    const listed = await its.run(['snapshots']);
    const names = await its.run(['ls', '-lR', 'latest']);
    for (const { code, stdout, stderr } of [taken, listed, names]) {
      expect(code).toBe(0);
      expect(`${stdout}${stderr}`.replaceAll('\n', '')).not.toMatch(/\p{Cc}/u);
    }
    expect(listed.stdout).toContain('h\\x0aost');
    expect(names.stdout).toContain('link -> \\x1b[2J\\x0a\n');
    const { items } = await its.json(['snapshots']);
    expect(items).toMatchObject([{ tags: ['a\x1b[2J'], host: 'h\nost' }]);
  });
});

describe('progress', () => {
  const CLEAR = '\r\x1b[K';

  test('a bar on a terminal, taken away at the end', async () => {
    const { code, screen } = await onTerminal(its, ['snapshot', its.source, '--level', 'full']);
    expect(code).toBe(0);
    const drawn = screen.split(CLEAR);
    expect(drawn.length).toBeGreaterThan(1);
    expect(drawn.slice(0, -1).some((text) => / files? /.test(text))).toBe(true);
    expect(drawn.at(-1)).toMatch(/^Snapshot /);
  });

  test('as narrow as the terminal', async () => {
    const { screen } = await onTerminal(its, ['check', '--read-data'], [], 24);
    const drawn = screen.split(CLEAR).slice(1, -1);
    expect(drawn.length).toBeGreaterThan(0);
    for (const text of drawn) expect(text.length).toBeLessThan(24);
  });

  test.each([['--no-progress'], ['-q'], ['--json']])('none with %s', async (flag) => {
    const { code, screen } = await onTerminal(its, ['snapshot', its.source, '--level', 'full', flag]);
    expect(code).toBe(0);
    expect(screen).not.toContain('\x1b');
  });

  test('none where standard error is no terminal', async () => {
    const log = join(its.root, 'log');
    const script = `${quoted(process.execPath)} ${quoted(CBR)} snapshot source --level full 2> ${quoted(log)}`;
    const { code, screen } = await scriptOnTerminal(its, script);
    expect({ code, log: readFileSync(log, 'utf8') }).toEqual({ code: 0, log: '' });
    expect(screen).toMatch(/^Snapshot /);
  });

  test('objects for programs, unless they want none', async () => {
    const { lines } = await its.json(['snapshot', its.source, '--level', 'full']);
    const progress = lines.filter(({ type }) => type === 'progress');
    expect(progress.length).toBeGreaterThan(0);
    for (const line of progress) {
      expect(line).toMatchObject({ files: expect.any(Number), bytes: expect.any(Number) });
      expect(['scan', 'store']).toContain(line.phase);
    }
    const silent = await its.json(['snapshot', its.source, '--level', 'full', '--no-progress']);
    expect(silent.lines.map(({ type }) => type)).toEqual(['summary']);
  });
});
