import {
  closeSync,
  existsSync,
  fstatSync,
  ftruncateSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { describe, expect, it } from 'vitest';
import {
  commit,
  createTemporary,
  discard,
  existingType,
  FileError,
  hardLink,
  makeFolder,
  makeSpecial,
  makeSymlink,
  openFolder,
  openTarget,
  rawPath,
  removeLeftovers,
  type TargetFolder,
} from '../../dist/fs/index.js';
import { asNobody, bytes, isRoot, run, scratchFolder } from './scratch.js';

function restoreFile(folder: TargetFolder, name: string, content: string): boolean {
  const file = createTemporary(folder);
  writeSync(file.fd, content);
  const named = commit(folder, file, name);
  if (named) closeSync(file.fd);
  else discard(folder, file);
  return named;
}

const refusal = (pattern: RegExp) =>
  expect.objectContaining({ code: 'target', message: expect.stringMatching(pattern) });

describe('openTarget', () => {
  it('creates what is missing and says so', () => {
    const path = rawPath(join(scratchFolder(), 'a', 'b', 'c'));
    const first = openTarget(path);
    expect(first.created).toBe(true);
    const second = openTarget(path);
    expect(second.created).toBe(false);
    for (const each of [first, second]) {
      expect(statSync(path).ino).toBe(fstatSync(each.fd).ino);
      each.close();
    }
  });

  it('follows a symlink that the user named, and refuses a file', () => {
    const folder = scratchFolder();
    mkdirSync(join(folder, 'real'));
    symlinkSync('real', join(folder, 'link'));
    const target = openTarget(rawPath(join(folder, 'link')));
    restoreFile(target, 'f', 'x');
    target.close();
    expect(readdirSync(join(folder, 'real'))).toEqual(['f']);
    expect(() => openTarget(rawPath(join(folder, 'real', 'f')))).toThrow(refusal(/ENOTDIR/));
    expect(() => openTarget(rawPath(join(folder, 'real', 'f', 'below')))).toThrow(refusal(/ENOTDIR/));
  });

  it('takes a path of more than 4096 bytes', () => {
    const path = join(scratchFolder(), ...Array.from({ length: 18 }, (_, i) => `${i}`.padEnd(250, 'x')));
    const target = openTarget(rawPath(path));
    expect(target.created).toBe(true);
    expect(restoreFile(target, 'f', 'deep')).toBe(true);
    expect(readFileSync(target.path('f'), 'utf8')).toBe('deep');
    target.close();
    const again = openTarget(rawPath(path));
    expect([again.created, existingType(again, 'f')]).toEqual([false, 'file']);
    again.close();
  });
});

describe('a folder of the target', () => {
  it('rejects names that lead elsewhere, before anything is done', () => {
    const folder = scratchFolder();
    mkdirSync(join(folder, 'target'));
    const target = openTarget(rawPath(join(folder, 'target')));
    for (const name of ['', '.', '..', 'a/b', '../x', '/etc', 'a\0', 'n'.repeat(256)]) {
      const format = expect.objectContaining({ code: 'format' });
      expect(() => makeFolder(target, name)).toThrow(format);
      expect(() => restoreFile(target, name, 'x')).toThrow(format);
      expect(() => makeSymlink(target, name, 'x')).toThrow(format);
      expect(() => makeSpecial(target, name, 'fifo')).toThrow(format);
      expect(() => hardLink(target, 'a', target, name)).toThrow(format);
      expect(() => hardLink(target, name, target, 'a')).toThrow(format);
      expect(() => target.path(name)).toThrow(format);
    }
    expect(readdirSync(folder)).toEqual(['target']);
    expect(readdirSync(join(folder, 'target')).filter((name) => !name.startsWith('.cbr-'))).toEqual([]);
    target.close();
  });

  it('is never entered through a symlink', () => {
    const folder = scratchFolder();
    mkdirSync(join(folder, 'outside'));
    mkdirSync(join(folder, 'target'));
    symlinkSync('../outside', join(folder, 'target', 'trap'));
    writeFileSync(join(folder, 'target', 'file'), '');
    const target = openTarget(rawPath(join(folder, 'target')));
    expect(() => makeFolder(target, 'trap')).toThrow(refusal(/symlink.*remove it/));
    expect(() => openFolder(target, 'trap')).toThrow(refusal(/symlink/));
    expect(() => makeFolder(target, 'file')).toThrow(refusal(/is a file/));
    expect(() => openFolder(target, 'absent')).toThrow(refusal(/ENOENT/));
    expect(existingType(target, 'trap')).toBe('symlink');
    target.close();
    expect(readdirSync(join(folder, 'outside'))).toEqual([]);
  });

  it('stays the same folder when a symlink takes its place', () => {
    const folder = scratchFolder();
    mkdirSync(join(folder, 'outside'));
    const target = openTarget(rawPath(join(folder, 'target')));
    const sub = makeFolder(target, 'sub');
    renameSync(join(folder, 'target', 'sub'), join(folder, 'moved'));
    symlinkSync('../outside', join(folder, 'target', 'sub'));
    expect(restoreFile(sub, 'f', 'x')).toBe(true);
    makeFolder(sub, 'd').close();
    makeSymlink(sub, 'l', 'x');
    makeSpecial(sub, 'p', 'fifo');
    hardLink(sub, 'f', sub, 'f2');
    expect(readdirSync(join(folder, 'outside'))).toEqual([]);
    expect(readdirSync(join(folder, 'moved')).sort()).toEqual(['d', 'f', 'f2', 'l', 'p']);
    sub.close();
    target.close();
  });

  it('is reached from other threads', async () => {
    const target = openTarget(rawPath(scratchFolder()));
    const code = `
      const { parentPort, workerData } = require('node:worker_threads');
      import(workerData.module).then((fs) => {
        const folder = fs.TargetFolder.from(workerData.handle);
        const file = fs.createTemporary(folder);
        require('node:fs').writeSync(file.fd, 'from a thread');
        parentPort.postMessage(fs.commit(folder, file, 'f'));
        require('node:fs').closeSync(file.fd);
      });`;
    const module = new URL('../../dist/fs/index.js', import.meta.url).href;
    const worker = new Worker(code, { eval: true, workerData: { module, handle: target.handle() } });
    const named = await new Promise((resolve, reject) => worker.on('message', resolve).on('error', reject));
    expect(named).toBe(true);
    expect(readFileSync(target.path('f'), 'utf8')).toBe('from a thread');
    await worker.terminate();
    target.close();
  });
});

describe('a restored file', () => {
  it('appears under its name only when it is committed, with any bytes as name', () => {
    const folder = scratchFolder();
    const target = openTarget(rawPath(folder));
    for (const name of ['plain', '\xff\xfe', 'line\nbreak', 'n'.repeat(255), '-rf', ' ']) {
      const file = createTemporary(target);
      expect(fstatSync(file.fd).mode & 0o777).toBe(0o600);
      writeSync(file.fd, name, 0, 'latin1');
      expect(existsSync(target.path(name))).toBe(false);
      expect(commit(target, file, name)).toBe(true);
      closeSync(file.fd);
      expect(readFileSync(bytes(`${folder}/${name}`), 'latin1')).toBe(name);
    }
    expect(readdirSync(folder, 'latin1')).toHaveLength(6);
    target.close();
  });

  it('never replaces anything', () => {
    const folder = scratchFolder();
    const target = openTarget(rawPath(folder));
    writeFileSync(join(folder, 'file'), 'kept');
    mkdirSync(join(folder, 'folder'));
    writeFileSync(join(folder, 'victim'), 'kept');
    symlinkSync('victim', join(folder, 'link'));
    symlinkSync('absent', join(folder, 'dangling'));
    for (const name of ['file', 'folder', 'link', 'dangling']) {
      expect(restoreFile(target, name, 'new')).toBe(false);
      expect(makeSymlink(target, name, 'new')).toBe(false);
      expect(makeSpecial(target, name, 'socket')).toBe(false);
      expect(hardLink(target, 'victim', target, name)).toBe(false);
    }
    expect(readFileSync(join(folder, 'file'), 'utf8')).toBe('kept');
    expect(readFileSync(join(folder, 'victim'), 'utf8')).toBe('kept');
    expect(existsSync(join(folder, 'absent'))).toBe(false);
    expect(readdirSync(folder).sort()).toEqual(['dangling', 'file', 'folder', 'link', 'victim']);
    target.close();
  });

  it('is named the same way where it needs a temporary name, and by an ordinary user', () => {
    const folder = scratchFolder();
    run('chmod', '777', folder);
    asNobody(() => {
      const target = openTarget(rawPath(folder));
      expect(restoreFile(target, 'f', 'nameless')).toBe(true);
      const temporaryName = '.cbr-0123456789abcdef.tmp';
      const file = { fd: openSync(target.path(temporaryName), 'wx+'), temporaryName };
      writeSync(file.fd, 'named');
      expect(commit(target, file, 'f')).toBe(false);
      expect(readFileSync(join(folder, 'f'), 'utf8')).toBe('nameless');
      expect(commit(target, file, '\xff')).toBe(true);
      expect(readdirSync(folder, 'latin1').sort()).toEqual(['f', '\xff']);
      closeSync(file.fd);
      const other = { fd: openSync(target.path(temporaryName), 'wx+'), temporaryName };
      discard(target, other);
      expect(readdirSync(folder)).toHaveLength(2);
      target.close();
    });
  });

  it('may have holes', () => {
    const target = openTarget(rawPath(scratchFolder()));
    const file = createTemporary(target);
    writeSync(file.fd, Buffer.alloc(4096, 7), 0, 4096, 3 * 2 ** 30);
    ftruncateSync(file.fd, 6 * 2 ** 30);
    expect(commit(target, file, 'sparse')).toBe(true);
    closeSync(file.fd);
    const found = lstatSync(target.path('sparse'));
    expect([found.size, found.blocks < 64]).toEqual([6 * 2 ** 30, true]);
    target.close();
  });

  it('leaves nothing when it is discarded, and what a killed restore left goes', () => {
    const folder = scratchFolder();
    const target = openTarget(rawPath(folder));
    discard(target, createTemporary(target));
    expect(readdirSync(folder)).toEqual([]);
    for (let i = 0; i < 3; i++) writeFileSync(join(folder, `.cbr-0123456789abcde${i}.tmp`), 'half');
    const kept = ['.cbr-x.tmp', '.cbr-0123456789abcdef.tmp.txt', 'a.tmp', '.cbr-0123456789abcdee.tmp'];
    for (const name of kept.slice(0, 3)) writeFileSync(join(folder, name), '');
    mkdirSync(join(folder, kept[3]!));
    expect(removeLeftovers(target)).toBe(3);
    expect(readdirSync(folder).sort()).toEqual([...kept].sort());
    target.close();
  });

  it('does not inherit the ACL of the folder it is restored to', () => {
    const folder = scratchFolder();
    run('setfacl', '-d', '-m', 'u:1234:rwx', folder);
    const target = openTarget(rawPath(folder));
    restoreFile(target, 'f', 'x');
    const sub = makeFolder(target, 'sub');
    restoreFile(sub, 'f', 'x');
    makeSpecial(target, 'fifo', 'fifo');
    expect(run('getfacl', '-R', '-s', '-p', folder).match(/^# file: .*/gm)).toEqual([`# file: ${folder}`]);
    sub.close();
    target.close();
  });
});

describe('other entries', () => {
  it('are symlinks with raw targets, hard links, fifos, sockets and devices', () => {
    const folder = scratchFolder();
    const target = openTarget(rawPath(folder));
    const sub = makeFolder(target, 'sub');
    expect(makeSymlink(target, '\xfelink', '\xff/../\n')).toBe(true);
    expect(readlinkSync(bytes(`${folder}/\xfelink`), 'latin1')).toBe('\xff/../\n');
    restoreFile(target, 'f', 'x');
    expect(hardLink(target, 'f', sub, 'g')).toBe(true);
    expect(hardLink(target, '\xfelink', sub, 'l')).toBe(true);
    expect(lstatSync(join(folder, 'sub', 'g')).ino).toBe(lstatSync(join(folder, 'f')).ino);
    expect(lstatSync(join(folder, 'sub', 'l')).nlink).toBe(2);
    expect(makeSpecial(target, 'fifo', 'fifo')).toBe(true);
    expect(makeSpecial(target, 'socket', 'socket')).toBe(true);
    expect(existingType(target, 'fifo')).toBe('fifo');
    expect(existingType(target, 'socket')).toBe('socket');
    expect(existingType(target, 'absent')).toBeUndefined();
    const device = { major: 4095, minor: 0xfffff };
    if (isRoot) {
      expect(makeSpecial(target, 'block', 'block device', device)).toBe(true);
      expect(makeSpecial(target, 'char', 'character device', { major: 1, minor: 3 })).toBe(true);
      expect(run('stat', '-c', '%F %t:%T', join(folder, 'block'), join(folder, 'char'))).toBe(
        'block special file fff:fffff\ncharacter special file 1:3\n',
      );
    }
    asNobody(() => {
      const own = openTarget(rawPath(folder));
      expect(() => makeSpecial(own, 'device', 'block device', device)).toThrow(
        refusal(/block device.*(EPERM|EACCES)/),
      );
      own.close();
    });
    sub.close();
    target.close();
  });

  it('fail with an error that names them', () => {
    const target = openTarget(rawPath(scratchFolder()));
    const sub = makeFolder(target, '\xff');
    let caught: unknown;
    try {
      hardLink(sub, 'absent', target, 'x');
    } catch (error) {
      caught = error;
    }
    expect(caught).toBeInstanceOf(FileError);
    expect(caught).toMatchObject({ code: 'target', errno: 'ENOENT', path: target.locate('x') });
    sub.close();
    target.close();
  });
});
