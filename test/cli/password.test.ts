import { readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { type Place, place, quoted } from './run.js';
import { onTerminal } from './terminal.js';

const PASSWORD = 'correct hörse';

async function encrypted(password = PASSWORD): Promise<Place> {
  const its = place();
  const { code, stderr } = await its.run(['init'], { env: { CBR_PASSWORD: password } });
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  return its;
}

function fileOf(its: Place, name: string, content: string | Uint8Array): string {
  const path = join(its.root, name);
  writeFileSync(path, content);
  return path;
}

const opens = async (its: Place, args: readonly string[], env = {}): Promise<number | null> =>
  (await its.run(['key', 'list', ...args], { env })).code;

describe('where the password comes from', () => {
  test('file, command and environment give the same; only one line end is no part of it', async () => {
    const its = await encrypted();
    const line = fileOf(its, 'line', `${PASSWORD}\n`);
    const dos = fileOf(its, 'dos', `${PASSWORD}\r\n`);
    const bare = fileOf(its, 'bare', PASSWORD);
    const twice = fileOf(its, 'twice', `${PASSWORD}\n\n`);
    const blank = fileOf(its, 'blank', ` ${PASSWORD}\n`);
    expect(await opens(its, ['--password-file', line])).toBe(0);
    expect(await opens(its, ['--password-file', dos])).toBe(0);
    expect(await opens(its, [], { CBR_PASSWORD_FILE: bare })).toBe(0);
    expect(await opens(its, ['--password-command', `cat ${quoted(line)}`])).toBe(0);
    expect(await opens(its, ['--password-file', twice])).toBe(12);
    expect(await opens(its, ['--password-file', blank])).toBe(12);
  });

  test('the first that is given counts', async () => {
    const its = await encrypted();
    const [right, wrong] = [fileOf(its, 'right', PASSWORD), fileOf(its, 'wrong', 'wrong')];
    const env = { CBR_PASSWORD_FILE: wrong, CBR_PASSWORD: 'wrong' };
    expect(await opens(its, ['--password-file', right, '--password-command', 'echo wrong'], env)).toBe(0);
    expect(await opens(its, ['--password-command', `cat ${quoted(right)}`], env)).toBe(0);
    expect(await opens(its, [], { CBR_PASSWORD_FILE: right, CBR_PASSWORD: 'wrong' })).toBe(0);
    expect(await opens(its, [], { ...env, CBR_PASSWORD: PASSWORD })).toBe(12);
  });

  test('bytes that are not UTF-8 are a password like any other', async () => {
    const its = place();
    const file = fileOf(its, 'password', Buffer.from([0xff, 0, 0x80]));
    const other = fileOf(its, 'other', Buffer.from([0xfe, 0, 0x80]));
    expect((await its.run(['init', '--password-file', file])).code).toBe(0);
    expect(await opens(its, ['--password-file', file])).toBe(0);
    expect(await opens(its, ['--password-file', other])).toBe(12);
  });

  test('a wrong one says so, to programs too', async () => {
    const its = await encrypted();
    const { code, stdout, stderr } = await its.run(['snapshots'], { env: { CBR_PASSWORD: 'wrong' } });
    expect({ code, stdout }).toEqual({ code: 12, stdout: '' });
    expect(stderr).toMatch(/^cbr: .*password.*\n.+\n$/);
    const { summary } = await its.json(['snapshots'], { env: { CBR_PASSWORD: 'wrong' } });
    expect(summary).toMatchObject({ exitCode: 12, error: { code: 'wrong-password' } });
  });

  test('none, without a terminal to ask on', async () => {
    const { code, stderr } = await (await encrypted()).run(['snapshots']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^cbr: no password was given\nUse --password-file.*\n$/);
  });

  test.each([
    ['an empty text', { CBR_PASSWORD: '' }, []],
    ['an empty file', {}, ['--password-file', '/dev/null']],
    ['a line end alone', {}, ['--password-command', 'echo']],
  ])('%s is refused', async (_, env, args) => {
    const its = place();
    const { code, stderr } = await its.run(['init', ...args], { env });
    expect(code).toBe(2);
    expect(stderr).toContain('the password is empty');
    expect((await its.run(['stats'])).code).toBe(10);
  });

  test('a file that cannot be read, a command that fails', async () => {
    const its = await encrypted();
    const missing = await its.run(['stats', '--password-file', '/nowhere/at/all']);
    expect(missing).toMatchObject({ code: 2, stdout: '' });
    expect(missing.stderr).toMatch(/cannot read the password file: ENOENT.*\/nowhere\/at\/all/);
    const failing = await its.run(['stats', '--password-command', 'echo locked >&2; echo x; exit 7']);
    expect(failing).toMatchObject({ code: 2, stdout: '' });
    expect(failing.stderr).toMatch(/^locked\ncbr: the password command failed: exit code 7\n/);
  });

  test('a repository without encryption asks for none', async () => {
    const its = place();
    expect(await its.run(['init', '--no-encryption'])).toMatchObject({ code: 0, stderr: '' });
    expect(await its.run(['snapshots'])).toMatchObject({ code: 0, stderr: '' });
    const { code, stderr } = await its.run(['key', 'add', '--new-password-command', 'echo x']);
    expect({ code, stderr }).toMatchObject({ code: 2, stderr: expect.stringContaining('not encrypted') });
  });
});

describe('on a terminal', () => {
  test('init asks twice and warns, later commands ask once; nothing typed is shown', async () => {
    const its = place();
    const typed = `${PASSWORD}\r`;
    const made = await onTerminal(
      its,
      ['init'],
      [
        { when: 'New password: ', type: typed },
        { when: 'Again: ', type: typed },
      ],
    );
    expect(made.code).toBe(0);
    expect(made.screen).toContain('Keep the password safe');
    expect(made.screen).not.toContain(PASSWORD);
    expect(await opens(its, [], { CBR_PASSWORD: PASSWORD })).toBe(0);

    const listed = await onTerminal(its, ['snapshots'], [{ when: 'Password: ', type: typed }]);
    expect(listed.code).toBe(0);
    expect(listed.screen).toContain('There are no snapshots yet.');
    expect(listed.screen).not.toContain(PASSWORD);
  });

  test('two that differ make nothing', async () => {
    const its = place();
    const { code, screen } = await onTerminal(
      its,
      ['init'],
      [
        { when: 'New password: ', type: 'one\r' },
        { when: 'Again: ', type: 'two\r' },
      ],
    );
    expect(code).toBe(2);
    expect(screen).toContain('the two passwords differ');
    expect((await its.run(['stats'])).code).toBe(10);
  });

  test('an empty one is refused, and not asked for again', async () => {
    const { code, screen } = await onTerminal(place(), ['init'], [{ when: 'New password: ', type: '\r' }]);
    expect(code).toBe(2);
    expect(screen).toContain('the password is empty');
    expect(screen).not.toContain('Again');
  });

  test('what is typed can be corrected', async () => {
    const its = await encrypted('aé日b');
    const erase = '\x7f';
    const eraseLine = '\x15';
    const type = `wrong${eraseLine}aé日本x${erase}${erase}b\r`;
    expect((await onTerminal(its, ['stats'], [{ when: 'Password: ', type }])).code).toBe(0);
  });

  test.each([
    ['Ctrl-C', '\x03'],
    ['Ctrl-D', '\x04'],
  ])('%s at the prompt breaks off', async (_, type) => {
    const its = await encrypted();
    const { code, screen } = await onTerminal(its, ['stats'], [{ when: 'Password: ', type }]);
    expect(code).toBe(130);
    expect(screen).toContain('interrupted');
  });
});

describe('keys', () => {
  const second = { CBR_PASSWORD: 'second' };
  const first = { CBR_PASSWORD: PASSWORD };

  test('add, list, remove', async () => {
    const its = await encrypted();
    const file = fileOf(its, 'second', 'second\n');
    const added = await its.json(['key', 'add', '--label', 'spare', '--new-password-file', file], {
      env: first,
    });
    expect(added.summary).toMatchObject({ command: 'key add', exitCode: 0 });
    const id = added.summary.key as string;
    expect(id).toMatch(/^[0-9a-f]{32}$/);

    const listed = await its.json(['key', 'list'], { env: second });
    expect(listed.items).toHaveLength(2);
    expect(listed.items.find(({ key }) => key === id)).toMatchObject({ label: 'spare', current: true });
    expect(listed.items.filter(({ current }) => current === true)).toHaveLength(1);
    const shown = await its.run(['key', 'list'], { env: second });
    expect(shown.stdout).toMatch(new RegExp(`^\\*  ${id}  20[^ ]+ [^ ]+ \\+00:00  spare$`, 'm'));

    const own = await its.run(['key', 'remove', id.slice(0, 6)], { env: second });
    expect(own).toMatchObject({ code: 2, stdout: '' });
    const gone = await its.json(['key', 'remove', id.slice(0, 6)], { env: first });
    expect(gone.summary).toMatchObject({ command: 'key remove', exitCode: 0, key: id });
    expect(await opens(its, [], second)).toBe(12);
    expect(await opens(its, [], first)).toBe(0);
    const unknown = await its.run(['key', 'remove', id], { env: first });
    expect(unknown.code).toBe(1);
  });

  test('change', async () => {
    const its = await encrypted();
    const file = fileOf(its, 'second', 'second\n');
    const env = { ...first, CBR_NEW_PASSWORD_FILE: file };
    const before = (await its.json(['key', 'list'], { env })).items[0]!;
    const { summary } = await its.json(['key', 'change'], { env });
    expect(summary).toMatchObject({ exitCode: 0, removed: before.key });
    expect(await opens(its, [], first)).toBe(12);
    const after = await its.json(['key', 'list'], { env: second });
    expect(after.items).toMatchObject([{ key: summary.key, label: before.label, current: true }]);
  });

  test('a new password is needed, and not an empty one', async () => {
    const its = await encrypted();
    const none = await its.run(['key', 'add'], { env: first });
    expect(none).toMatchObject({ code: 2, stderr: expect.stringContaining('no new password was given') });
    const empty = await its.run(['key', 'change', '--new-password-command', 'true'], { env: first });
    expect(empty).toMatchObject({ code: 2, stderr: expect.stringContaining('the password is empty') });
    expect((await its.json(['key', 'list'], { env: first })).items).toHaveLength(1);
  });

  test('the last key stays', async () => {
    const its = await encrypted();
    const { key } = (await its.json(['key', 'list'], { env: first })).items[0]!;
    const { code } = await its.run(['key', 'remove', key as string], { env: first });
    expect(code).toBe(2);
    expect(await opens(its, [], first)).toBe(0);
  });

  test('a damaged key is no wrong password', async () => {
    const its = await encrypted();
    const [name] = readdirSync(join(its.repo, 'keys'));
    const path = join(its.repo, 'keys', name!);
    rmSync(path);
    writeFileSync(path, 'not a key at all');
    const { code, stderr } = await its.run(['snapshots'], { env: first });
    expect(code).toBe(4);
    expect(stderr).toContain(`keys/${name}`);
    rmSync(path);
    expect((await its.run(['snapshots'], { env: first })).code).toBe(4);
  });
});
