import { closeSync, lstatSync, openSync, symlinkSync, utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  type EntryMetadata,
  joinRaw,
  listFolder,
  MetadataWriter,
  makeFolder,
  makeSpecial,
  Owners,
  openTarget,
  type Problem,
  rawPath,
  readXattrsOfPath,
  StatTable,
  statPath,
} from '../../dist/fs/index.js';
import { asNobody, bytes, isRoot, run, scratchFolder } from './scratch.js';

const [ownUid, ownGid] = [process.getuid?.() ?? 0, process.getgid?.() ?? 0];
const plain: EntryMetadata = {
  type: 'file',
  mode: 0o640,
  uid: ownUid,
  gid: ownGid,
  mtime: { seconds: 1_700_000_000, nanoseconds: 123_456_789 },
};

function setUp() {
  const folder = scratchFolder();
  const problems: Problem[] = [];
  return { folder, problems, writer: new MetadataWriter(new Owners(), problems) };
}

function applyToFile(writer: MetadataWriter, path: string, metadata: EntryMetadata): void {
  writeFileSync(path, '', { flag: 'a' });
  const fd = openSync(path, 'r');
  writer.applyToFd(fd, rawPath(path), metadata);
  closeSync(fd);
}

describe('times', () => {
  // What ext4, xfs, btrfs and tmpfs all hold.
  const held = [
    { seconds: 0, nanoseconds: 1 },
    { seconds: -1, nanoseconds: 999_999_999 },
    { seconds: -1_000_000_000, nanoseconds: 5 },
    { seconds: -(2 ** 31), nanoseconds: 0 },
    { seconds: 2 ** 31, nanoseconds: 987_654_321 },
    { seconds: 2 ** 32 + 7, nanoseconds: 3 },
    { seconds: 15_000_000_000, nanoseconds: 999_999_999 },
  ];

  it('are set to the nanosecond, before 1970 and after 2106', () => {
    const { folder, problems, writer } = setUp();
    const path = join(folder, 'f');
    const table = new StatTable();
    for (const mtime of held) {
      applyToFile(writer, path, { ...plain, mtime });
      const row = statPath(rawPath(path), table);
      expect({ seconds: table.mtimeSeconds(row), nanoseconds: table.mtimeNanoseconds(row) }).toEqual(mtime);
      const fraction = `${mtime.nanoseconds}`.padStart(9, '0');
      const [seconds, digits] = run('stat', '-c', '%.9Y', path).trim().split('.');
      // stat prints -0.000000001 for a nanosecond before 1970
      if (mtime.seconds >= 0) expect([seconds, digits]).toEqual([`${mtime.seconds}`, fraction]);
    }
    expect(problems).toEqual([]);
  });

  it('leave the access time alone', () => {
    const { folder, writer } = setUp();
    const path = join(folder, 'f');
    writeFileSync(path, '');
    utimesSync(path, 1000, 2000);
    applyToFile(writer, path, plain);
    expect(run('stat', '-c', '%X %Y', path).trim()).toBe('1000 1700000000');
  });

  it('are set on symlinks, fifos and folders themselves', () => {
    const { folder, problems, writer } = setUp();
    writeFileSync(join(folder, 'victim'), '');
    utimesSync(join(folder, 'victim'), 1000, 1000);
    symlinkSync('victim', join(folder, 'link'));
    symlinkSync('absent', bytes(`${folder}/\xff`));
    const target = openTarget(rawPath(folder));
    makeSpecial(target, 'fifo', 'fifo');
    makeFolder(target, 'sub').close();
    const mtime = { seconds: -86_400, nanoseconds: 500_000_001 };
    for (const [name, type] of [
      ['link', 'symlink'],
      ['\xff', 'symlink'],
      ['fifo', 'fifo'],
      ['sub', 'directory'],
    ] as const) {
      writer.applyToEntry(target, name, { ...plain, type, mtime });
    }
    const { names, stats } = listFolder(rawPath(folder));
    for (const [row, name] of names.entries()) {
      if (name === 'victim') expect(stats.mtimeSeconds(row)).toBe(1000);
      else expect([stats.mtimeSeconds(row), stats.mtimeNanoseconds(row)]).toEqual([-86_400, 500_000_001]);
    }
    expect(problems).toEqual([]);
    target.close();
  });

  it('that the file system cannot hold are a problem, not a silent change', () => {
    const { folder, problems, writer } = setUp();
    const path = join(folder, 'f');
    const far = { seconds: 2 ** 43, nanoseconds: 1 };
    applyToFile(writer, path, { ...plain, mtime: far });
    const table = new StatTable();
    const row = statPath(rawPath(path), table);
    const kept = table.mtimeSeconds(row) === far.seconds && table.mtimeNanoseconds(row) === 1;
    expect(problems.map((each) => each.what)).toEqual(kept ? [] : ['times']);
    if (!kept) expect(problems[0]!.reason).toContain(`keeps ${table.mtimeSeconds(row)} s`);
  });
});

describe('owner and mode', () => {
  it('keep setuid, setgid and sticky bits', () => {
    const { folder, problems, writer } = setUp();
    for (const mode of [0o7777, 0o4755, 0o2070, 0o1000, 0]) {
      const path = join(folder, mode.toString(8));
      applyToFile(writer, path, { ...plain, mode });
      expect(lstatSync(path).mode & 0o7777).toBe(mode);
    }
    expect(problems).toEqual([]);
  });

  it('go by name first, then by number', () => {
    const { folder, problems, writer } = setUp();
    const path = join(folder, 'f');
    const wanted = { ...plain, uid: 54_321, gid: 4_000_000_000 };
    asRootOnly(() => {
      applyToFile(writer, path, { ...wanted, user: 'daemon', group: 'no such group' });
      expect(run('stat', '-c', '%U %g', path).trim()).toBe('daemon 4000000000');
      applyToFile(writer, path, { ...wanted, user: 'no such user', group: 'daemon' });
      expect(run('stat', '-c', '%u %G', path).trim()).toBe('54321 daemon');
      symlinkSync('f', join(folder, 'link'));
      const target = openTarget(rawPath(folder));
      writer.applyToEntry(target, 'link', { ...plain, type: 'symlink', uid: 7, gid: 8 });
      makeSpecial(target, 'device', 'character device', { major: 1, minor: 3 });
      writer.applyToEntry(target, 'device', {
        ...plain,
        type: 'character device',
        uid: 9,
        gid: 10,
        mode: 0o6666,
      });
      target.close();
      expect(run('stat', '-c', '%u %g', join(folder, 'link'), path).trim()).toBe(
        `7 8\n54321 ${gidOf('daemon')}`,
      );
      expect(run('stat', '-c', '%u %g %a', join(folder, 'device')).trim()).toBe('9 10 6666');
      expect(problems).toEqual([]);
    });
  });

  it('that may not be set become problems, and no setuid bit is lent to the wrong owner', () => {
    const folder = scratchFolder();
    run('chmod', '1777', folder);
    const problems: Problem[] = [];
    asNobody(() => {
      const writer = new MetadataWriter(new Owners(), problems);
      const path = join(folder, 'f');
      applyToFile(writer, path, { ...plain, mode: 0o6755, uid: 12_345, gid: 12_346 });
      applyToFile(writer, join(folder, 'g'), { ...plain, uid: 12_345, gid: process.getegid?.() ?? 0 });
      const target = openTarget(rawPath(folder));
      symlinkSync('f', join(folder, 'link'));
      writer.applyToEntry(target, 'link', { ...plain, type: 'symlink', uid: 12_345, gid: 12_346 });
      target.close();
    });
    expect(lstatSync(join(folder, 'f')).mode & 0o7777).toBe(0o755);
    expect(lstatSync(join(folder, 'f')).mtimeMs).toBe(1_700_000_000_123.4568);
    const seen = problems.map((each) => `${each.path.slice(folder.length + 1)} ${each.what}`).sort();
    expect(seen).toEqual(['f group', 'f mode', 'f owner', 'g owner', 'link group', 'link owner']);
    expect(problems.find((each) => each.what === 'owner')!.reason).toMatch(/EPERM/);
  });
});

describe('extended attributes', () => {
  it('and ACLs are set as getfattr and getfacl show them', () => {
    const { folder, problems, writer } = setUp();
    const model = join(folder, 'model');
    writeFileSync(model, '');
    run('setfacl', '-m', 'u:1234:rw,g:99:x,m:r', model);
    run('setfattr', '-n', 'user.b', '-v', '0x00ff', model);
    run('setfattr', '-n', 'user.empty', '-v', '', model);
    const xattrs = readXattrsOfPath(rawPath(model), problems);
    expect(xattrs).toHaveLength(3);
    const mode = lstatSync(model).mode & 0o7777;
    applyToFile(writer, join(folder, 'copy'), { ...plain, mode, xattrs });
    const acl = (name: string) => run('getfacl', '-n', '-c', '-p', join(folder, name));
    expect(acl('model')).toContain('user:1234:rw-');
    expect(acl('copy')).toBe(acl('model'));
    const attributes = (name: string) =>
      run('getfattr', '-d', '-m', '-', '-e', 'hex', '--absolute-names', join(folder, name))
        .split('\n')
        .slice(1);
    expect(attributes('copy')).toEqual(attributes('model'));
    expect(attributes('copy')).toContain('user.b=0x00ff');
    expect(lstatSync(join(folder, 'copy')).mode & 0o7777).toBe(mode);
    expect(problems).toEqual([]);
  });

  it('reach read-only files, folders with default ACLs and, as root, symlinks and capabilities', () => {
    const { folder, problems, writer } = setUp();
    const xattrs = [{ name: 'user.k', value: bytes('v') }];
    asNobodyIn(folder, () => {
      applyToFile(writer, join(folder, 'readonly'), {
        ...plain,
        uid: process.geteuid?.() ?? 0,
        gid: process.getegid?.() ?? 0,
        mode: 0o444,
        xattrs,
      });
    });
    expect(
      run('getfattr', '-n', 'user.k', '--only-values', '--absolute-names', join(folder, 'readonly')),
    ).toBe('v');

    const target = openTarget(rawPath(folder));
    const model = makeFolder(target, 'model');
    run('setfacl', '-d', '-m', 'u:1234:rwx', join(folder, 'model'));
    const copy = makeFolder(target, 'copy');
    const found = readXattrsOfPath(model.location, problems);
    expect(found.map((each) => each.name)).toEqual(['system.posix_acl_default']);
    writer.applyToFd(copy.fd, copy.location, { ...plain, type: 'directory', mode: 0o700, xattrs: found });
    expect(run('getfacl', '-c', '-p', copy.location)).toBe(run('getfacl', '-c', '-p', model.location));

    asRootOnly(() => {
      symlinkSync('absent', join(folder, 'link'));
      writer.applyToEntry(target, 'link', {
        ...plain,
        type: 'symlink',
        xattrs: [{ name: 'trusted.t', value: bytes('x') }],
      });
      expect(
        run('getfattr', '-h', '-n', 'trusted.t', '--only-values', '--absolute-names', join(folder, 'link')),
      ).toBe('x');
      const capability = {
        name: 'security.capability',
        value: Buffer.from('0100000200200000000000000000000000000000', 'hex'),
      };
      applyToFile(writer, join(folder, 'capable'), {
        ...plain,
        uid: 5,
        gid: 6,
        mode: 0o4755,
        xattrs: [capability],
      });
      expect(readXattrsOfPath(joinRaw(rawPath(folder), 'capable'), problems)).toEqual([
        { ...capability, value: Uint8Array.from(capability.value) },
      ]);
      expect(lstatSync(join(folder, 'capable')).mode & 0o7777).toBe(0o4755);
    });
    expect(problems).toEqual([]);
    for (const each of [model, copy, target]) each.close();
  });

  it('that cannot be set become one problem each, and the rest is set', () => {
    const { folder, problems, writer } = setUp();
    const path = join(folder, 'f');
    const value = bytes('v');
    applyToFile(writer, path, {
      ...plain,
      xattrs: [
        { name: 'nonsense.x', value },
        { name: 'system.posix_acl_access', value: bytes('no ACL') },
        { name: 'user.ok', value },
      ],
    });
    expect(problems.map((each) => each.what)).toEqual(['xattr nonsense.x', 'xattr system.posix_acl_access']);
    expect(problems[0]).toEqual({
      path: rawPath(path),
      what: 'xattr nonsense.x',
      reason: expect.stringMatching(/ENOTSUP/),
    });
    expect(readXattrsOfPath(rawPath(path), []).map((each) => each.name)).toEqual(['user.ok']);
    expect(lstatSync(path).mtimeMs).toBe(1_700_000_000_123.4568);
    writer.applyToEntry(openTarget(rawPath(folder)), 'absent', plain);
    expect(problems.at(-1)).toMatchObject({ what: 'metadata', reason: expect.stringMatching(/ENOENT/) });
  });
});

describe('inode flags', () => {
  it('are set as lsattr shows them, immutable ones last of all', () => {
    const { folder, problems, writer } = setUp();
    const path = join(folder, 'f');
    writeFileSync(path, '');
    const fd = openSync(path, 'r');
    writer.applyToFd(fd, rawPath(path), plain);
    writer.setFlagsOfFd(fd, rawPath(path), 0);
    expect(problems).toEqual([]);
    const flags = isRoot ? 0x10 | 0x40 | 0x80 : 0x40 | 0x80;
    writer.setFlagsOfFd(fd, rawPath(path), flags);
    writer.setFlagsOfFd(fd, rawPath(path), flags); // already there
    closeSync(fd);
    expect(problems).toEqual([]);
    expect(lettersOf(path)).toEqual(isRoot ? ['A', 'd', 'i'] : ['A', 'd']);
    expect(lstatSync(path).mtimeMs).toBe(1_700_000_000_123.4568);
    if (isRoot) expect(() => writeFileSync(path, 'x')).toThrow(/EPERM/);
  });

  it('are set by name on files and folders, and never through a symlink', () => {
    const { folder, problems, writer } = setUp();
    const target = openTarget(rawPath(folder));
    makeFolder(target, 'sub').close();
    symlinkSync('sub', join(folder, 'link'));
    writer.setFlagsOfEntry(target, 'sub', 0x40, 1);
    expect(lettersOf(join(folder, 'sub'), true)).toEqual(['d']);
    writer.setFlagsOfEntry(target, 'link', 0x80, 1);
    expect(lettersOf(join(folder, 'sub'), true)).toEqual(['d']);
    expect(problems.map((each) => each.what)).toEqual(['flags']);
    target.close();
  });

  it('that are refused become a problem with their letters, and the rest is set', () => {
    const folder = scratchFolder();
    run('chmod', '777', folder);
    const problems: Problem[] = [];
    asNobody(() => {
      const writer = new MetadataWriter(new Owners(), problems);
      const path = join(folder, 'f');
      writeFileSync(path, '');
      const fd = openSync(path, 'r');
      writer.setFlagsOfFd(fd, rawPath(path), 0x10 | 0x40 | 0x20);
      closeSync(fd);
    });
    expect(lettersOf(join(folder, 'f'))).toEqual(['d']);
    expect(problems).toEqual([
      { path: rawPath(join(folder, 'f')), what: 'flags', reason: expect.stringMatching(/^ai: .*EPERM/) },
    ]);
    const writer = new MetadataWriter(new Owners(), problems);
    const fd = openSync('/proc/self/stat', 'r');
    writer.setFlagsOfFd(fd, rawPath('/proc/self/stat'), 0x40);
    closeSync(fd);
    expect(problems.at(-1)!.reason).toMatch(/^d: .*ENOTTY/);
  });
});

/** The flags of a file as chattr takes them, without the layout flags of the file system. */
function lettersOf(path: string, isFolder = false): string[] {
  const line = isFolder ? run('lsattr', '-d', path) : run('lsattr', path);
  return [...line.split(' ')[0]!].filter((letter) => /[sucSdAmjtDTCxPFai]/.test(letter)).sort();
}

/** Checks that only root can make; for anybody else the test of refusals above covers the same calls. */
function asRootOnly(checks: () => void): void {
  if (isRoot) checks();
}

function asNobodyIn(folder: string, action: () => void): void {
  run('chmod', '777', folder);
  asNobody(action);
}

function gidOf(name: string): number {
  return new Owners().gidOf(name) ?? -1;
}
