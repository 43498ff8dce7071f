import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { refuseSystemTarget } from '../../dist/cli/system-target.js';
import { probeAbilities } from '../snapshot/abilities.js';
import { randomContent } from '../snapshot/random-content.js';
import { runScript } from '../snapshot/source-tree.js';
import { CBR } from './child.js';
import { fill, filled, snapshotId } from './filled.js';
import { type Place, place, plainPlace, quoted } from './run.js';
import { onTerminal } from './terminal.js';

/** What the command says and refuses when a restore meets what is there. */

async function taken(): Promise<Place> {
  const its = await filled();
  await snapshotId(its);
  return its;
}

const restoring = (its: Place, target: string, ...args: readonly string[]): readonly string[] => [
  ...['restore', `latest:${its.source}`, '--target', target, ...args],
];

describe('a target that is refused', () => {
  test('is a system folder or the home folder, by whatever path', async () => {
    const its = await taken();
    symlinkSync('/usr', join(its.root, 'link'));
    mkdirSync(join(its.home, 'below'));
    const bad = [
      '/',
      '/usr',
      '/etc/',
      '/usr/lib/x',
      '/etc/x',
      '/proc/self',
      'link',
      'link/lib',
      '/usr/../etc',
    ];
    for (const target of [...bad, its.home, `${its.home}/below/..`]) {
      const { code, stderr } = await its.run(restoring(its, target, '--dry-run'));
      expect({ target, code, stderr }).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('the target is'),
      });
      expect(stderr).toContain('--allow-system-target');
    }
    const below = await its.run(restoring(its, join(its.home, 'below')));
    expect(below.code).toBe(0);
    const allowed = await its.json(restoring(its, its.home, '--allow-system-target', '--dry-run'));
    expect(allowed.code).toBe(0);
  });

  test('lies where only the system has folders, also where that is mounted elsewhere; all else is free', () => {
    const its = place();
    const bad = [
      ...[
        '/var',
        '/var/lib',
        '/var/log/',
        '/var/new',
        '/usr/local',
        '/usr/local/bin',
        '/usr/src',
        '/usr/src/x',
      ],
      ...[
        '/run/x',
        '/run/lock/y',
        '/efi',
        '/lost+found',
        '/dev/x',
        '/dev/shm',
        '/var/tmp',
        '/tmp',
        '/root',
        '/',
      ],
    ];
    const free = [
      ...[
        '/srv/x',
        '/mnt/x',
        '/media/x',
        '/opt/x',
        '/tmp/x',
        '/var/tmp/x',
        '/root/x',
        '/home/u/x',
        '/home/u',
      ],
      ...[
        '/dev/shm/x',
        '/run/media/u/disk',
        '/run/user/1/x',
        '/var/lib/jenkins/x',
        '/usr/local/share/x',
        '/data',
      ],
    ];
    const refused = (target: string): boolean => {
      try {
        refuseSystemTarget(target);
        return false;
      } catch {
        return true;
      }
    };
    expect(bad.filter((target) => !refused(target))).toEqual([]);
    expect(free.filter(refused)).toEqual([]);
    if (!probeAbilities(its.root).mounts) return;
    mkdirSync(join(its.root, 'mount'));
    runScript(its.root, ['mount --bind /etc mount']);
    try {
      expect(refused(join(its.root, 'mount'))).toBe(true);
      expect(refused(join(its.root, 'mount/new/folder'))).toBe(true);
    } finally {
      runScript(its.root, ['umount mount']);
    }
  });

  test('lies in the repository, or holds it and would lose it', async () => {
    const its = await taken();
    symlinkSync(its.repo, join(its.root, 'link'));
    const before = readdirSync(its.repo);
    for (const target of [its.repo, join(its.repo, 'packs/new'), join(its.root, 'link/new')]) {
      const { code, stderr } = await its.run(restoring(its, target));
      expect({ code, stderr }).toMatchObject({
        code: 2,
        stderr: expect.stringContaining('repository itself'),
      });
    }
    expect(readdirSync(its.repo)).toEqual(before);
    const holding = await its.run(restoring(its, its.root, '--delete', '--yes'));
    expect(holding.code).toBe(2);
    expect(holding.stderr).toContain('the repository lies in the target');
    expect(existsSync(its.repo)).toBe(true);
  });

  test('has too little room, before anything is written; the preview says so', async () => {
    const its = await plainPlace();
    writeFileSync(join(its.source, 'large'), randomContent(1, 3_000_000));
    execFileSync('truncate', ['-s', '1G', join(its.source, 'sparse')]);
    await snapshotId(its);
    const target = join(its.root, 'small');
    mkdirSync(target);
    if (!probeAbilities(its.root).mounts) return;
    runScript(its.root, ['mount -t tmpfs -o size=2m none small']);
    try {
      const preview = await its.json(restoring(its, target, '--dry-run'));
      expect(preview).toMatchObject({ code: 1, summary: { bytes: { missing: expect.any(Number) } } });
      expect(preview.problems).toMatchObject([{ severity: 'error', about: 'target', code: 'ENOSPC' }]);
      const { code, summary } = await its.json(restoring(its, target));
      expect({ code, error: summary.error }).toMatchObject({
        code: 1,
        error: { code: 'target', message: expect.stringContaining('room') },
      });
      expect(readdirSync(target)).toEqual([]);
      // A hole takes no room, and neither does what is there already.
      const sparse = await its.json(restoring(its, target, '--include', 'sparse'));
      expect(sparse).toMatchObject({ code: 0, summary: { files: { restored: 1 } } });
      runScript(its.root, ['mount -o remount,size=4m small']);
      expect((await its.json(restoring(its, target))).code).toBe(0);
      runScript(its.root, ['mount -o remount,size=3m small']);
      const again = await its.json(restoring(its, target, '--overwrite', 'if-changed'));
      expect(again).toMatchObject({ code: 0, summary: { files: { unchanged: 2 } } });
      // What is replaced stays until the new file is whole.
      runScript(target, ['truncate -s 2999999 large']);
      runScript(its.root, ['mount -o remount,size=5m small']);
      const beside = await its.json(restoring(its, target, '--overwrite', 'if-changed'));
      expect(beside).toMatchObject({
        code: 1,
        summary: { error: { message: expect.stringContaining('would have to be written') } },
      });
      expect(statSync(join(target, 'large')).size).toBe(2_999_999);
      runScript(its.root, ['mount -o remount,size=7m small']);
      const replaced = await its.json(restoring(its, target, '--overwrite', 'if-changed'));
      expect(replaced).toMatchObject({ code: 0, summary: { files: { replaced: 1 } } });
    } finally {
      runScript(its.root, ['umount small']);
    }
  });
});

test('a target is refused that has room for the bytes of small files and not for their blocks', async () => {
  const its = await plainPlace();
  for (let i = 0; i < 400; i++) writeFileSync(join(its.source, `${i}`), 'x');
  await snapshotId(its);
  const target = join(its.root, 'small');
  mkdirSync(target);
  if (!probeAbilities(its.root).mounts) return;
  runScript(its.root, ['mount -t tmpfs -o size=1m none small']);
  try {
    const { code, summary } = await its.json(restoring(its, target));
    expect({ code, error: summary.error }).toMatchObject({
      code: 1,
      error: { message: expect.stringContaining('would have to be written') },
    });
    expect(readdirSync(target)).toEqual([]);
  } finally {
    runScript(its.root, ['umount small']);
  }
});

describe('what is to be deleted', () => {
  async function littered(): Promise<{ its: Place; target: string }> {
    const its = await taken();
    const target = join(its.root, 'target');
    mkdirSync(target);
    for (const name of ['mine', 'evil\x1b[31m']) writeFileSync(join(target, name), 'mine');
    return { its, target };
  }

  test('is listed, and refused where nobody can be asked', async () => {
    const { its, target } = await littered();
    const { code, stdout, stderr } = await its.run(restoring(its, target, '--delete'));
    expect(code).toBe(2);
    expect(stdout).toBe('delete     evil\\x1b[31m\ndelete     mine\n');
    expect(stderr).toMatch(/would delete 2 entries.*\n.*--yes/);
    expect(readdirSync(target).sort()).toEqual(['evil\x1b[31m', 'mine']);
    const listed = await its.json(restoring(its, target, '--delete'));
    expect(listed.items).toEqual([
      { type: 'item', action: 'delete', path: 'evil\x1b[31m' },
      { type: 'item', action: 'delete', path: 'mine' },
    ]);
    const preview = await its.json(restoring(its, target, '--delete', '--dry-run'));
    expect(preview).toMatchObject({ code: 0, summary: { deleted: 2, dryRun: true } });
    expect(preview.items.filter(({ action }) => action === 'deleted')).toHaveLength(2);
  });

  test('is asked about on a terminal', async () => {
    const { its, target } = await littered();
    const args = restoring(its, target, '--delete');
    const no = await onTerminal(its, args, [{ when: '[y/N] ', type: 'n\n' }]);
    expect(no.code).toBe(1);
    expect(no.screen).toContain('not confirmed');
    expect(readdirSync(target).sort()).toEqual(['evil\x1b[31m', 'mine']);
    const yes = await onTerminal(its, args, [{ when: '[y/N] ', type: 'yes\n' }]);
    expect(yes.code).toBe(0);
    expect(readdirSync(target)).not.toContain('mine');
    expect(existsSync(join(target, 'big'))).toBe(true);
  });

  test('goes without a question where it was agreed to, and nothing is asked where there is nothing', async () => {
    const { its, target } = await littered();
    const { code, summary } = await its.json(restoring(its, target, '--delete', '--yes'));
    expect({ code, summary }).toMatchObject({ code: 0, summary: { deleted: 2, undeleted: 0 } });
    const again = await its.json(restoring(its, target, '--delete', '--overwrite', 'if-changed'));
    expect(again).toMatchObject({ code: 0, summary: { deleted: 0, files: { restored: 0, failed: 0 } } });
  });
});

test.each([
  ['--compare-content'],
  ['--overwrite', 'sometimes'],
  ['--overwrite', 'if-newer', '--compare-content'],
  ['--delete', '--flatten'],
  ['--delete', '--strip-components', '1'],
  ['--yes'],
  ['--no-owner', '--numeric-ids'],
  ['--strip-components', '-1'],
])('usage: %s %s %s', async (...args) => {
  const its = place();
  expect((await its.run(restoring(its, 'out', ...args))).code).toBe(2);
  expect(existsSync(join(its.root, 'out'))).toBe(false);
});

test('several paths and patterns choose what comes back', async () => {
  const its = await taken();
  const all = ['restore', 'latest', '--target', 'some', '--include', join(its.source, 'folder/letter')];
  const { code, summary } = await its.json([
    ...all,
    '--include',
    join(its.source, 'big'),
    '--include',
    '*nk',
  ]);
  expect({ code, summary }).toMatchObject({ code: 0, summary: { files: { restored: 3 } } });
  expect(readdirSync(join(its.root, 'some', its.source)).sort()).toEqual(['big', 'folder', 'link']);
  const file = await its.json(['restore', `latest:${its.source}/folder/letter`, '--target', 'one']);
  expect(file).toMatchObject({ code: 0, summary: { files: { restored: 1 } } });
  expect(readdirSync(join(its.root, 'one'))).toEqual(['letter']);
});

test('a kill at any moment leaves the old file or the new one, and the next run ends the work', {
  timeout: 300_000,
}, async () => {
  const its = await plainPlace();
  const names = Array.from({ length: 60 }, (_, i) => `file ${i}`);
  for (const name of names) writeFileSync(join(its.source, name), `new ${name} `.repeat(20_000));
  await snapshotId(its);
  const target = join(its.root, 'target');
  mkdirSync(target);
  const old = (name: string): string => `old ${name}`;
  let killed = 0;
  for (let delay = 150; delay < 1500; delay += 250) {
    for (const name of names) writeFileSync(join(target, name), old(name));
    const run = await its.run(restoring(its, target, '--overwrite', 'always'), {
      during: (child) => void setTimeout(() => child.kill('SIGKILL'), delay),
    });
    if (run.signal === 'SIGKILL') killed++;
    for (const name of names) {
      const found = readFileSync(join(target, name), 'utf8');
      const isWhole = found === old(name) || found === readFileSync(join(its.source, name), 'utf8');
      expect(isWhole, name).toBe(true);
    }
  }
  expect(killed).toBeGreaterThan(0);
  const last = await its.json(restoring(its, target, '--overwrite', 'if-changed'));
  expect(last).toMatchObject({ code: 0, summary: { files: { failed: 0 } } });
  expect(readdirSync(target).sort()).toEqual([...names].sort());
});

test('one small file of a large repository costs little, with a warm cache and a cold one', {
  timeout: 300_000,
}, async () => {
  const its = await plainPlace();
  for (let i = 0; i < 24; i++) {
    mkdirSync(join(its.source, `folder ${i}`));
    writeFileSync(join(its.source, `folder ${i}/large`), randomContent(i, 4_000_000));
    writeFileSync(join(its.source, `folder ${i}/small`), randomContent(1000 + i, 10_000));
  }
  await snapshotId(its);
  const args = ['restore', `latest:${its.source}/folder 12/small`, '--target'];
  const readBytes = async (target: string): Promise<number> => {
    const { code, summary } = await its.json([...args, target]);
    expect(code).toBe(0);
    expect(statSync(join(its.root, target, 'small')).size).toBe(10_000);
    return (summary.traffic as { read: { bytes: number } }).read.bytes;
  };
  // A block of data, a block of trees for each folder on the way, and headers.
  expect(await readBytes('warm')).toBeLessThan(5_000_000);
  rmSync(its.cache, { recursive: true });
  expect(await readBytes('cold')).toBeLessThan(6_000_000);
});

describe('from a medium that cannot be written', () => {
  const COMMANDS: readonly (readonly string[])[] = [['snapshots'], ['ls', 'latest'], ['stats'], ['check']];

  async function readsAll(its: Place, run: (args: readonly string[]) => Promise<{ code: number | null }>) {
    for (const args of COMMANDS) expect({ args, ...(await run(args)) }).toMatchObject({ code: 0 });
    const restored = await run([...restoring(its, join(its.home, 'out'), '--verify', '--no-owner')]);
    expect(restored).toMatchObject({ code: 0 });
  }

  test.runIf(probeAbilities().mounts)('a mount for reading only', async () => {
    const its = await taken();
    const before = execFileSync('find', [its.repo], { encoding: 'utf8' });
    runScript(its.root, ['mount --bind repo repo', 'mount -o remount,bind,ro repo']);
    try {
      await readsAll(its, (args) => its.run(args));
      expect((await its.run(['snapshot', its.source])).code).toBe(1);
    } finally {
      runScript(its.root, ['umount repo']);
    }
    expect(execFileSync('find', [its.repo], { encoding: 'utf8' })).toBe(before);
  });

  test.runIf(process.getuid?.() === 0)('a user who may only read, and has no cache', async () => {
    const its = await plainPlace();
    fill(its);
    await snapshotId(its);
    runScript(its.root, ['chmod -R a+rX,a-w repo', 'chmod 755 . home']);
    const other = { env: { CBR_CACHE_DIR: join(its.root, 'no/such/folder') } };
    mkdirSync(join(its.home, 'out'));
    chmodSync(join(its.home, 'out'), 0o777);
    const program = `setpriv --reuid 65534 --regid 65534 --clear-groups ${quoted(process.execPath)} ${quoted(CBR)}`;
    await readsAll(its, async (args) => {
      const run = await its.shell(`${program} ${args.map(quoted).join(' ')}`, other);
      return run;
    });
    expect(readdirSync(join(its.home, 'out'))).toContain('big');
  });
});
