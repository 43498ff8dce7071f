import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { MetadataCounts } from '../../dist/cli/metadata-counts.js';
import { problemFields, problemLines } from '../../dist/cli/problem.js';
import { filled } from './filled.js';
import { type Place, place, plainPlace } from './run.js';
import { onTerminal } from './terminal.js';

describe('arguments that are not UTF-8', () => {
  const CAFE = "$(printf 'caf\\351')";

  test.each([
    ['a source', `snapshot "source/${CAFE}"`],
    ['a repository', `init --no-encryption -r "${CAFE}"`],
    ['a target behind =', `restore latest "--target=${CAFE}"`],
  ])('%s is refused, and nothing is made', async (_, args) => {
    const its = await filled();
    const before = readdirSync(its.root, { encoding: 'latin1' });
    const { stdout, stderr } = await its.shell(`cbr ${args}; echo $?`);
    expect(stdout).toBe('2\n');
    expect(stderr).toContain('caf\\xe9');
    expect(stderr).toContain('folder above it');
    expect(readdirSync(its.root, { encoding: 'latin1' })).toEqual(before);
  });

  test('the character that stands for such bytes may be typed', async () => {
    const its = await plainPlace();
    const path = join(its.source, 'odd \ufffd name');
    writeFileSync(path, 'x');
    expect(await its.run(['snapshot', path])).toMatchObject({ code: 0, stderr: '' });
  });
});

describe('an init that is given up', () => {
  const nothingWasMade = (its: Place): void => expect(existsSync(its.repo)).toBe(false);

  test('over an empty password makes nothing', async () => {
    const its = place();
    const { code, stderr } = await its.run(['init'], { env: { CBR_PASSWORD: '' } });
    expect({ code, stderr }).toEqual({ code: 2, stderr: expect.stringContaining('--no-encryption') });
    nothingWasMade(its);
  });

  test('over two passwords that differ makes nothing', async () => {
    const its = place();
    const { code, screen } = await onTerminal(
      its,
      ['init'],
      [
        { when: 'New password: ', type: 'one\n' },
        { when: 'Again: ', type: 'two\n' },
      ],
    );
    expect(code).toBe(2);
    expect(screen).toContain('differ');
    nothingWasMade(its);
  });

  test('asks for no password where a repository cannot be', async () => {
    const its = await plainPlace();
    const again = await its.run(['init', '--password-command', 'echo asked >&2; echo x']);
    expect(again.code).toBe(1);
    expect(again.stderr).toContain('already');
    writeFileSync(join(its.root, 'file'), '');
    const below = await its.run(['init', '-r', 'file/x', '--password-command', 'echo asked >&2; echo x']);
    expect(below.code).toBe(1);
    expect(`${again.stderr}${below.stderr}`).not.toContain('asked');
  });
});

test('an empty password of a repository that exists does not lead to init', async () => {
  const its = place();
  expect((await its.run(['init'], { env: { CBR_PASSWORD: 'x' } })).code).toBe(0);
  const { code, stderr } = await its.run(['snapshots'], { env: { CBR_PASSWORD: '' } });
  expect(code).toBe(2);
  expect(stderr).toContain('the password is empty');
  expect(stderr).not.toContain('init');
});

test('a damaged key can be removed by the beginning of its id', async () => {
  const its = place();
  const env = { CBR_PASSWORD: 'one' };
  await its.run(['init'], { env });
  const file = join(its.root, 'two');
  writeFileSync(file, 'two');
  const { summary } = await its.json(['key', 'add', '--new-password-file', file], { env });
  const path = join(its.repo, 'keys', summary.key as string);
  chmodSync(path, 0o600);
  writeFileSync(path, readFileSync(path).subarray(0, 60));

  const listed = await its.run(['key', 'list'], { env });
  expect(listed.code).toBe(4);
  expect(listed.stderr.split(summary.key as string)).toHaveLength(2);

  const { stdout, code } = await its.run(['key', 'remove', (summary.key as string).slice(0, 12)], { env });
  expect({ code, stdout }).toEqual({ code: 0, stdout: `Removed the key ${summary.key}.\n` });
  expect((await its.run(['key', 'list'], { env })).code).toBe(0);
});

describe('problems of metadata', () => {
  const owner = {
    severity: 'warning',
    about: 'metadata',
    reason: 'owner: not permitted (EPERM)',
    path: '/x',
  } as const;

  test('are shown five times of each kind, then counted and said once', () => {
    const counts = new MetadataCounts();
    const shown = Array.from({ length: 1239 }, () => counts.shows(owner));
    expect(shown.filter(Boolean)).toHaveLength(5);
    expect(counts.shows({ ...owner, reason: 'group: not permitted (EPERM)' })).toBe(true);
    expect(counts.takeLines()).toEqual(['owner: not permitted (EPERM), 1,234 more; -v lists all']);
    expect(counts.takeLines()).toEqual([]);
  });

  test('are the only ones that are counted', () => {
    const counts = new MetadataCounts();
    const lost = { ...owner, severity: 'error', about: 'target' } as const;
    for (let i = 0; i < 20; i++) expect(counts.shows(lost)).toBe(true);
    expect(counts.takeLines()).toEqual([]);
  });
});

test('what a problem is about is said once', () => {
  const damaged = { severity: 'error', about: 'repository', object: 'snapshots/3f' } as const;
  for (const reason of ['is only 3 bytes long', 'snapshots/3f: is only 3 bytes long']) {
    expect(problemLines({ ...damaged, reason })).toEqual(['snapshots/3f: is only 3 bytes long']);
    expect(problemFields({ ...damaged, reason }).message).toBe('snapshots/3f: is only 3 bytes long');
  }
});

test('latest of several hosts names the newest of each', async () => {
  const its = await filled();
  const ids: string[] = [];
  for (const host of ['ann', 'bob']) {
    const { summary } = await its.json(['snapshot', its.source, '--host', host, '--time', '@1795179909']);
    ids.push(summary.snapshot as string);
  }
  const { code, stderr } = await its.run(['ls', 'latest']);
  expect(code).toBe(2);
  for (const [i, host] of ['ann', 'bob'].entries()) {
    expect(stderr).toContain(`${host} (newest: ${ids[i]!.slice(0, 12)}, 2026-11-20 `);
  }
});

test('an --include that matches nothing is noted', async () => {
  const its = await filled();
  await its.run(['snapshot', its.source]);
  const restore = ['restore', `latest:${its.source}`, '--target', 'target', '--include'];
  const missed = await its.json([...restore, 'source/folder/letter']);
  expect(missed.code).toBe(0);
  expect(missed.problems).toMatchObject([{ severity: 'note' }]);
  expect(missed.problems[0]!.message).toContain('--include');
  const met = await its.json([...restore, 'folder/letter']);
  expect(met.problems).toEqual([]);
  expect(readFileSync(join(its.root, 'target/folder/letter'), 'utf8')).toBe('dear reader\n');
});

test('cache clear with -r clears the cache of that repository only', async () => {
  const its = await filled();
  await its.run(['init', '--no-encryption', '-r', 'other']);
  const locations = async () => (await its.json(['cache', 'list'])).items.map(({ location }) => location);
  expect(await locations()).toHaveLength(2);
  expect((await its.json(['cache', 'clear', '-r', 'other'])).summary.removed).toBe(1);
  expect(await locations()).toEqual([its.repo]);
  await its.run(['snapshots', '-r', 'other']);
  expect((await its.json(['cache', 'clear'])).summary.removed).toBe(2);
});

test('a symlink named as a source is a warning, which -q shows', async () => {
  const its = await plainPlace();
  mkdirSync(join(its.source, 'folder'));
  symlinkSync('folder', join(its.source, 'link'));
  const { code, stderr } = await its.run(['-q', 'snapshot', join(its.source, 'link')]);
  expect(code).toBe(0);
  expect(stderr).toContain('the link itself is stored');
});
