import { mkdirSync, readdirSync, symlinkSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { listFolder, missingAbilities, rawPath } from '../../dist/fs/index.js';
import { lacking } from './lacking.js';
import { run, scratchFolder } from './scratch.js';

const MODULE = new URL('../../dist/fs/index.js', import.meta.url).href;

const withoutKoffi = (code: string): unknown => lacking(['koffi'], code);

describe('without native code', () => {
  it('stats to the same bytes', () => {
    expect(missingAbilities()).toEqual([]);
    const folder = scratchFolder();
    writeFileSync(join(folder, 'file'), 'content');
    run('touch', '-d', '1950-01-02 03:04:05.123456789Z', join(folder, 'file'));
    mkdirSync(join(folder, 'sub'));
    symlinkSync('x', join(folder, 'link'));
    truncateSync(join(folder, 'file'), 2 ** 33 + 5);
    run('mkfifo', join(folder, 'fifo'));
    const quoted = JSON.stringify(folder);
    const found = withoutKoffi(`
      const { names, stats } = fs.listFolder(fs.rawPath(${quoted}));
      const devices = fs.listFolder(fs.rawPath('/dev'));
      return {
        rows: names.map((name, i) => [name, stats.rowBytes(i).toString('hex')]),
        null: devices.stats.rowBytes(devices.names.indexOf('null')).toString('hex'),
        missing: fs.missingAbilities().length,
      };`);
    const { names, stats } = listFolder(rawPath(folder));
    const devices = listFolder(rawPath('/dev'));
    // Only statx tells flags: of the marks of a row, the birth time's remains.
    const rowOf = (table: typeof stats, row: number): string => {
      const copy = Buffer.from(table.rowBytes(row));
      copy.writeUInt32LE(copy.readUInt32LE(84) & 1, 84);
      return copy.toString('hex');
    };
    expect(found).toEqual({
      rows: names.map((name, i) => [name, rowOf(stats, i)]),
      null: rowOf(devices.stats, devices.names.indexOf('null')),
      missing: expect.any(Number),
    });
    expect((found as { missing: number }).missing).toBeGreaterThan(0);
  });

  it('still restores files, folders, symlinks, modes and times to the microsecond, and names the rest', () => {
    const folder = scratchFolder();
    const quoted = JSON.stringify(folder);
    const found = withoutKoffi(`
      const problems = [];
      const writer = new fs.MetadataWriter(new fs.Owners(), problems);
      const target = fs.openTarget(fs.rawPath(${quoted}));
      const metadata = {
        type: 'file', mode: 0o640, uid: process.getuid(), gid: process.getgid(),
        mtime: { seconds: 1700000000, nanoseconds: 123456789 },
        xattrs: [{ name: 'user.k', value: new Uint8Array(1) }],
      };
      const file = fs.createTemporary(target);
      const fd = file.fd;
      const temporary = file.temporaryName;
      writer.applyToFd(fd, target.locate('f'), metadata);
      writer.setFlagsOfFd(fd, target.locate('f'), 0x40);
      const named = fs.commit(target, file, 'f');
      const second = fs.createTemporary(target);
      const again = fs.commit(target, second, 'f');
      fs.discard(target, second);
      fs.createTemporary(target);
      const leftovers = fs.removeLeftovers(target);
      const sub = fs.makeFolder(target, 'sub');
      fs.makeSymlink(target, 'link', 'f');
      writer.applyToEntry(target, 'link', { ...metadata, type: 'symlink', xattrs: [] });
      let special;
      try { fs.makeSpecial(target, 'fifo', 'fifo'); } catch (error) { special = error.message; }
      const extents = fs.dataExtents(fd, 10);
      const owners = new fs.Owners();
      return { temporary, named, again, leftovers, special, extents, problems: problems.map((each) => each.path.slice(${folder.length + 1}) + ': ' + each.what),
        root: [owners.userName(0), owners.uidOf('root'), owners.groupName(0), owners.gidOf('root')],
        type: fs.fileSystemOf(fs.rawPath(${quoted})).type, xattrs: fs.readXattrs(fd, target.location, problems) };`);
    expect(found).toEqual({
      temporary: expect.stringMatching(/^\.cbr-[0-9a-f]{16}\.tmp$/),
      named: true,
      again: false,
      leftovers: 1,
      special: expect.stringContaining('not possible on this machine'),
      extents: [{ start: 0, end: 10 }],
      problems: ['f: xattr user.k', 'f: times', 'f: flags', 'link: times'],
      root: ['root', 0, 'root', 0],
      type: Number.parseInt(run('stat', '-f', '-c', '%t', folder), 16),
      xattrs: [],
    });
    expect(readdirSync(folder).sort()).toEqual(['f', 'link', 'sub']);
    expect(run('stat', '-c', '%a %.6Y', join(folder, 'f'))).toBe('640 1700000000.123456\n');
    expect(run('stat', '-c', '%.6Y', join(folder, 'link'))).toBe('1700000000.123456\n');
  });

  it('is loaded only when it is used', () => {
    const loaded = run(
      process.execPath,
      '--input-type=module',
      '-e',
      `const fs = await import(${JSON.stringify(MODULE)});
       const has = () => Object.keys((await_require()).cache).filter((path) => /koffi|ignore/.test(path)).length > 0;
       import { createRequire } from 'node:module';
       const require = createRequire(${JSON.stringify(MODULE)});
       function await_require() { return require; }
       const before = has();
       fs.listFolder(fs.rawPath('/'));
       process.stdout.write(JSON.stringify([before, has()]));`,
    );
    expect(JSON.parse(loaded)).toEqual([false, true]);
  });
});
