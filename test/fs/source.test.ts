import {
  closeSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  dataExtents,
  fileSystemOf,
  inodeFlags,
  joinRaw,
  makeFolder,
  Owners,
  openSource,
  openSourceFolder,
  openTarget,
  type Problem,
  rawPath,
  readLink,
  readXattrs,
  readXattrsOfPath,
  SMALLEST_HOLE,
  StatTable,
} from '../../dist/fs/index.js';
import { asNobody, bytes, descriptorsBelow, isRoot, run, scratchFolder } from './scratch.js';

describe('openSource', () => {
  it('opens a regular file and tells its state before reading', () => {
    const folder = scratchFolder();
    writeFileSync(bytes(`${folder}/\xff`), 'content');
    const stats = new StatTable();
    const fd = openSource(joinRaw(rawPath(folder), '\xff'), stats);
    const read = Buffer.alloc(20);
    expect(readSync(fd, read, 0, 20, 0)).toBe(7);
    expect([stats.count, stats.size(0), stats.type(0)]).toEqual([1, 7, 'file']);
    closeSync(fd);
  });

  it('neither hangs on a fifo nor follows a symlink nor opens anything else', () => {
    const folder = scratchFolder();
    run('mkfifo', join(folder, 'fifo'));
    writeFileSync(join(folder, 'file'), '');
    symlinkSync('file', join(folder, 'symlink'));
    mkdirSync(join(folder, 'folder'));
    symlinkSync('folder', join(folder, 'folder link'));
    const source = (name: string) => rawPath(join(folder, name));
    expect(() => openSource(source('fifo'))).toThrow(/fifo by now/);
    expect(() => openSource(source('folder'))).toThrow(/directory by now/);
    expect(() => openSource(rawPath('/dev/null'))).toThrow(/character device by now/);
    expect(() => openSource(source('symlink'))).toThrow(/ELOOP/);
    expect(() => openSource(source('absent'))).toThrow(/ENOENT/);
    expect(() => openSourceFolder(source('folder link'))).toThrow(/ENOTDIR|ELOOP/);
    expect(() => openSourceFolder(source('file'))).toThrow(/ENOTDIR/);
    closeSync(openSourceFolder(source('folder')));
    expect(descriptorsBelow(folder)).toBe(0);
  });

  it('says who is to blame when a file may not be read', () => {
    const folder = scratchFolder();
    writeFileSync(join(folder, 'secret'), '', { mode: 0 });
    expect(() => asNobody(() => openSource(rawPath(join(folder, 'secret'))))).toThrow(
      expect.objectContaining({ code: 'source', errno: 'EACCES', hint: expect.any(String) }),
    );
  });
});

describe('readLink', () => {
  it('gives the raw target, however long', () => {
    const folder = scratchFolder();
    const target = '\xff\n/'.repeat(1300);
    symlinkSync(bytes(target), join(folder, 'link'));
    expect(readLink(rawPath(join(folder, 'link')))).toBe(target);
    expect(() => readLink(rawPath(folder))).toThrow(/EINVAL/);
  });
});

describe('dataExtents', () => {
  const file = (write: (fd: number) => void): number => {
    const fd = openSync(join(scratchFolder(), 'f'), 'w+');
    write(fd);
    return fd;
  };
  const MIB = 2 ** 20;

  it('finds the data between holes', () => {
    const fd = file((fd) => {
      writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, MIB);
      writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, 6 * 2 ** 30);
      ftruncateSync(fd, 8 * 2 ** 30);
    });
    expect(dataExtents(fd, 8 * 2 ** 30)).toEqual([
      { start: MIB, end: MIB + 4096 },
      { start: 6 * 2 ** 30, end: 6 * 2 ** 30 + 4096 },
    ]);
    closeSync(fd);
  });

  it('treats small holes as data, at the start, between and at the end', () => {
    const small = SMALLEST_HOLE - 4096;
    const fd = file((fd) => {
      writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, small);
      writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, small + 4096 + small);
      ftruncateSync(fd, 3 * small + 8192);
    });
    expect(dataExtents(fd, 3 * small + 8192)).toEqual([{ start: 0, end: 3 * small + 8192 }]);
    closeSync(fd);
    const large = file((fd) => {
      writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, SMALLEST_HOLE);
      writeSync(fd, Buffer.alloc(4096, 1), 0, 4096, 2 * SMALLEST_HOLE + 4096);
      ftruncateSync(fd, 3 * SMALLEST_HOLE + 8192);
    });
    expect(dataExtents(large, 3 * SMALLEST_HOLE + 8192)).toEqual([
      { start: SMALLEST_HOLE, end: SMALLEST_HOLE + 4096 },
      { start: 2 * SMALLEST_HOLE + 4096, end: 2 * SMALLEST_HOLE + 8192 },
    ]);
    closeSync(large);
  });

  it('knows files that are empty, dense, all hole, or shorter by now', () => {
    const dense = file((fd) => writeSync(fd, Buffer.alloc(100_000, 1)));
    expect(dataExtents(dense, 0)).toEqual([]);
    expect(dataExtents(dense, 100_000)).toEqual([{ start: 0, end: 100_000 }]);
    expect(dataExtents(dense, 99_999)).toEqual([{ start: 0, end: 99_999 }]);
    closeSync(dense);
    const hollow = file((fd) => ftruncateSync(fd, MIB));
    expect(dataExtents(hollow, MIB)).toEqual([]);
    closeSync(hollow);
    const tiny = file((fd) => ftruncateSync(fd, 4096));
    expect(dataExtents(tiny, 4096)).toEqual([{ start: 0, end: 4096 }]);
    ftruncateSync(tiny, 0);
    expect(dataExtents(tiny, MIB)).toEqual([{ start: 0, end: MIB }]);
    closeSync(tiny);
  });
});

describe('extended attributes and flags', () => {
  it('are read sorted, by fd and by path, ACLs among them', () => {
    const folder = scratchFolder();
    const path = join(folder, 'f');
    writeFileSync(path, '');
    const problems: Problem[] = [];
    const fd = openSource(rawPath(path));
    expect(readXattrs(fd, rawPath(path), problems)).toEqual([]);
    expect(readXattrsOfPath(rawPath(path), problems)).toEqual([]);
    run('setfattr', '-n', 'user.z', '-v', '0x00ff0a', path);
    run('setfattr', '-n', 'user.a', '-v', '', path);
    run('setfacl', '-m', 'u:1234:r', path);
    const found = readXattrs(fd, rawPath(path), problems);
    expect(found.map((each) => each.name)).toEqual(['system.posix_acl_access', 'user.a', 'user.z']);
    expect(found[1]!.value).toEqual(new Uint8Array(0));
    expect(found[2]!.value).toEqual(Uint8Array.of(0, 255, 10));
    expect(readXattrsOfPath(rawPath(path), problems)).toEqual(found);
    closeSync(fd);
    if (isRoot) {
      symlinkSync('f', join(folder, 'link'));
      run('setfattr', '-h', '-n', 'trusted.own', '-v', 'of the link', join(folder, 'link'));
      expect(readXattrsOfPath(rawPath(join(folder, 'link')), problems)).toEqual([
        { name: 'trusted.own', value: Uint8Array.from(bytes('of the link')) },
      ]);
    }
    expect(problems).toEqual([]);
    readXattrsOfPath(rawPath(join(folder, 'absent')), problems);
    expect(problems).toEqual([
      { path: rawPath(join(folder, 'absent')), what: 'xattrs', reason: expect.stringContaining('ENOENT') },
    ]);
    expect(readXattrsOfPath(rawPath('/proc/self/stat'), [])).toEqual([]);
  });

  it('are read below paths of more than 4096 bytes', () => {
    const opened = [openTarget(rawPath(scratchFolder()))];
    for (let i = 0; i < 18; i++) opened.push(makeFolder(opened.at(-1)!, 'd'.repeat(250)));
    const deepest = opened.at(-1)!;
    const link = joinRaw(deepest.location, 'link');
    symlinkSync('target', deepest.path('link'));
    writeFileSync(deepest.path('f'), 'x');
    run('setfattr', '-n', 'user.k', '-v', 'v', `/proc/${process.pid}/fd/${deepest.fd}/f`);
    expect(readLink(link)).toBe('target');
    expect(readXattrsOfPath(joinRaw(deepest.location, 'f'), []).map((each) => each.name)).toEqual(['user.k']);
    closeSync(openSource(joinRaw(deepest.location, 'f')));
    expect(fileSystemOf(deepest.location)).toEqual(fileSystemOf(opened[0]!.location));
    for (const each of opened) each.close();
  });

  it('tells the flags that chattr shows, and none where there are none', () => {
    const path = join(scratchFolder(), 'f');
    writeFileSync(path, '');
    run('chattr', '+dA', path);
    const problems: Problem[] = [];
    const fd = openSource(rawPath(path));
    expect(inodeFlags(fd, rawPath(path), problems)).toBe(0x40 | 0x80);
    expect(run('lsattr', path)).toMatch(/^[^ ]*d[^ ]*A|^[^ ]*A[^ ]*d/);
    closeSync(fd);
    const virtual = openSync('/proc/self/stat', 'r');
    expect(inodeFlags(virtual, rawPath('/proc/self/stat'), problems)).toBe(0);
    closeSync(virtual);
    expect(problems).toEqual([]);
  });
});

describe('fileSystemOf', () => {
  it('identifies a file system by type and fsid, for every entry on it', () => {
    const folder = scratchFolder();
    symlinkSync('/proc', join(folder, 'link'));
    const found = fileSystemOf(rawPath(folder));
    const [type, id] = run('stat', '-f', '-c', '%t %i', folder).trim().split(' ');
    expect(found.type.toString(16)).toBe(type);
    expect(found.id.split('-')[1]).toMatch(/^[0-9a-f]{16}$/);
    expect(BigInt(`0x${id}`)).not.toBe(0n);
    expect(fileSystemOf(rawPath(join(folder, 'link')))).toEqual(found);
    expect(fileSystemOf(rawPath('/proc')).id).not.toBe(found.id);
    expect(() => fileSystemOf(rawPath(join(folder, 'absent')))).toThrow(/ENOENT/);
  });
});

describe('Owners', () => {
  it('knows the names and numbers that the system knows', () => {
    const owners = new Owners();
    const lines = (register: string) =>
      run('getent', register)
        .trim()
        .split('\n')
        .map((line) => line.split(':'));
    for (const [name, , id] of lines('passwd')) {
      expect(owners.uidOf(name!)).toBe(Number(id));
      expect(owners.uidOf(owners.userName(Number(id))!)).toBe(Number(id));
    }
    for (const [name, , id] of lines('group')) {
      expect(owners.gidOf(name!)).toBe(Number(id));
      expect(owners.gidOf(owners.groupName(Number(id))!)).toBe(Number(id));
    }
    expect([owners.userName(0), owners.groupName(0)]).toEqual(['root', 'root']);
    expect([owners.userName(4_000_000_001), owners.uidOf('no such user'), owners.gidOf('')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});
