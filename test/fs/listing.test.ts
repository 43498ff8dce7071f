import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  FileError,
  joinRaw,
  listFolder,
  makeFolder,
  makeSpecial,
  openTarget,
  rawPath,
  STAT_CHANGE_BYTES,
  STAT_ROW_BYTES,
  StatTable,
  statPath,
  toNodePath,
} from '../../dist/fs/index.js';
import { asNobody, bytes, descriptorsBelow, isRoot, run, scratchFolder } from './scratch.js';

/** One entry of every type, with names that are not easy. */
function everyType(folder: string): void {
  writeFileSync(join(folder, 'file'), 'content');
  chmodSync(join(folder, 'file'), 0o4751);
  linkSync(join(folder, 'file'), join(folder, 'second name'));
  mkdirSync(join(folder, 'folder'));
  symlinkSync('nowhere', join(folder, 'symlink'));
  writeFileSync(bytes(`${folder}/\xff\xfe`), '');
  writeFileSync(bytes(`${folder}/line\nbreak`), '1');
  writeFileSync(bytes(`${folder}/${'\xc3\xa9'.repeat(127)}x`), '22');
  writeFileSync(join(folder, 'sparse'), '');
  truncateSync(join(folder, 'sparse'), 5 * 2 ** 32 + 1);
  run('touch', '-d', '1905-02-03 04:05:06.789012345Z', join(folder, 'old'));
  const target = openTarget(rawPath(folder));
  makeSpecial(target, 'fifo', 'fifo');
  makeSpecial(target, 'socket', 'socket');
  if (isRoot) {
    makeSpecial(target, 'char', 'character device', { major: 4095, minor: 0xabcde });
    makeSpecial(target, 'block', 'block device', { major: 8, minor: 300 });
    chownSync(join(folder, 'old'), 70_000, 4_000_000_000);
  }
  target.close();
}

describe('listFolder', () => {
  it('tells of every entry what lstat tells, sorted by bytes', () => {
    const folder = scratchFolder();
    everyType(folder);
    const { names, stats, vanished, failed } = listFolder(rawPath(folder));
    expect([...names]).toEqual([...names].sort((a, b) => Buffer.compare(bytes(a), bytes(b))));
    expect(names).toContain('\xff\xfe');
    expect(names).toContain('line\nbreak');
    expect(names.filter((name) => name.length === 255)).toHaveLength(1);
    expect(names).toHaveLength(isRoot ? 13 : 11);
    expect(vanished).toEqual([]);
    expect(failed).toEqual([]);
    expect(stats.count).toBe(names.length);
    for (const [i, name] of names.entries()) {
      const found = lstatSync(toNodePath(joinRaw(rawPath(folder), name)), { bigint: true });
      expect(stats.fullMode(i)).toBe(Number(found.mode));
      expect(stats.mode(i)).toBe(Number(found.mode & 0o7777n));
      expect(stats.nlink(i)).toBe(Number(found.nlink));
      expect([stats.uid(i), stats.gid(i)]).toEqual([Number(found.uid), Number(found.gid)]);
      expect(stats.ino(i)).toBe(found.ino);
      expect(bytes(stats.inodeKey(i)).readBigUInt64LE()).toBe(found.ino);
      expect(stats.size(i)).toBe(Number(found.size));
      expect(stats.blocks(i)).toBe(Number(found.blocks));
      expect(BigInt(stats.mtimeSeconds(i)) * 10n ** 9n + BigInt(stats.mtimeNanoseconds(i))).toBe(
        found.mtimeNs,
      );
      expect(BigInt(stats.ctimeSeconds(i)) * 10n ** 9n + BigInt(stats.ctimeNanoseconds(i))).toBe(
        found.ctimeNs,
      );
      if (stats.hasBirthTime(i)) {
        expect(BigInt(stats.birthSeconds(i)) * 10n ** 9n + BigInt(stats.birthNanoseconds(i))).toBe(
          found.birthtimeNs,
        );
      }
    }
    const row = (name: string) => names.indexOf(name);
    expect(stats.type(row('file'))).toBe('file');
    expect(stats.mode(row('file'))).toBe(0o4751);
    expect(stats.nlink(row('second name'))).toBe(2);
    expect(stats.type(row('folder'))).toBe('directory');
    expect(stats.type(row('symlink'))).toBe('symlink');
    expect(stats.type(row('fifo'))).toBe('fifo');
    expect(stats.type(row('socket'))).toBe('socket');
    expect(stats.size(row('sparse'))).toBe(5 * 2 ** 32 + 1);
    expect(stats.mtimeSeconds(row('old'))).toBeLessThan(-(2 ** 30));
    expect(stats.mtimeNanoseconds(row('old'))).toBe(789_012_345);
    if (isRoot) {
      expect(stats.type(row('char'))).toBe('character device');
      expect([stats.rdevMajor(row('char')), stats.rdevMinor(row('char'))]).toEqual([4095, 0xabcde]);
      expect([stats.rdevMajor(row('block')), stats.rdevMinor(row('block'))]).toEqual([8, 300]);
      expect(run('stat', '-c', '%F %t:%T', join(folder, 'char')).trim()).toBe(
        'character special file fff:abcde',
      );
      expect([stats.uid(row('old')), stats.gid(row('old'))]).toEqual([70_000, 4_000_000_000]);
    }
  });

  it('lays rows out as agreed', () => {
    const folder = scratchFolder();
    writeFileSync(join(folder, 'a'), 'x'.repeat(5000));
    const { stats } = listFolder(rawPath(folder));
    const found = lstatSync(join(folder, 'a'), { bigint: true });
    const row = stats.rowBytes(0);
    expect(row.length).toBe(STAT_ROW_BYTES);
    expect([0, 4, 8, 12].map((at) => row.readUInt32LE(at))).toEqual(
      [found.nlink, found.uid, found.gid, found.mode].map(Number),
    );
    expect([16, 24, 88].map((at) => row.readBigUInt64LE(at))).toEqual([found.ino, found.size, found.blocks]);
    const time = (at: number) => row.readBigInt64LE(at) * 10n ** 9n + BigInt(row.readUInt32LE(at + 8));
    expect([time(32), time(48)]).toEqual([found.ctimeNs, found.mtimeNs]);
    expect([row.readUInt32LE(44), row.readUInt32LE(60)]).toEqual([0, 0]);
    expect([row.readUInt32LE(64), row.readUInt32LE(68)]).toEqual([0, 0]);
    expect(time(72)).toBe(found.birthtimeNs);
    // The birth time is known; whether the flag nodump is, depends on the file system.
    expect(row.readUInt32LE(84) & 1).toBe(1);
    const [major, minor] = [row.readUInt32LE(96), row.readUInt32LE(100)];
    expect(run('stat', '-c', '%Hd %Ld', join(folder, 'a')).trim()).toBe(`${major} ${minor}`);
    expect(stats.device(0)).toBe(major * 2 ** 32 + minor);
  });

  it('uses one table for many folders', () => {
    const folder = scratchFolder();
    for (let i = 0; i < 700; i++) writeFileSync(join(folder, `f${i}`), String(i));
    mkdirSync(join(folder, 'sub'));
    const table = new StatTable(1);
    const first = listFolder(rawPath(folder), table);
    expect(first.stats).toBe(table);
    expect(table.count).toBe(701);
    expect(table.size(first.names.indexOf('f17'))).toBe(2);
    expect(table.size(first.names.indexOf('f699'))).toBe(3);
    expect(listFolder(rawPath(join(folder, 'sub')), table).names).toEqual([]);
    expect(table.count).toBe(0);
  });

  it('sees a change in exactly the bytes that change detection compares', () => {
    const folder = scratchFolder();
    writeFileSync(join(folder, 'a'), 'one');
    const before = listFolder(rawPath(folder)).stats;
    const again = listFolder(rawPath(folder)).stats;
    expect(before.sameAs(0, again, 0)).toBe(true);
    chmodSync(join(folder, 'a'), 0o600);
    const after = listFolder(rawPath(folder)).stats;
    expect(before.sameAs(0, after, 0)).toBe(false);
    const copy = Buffer.alloc(STAT_CHANGE_BYTES + 1);
    before.copyChangeBytes(0, copy, 1);
    expect(copy.subarray(1)).toEqual(before.rowBytes(0).subarray(0, STAT_CHANGE_BYTES));
  });

  it('tells apart a folder that is not there, not readable, or not a folder', () => {
    const folder = scratchFolder();
    writeFileSync(join(folder, 'file'), '');
    mkdirSync(join(folder, 'closed'));
    chmodSync(join(folder, 'closed'), 0);
    const errorOf = (name: string): FileError => {
      try {
        asNobody(() => listFolder(rawPath(join(folder, name))));
      } catch (error) {
        return error as FileError;
      }
      throw new Error('listed');
    };
    for (const [name, errno] of [
      ['absent', 'ENOENT'],
      ['closed', 'EACCES'],
      ['file', 'ENOTDIR'],
    ] as const) {
      const error = errorOf(name);
      expect(error).toBeInstanceOf(FileError);
      expect([error.code, error.errno]).toEqual(['source', errno]);
      expect(error.message).toContain(join(folder, name));
      expect(error.message).toContain(errno);
    }
    expect(() => statPath(rawPath(join(folder, 'absent')), new StatTable())).toThrow(/ENOENT/);
  });

  it('lists names that it may read but not look at as failed', () => {
    const folder = scratchFolder();
    mkdirSync(join(folder, 'sub'));
    writeFileSync(join(folder, 'sub', 'a'), '');
    writeFileSync(join(folder, 'sub', 'b'), '');
    chmodSync(join(folder, 'sub'), 0o444);
    const { names, stats, failed, vanished } = asNobody(() => listFolder(rawPath(join(folder, 'sub'))));
    chmodSync(join(folder, 'sub'), 0o755);
    expect([names, stats.count, vanished]).toEqual([[], 0, []]);
    expect(failed.map((each) => [each.name, each.error.errno])).toEqual([
      ['a', 'EACCES'],
      ['b', 'EACCES'],
    ]);
  });

  it('keeps names and rows together while entries come and go', async () => {
    const folder = scratchFolder();
    for (let i = 0; i < 400; i++) mkdirSync(join(folder, `stays${i}`));
    const script = `const fs = require('node:fs');
      for (let i = 0; i < 2e6; i++) {
        const path = ${JSON.stringify(folder)} + '/goes' + (i % 50);
        fs.writeFileSync(path, ''); fs.unlinkSync(path);
        if (i === 0) console.log('started');
      }`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    let vanishedEver = 0;
    try {
      for (let round = 0; round < 3000 && (round < 50 || vanishedEver === 0); round++) {
        const { names, stats, vanished, failed } = listFolder(rawPath(folder));
        vanishedEver += vanished.length;
        expect(failed).toEqual([]);
        expect(stats.count).toBe(names.length);
        const wrong = names.filter((name, i) => (stats.type(i) === 'directory') !== name.startsWith('stays'));
        expect(wrong).toEqual([]);
        expect(names.filter((name) => name.startsWith('stays'))).toHaveLength(400);
      }
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    expect(vanishedEver).toBeGreaterThan(0);
  });

  it('works below paths of more than 4096 bytes', () => {
    const folder = scratchFolder();
    const opened = [openTarget(rawPath(folder))];
    for (let i = 0; i < 40; i++) opened.push(makeFolder(opened.at(-1)!, `\xe9${i}-`.padEnd(250, 'd')));
    const deepest = opened.at(-1)!;
    writeFileSync(deepest.path('\xff'), 'deep');
    for (const each of opened) {
      const { names, stats } = listFolder(each.location);
      expect(names).toHaveLength(1);
      expect(stats.type(0)).toBe(each === deepest ? 'file' : 'directory');
    }
    const path = joinRaw(deepest.location, '\xff');
    expect(path.length).toBeGreaterThan(10_000);
    const table = new StatTable();
    expect(table.size(statPath(path, table))).toBe(4);
    expect(run('find', folder, '-type', 'f', '-size', '-5c', '-printf', '%d')).toBe('41');
    expect(() => listFolder(joinRaw(deepest.location, 'absent'))).toThrow(/ENOENT/);
    expect(() => statPath(joinRaw(deepest.location, 'n'.repeat(300)), table)).toThrow(/ENAMETOOLONG/);
    expect(readFileSync(deepest.path('\xff'), 'latin1')).toBe('deep');
    const open = descriptorsBelow(folder);
    for (let i = 0; i < 20; i++) statPath(path, table);
    expect(descriptorsBelow(folder)).toBe(open);
    for (const each of opened) each.close();
  });
});
