import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  closeSync,
  mkdirSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import {
  FileError,
  type Follow,
  joinRaw,
  listFolder,
  makeFolder,
  openSource,
  openSourceFolder,
  openTarget,
  type Problem,
  pathWithoutSymlinks,
  type RawPath,
  rawPath,
  readLink,
  readXattrsOfPath,
} from '../../dist/fs/index.js';
import { type Lack, lacking } from './lacking.js';
import { asNobody, bytes, descriptorsBelow, run, scratchFolder } from './scratch.js';

const SWAPPED = /a symlink stands in its place.*ELOOP/;

/** A source with a folder in a folder, and a folder outside that has what the inner one has, and a secret. */
function sourceAndOutside(): { root: string; source: RawPath; at: (...names: string[]) => RawPath } {
  const root = scratchFolder();
  for (const folder of ['source/a/b', 'outside/b']) {
    mkdirSync(join(root, folder), { recursive: true });
    writeFileSync(join(root, folder, 'file'), folder);
    symlinkSync(`to ${folder}`, join(root, folder, 'link'));
    run('setfattr', '-n', 'user.of', '-v', folder, join(root, folder, 'file'));
  }
  writeFileSync(join(root, 'outside/secret'), 'secret');
  writeFileSync(join(root, 'outside/b/secret'), 'secret');
  return { root, source: rawPath(join(root, 'source')), at: (...names) => rawPath(join(root, ...names)) };
}

function contentOf(path: RawPath, follow: Follow): string {
  const fd = openSource(path, undefined, follow);
  try {
    const read = Buffer.alloc(100);
    return read.toString('latin1', 0, readSync(fd, read, 0, 100, 0));
  } finally {
    closeSync(fd);
  }
}

describe('below the root of a source', () => {
  it('a folder swapped for a symlink since it was listed is not followed, and neither is one above', () => {
    const { root, source, at } = sourceAndOutside();
    const { names, stats } = listFolder(source, undefined, 'none');
    expect([names, stats.type(0)]).toEqual([['a'], 'directory']);
    expect(listFolder(at('source/a/b'), undefined, 'none').names).toEqual(['file', 'link']);
    expect(contentOf(at('source/a/b/file'), 'none')).toBe('source/a/b');

    renameSync(join(root, 'source/a'), join(root, 'source/was a'));
    symlinkSync(join(root, 'outside'), join(root, 'source/a'));
    // What the user names is his own affair.
    expect(listFolder(at('source/a/b')).names).toContain('secret');
    expect(contentOf(at('source/a/b/secret'), 'above')).toBe('secret');
    for (const path of ['source/a', 'source/a/b']) {
      expect(() => listFolder(at(path), undefined, 'none')).toThrow(SWAPPED);
      expect(() => openSourceFolder(at(path), 'none')).toThrow(SWAPPED);
    }
    expect(() => listFolder(at('source/a'))).toThrow(FileError);
    for (const name of ['secret', 'b/file']) {
      expect(() => openSource(at('source/a', name), undefined, 'none')).toThrow(SWAPPED);
    }
    expect(() => readLink(at('source/a/b/link'), 'none')).toThrow(SWAPPED);
    const problems: Problem[] = [];
    expect(readXattrsOfPath(at('source/a/b/file'), problems, 'none')).toEqual([]);
    expect(problems).toEqual([
      { path: at('source/a/b/file'), what: 'xattrs', reason: expect.stringMatching(SWAPPED) },
    ]);
    try {
      listFolder(at('source/a'), undefined, 'none');
    } catch (error) {
      expect(error).toMatchObject({ code: 'source', errno: 'ELOOP', path: at('source/a') });
    }

    // A folder in the place of another one is as good as the one before.
    rmSync(join(root, 'source/a'));
    mkdirSync(join(root, 'source/a'));
    writeFileSync(join(root, 'source/a/new'), 'x');
    expect(listFolder(at('source/a'), undefined, 'none').names).toEqual(['new']);
    expect(() => listFolder(at('source/a/b'), undefined, 'none')).toThrow(/ENOENT/);
    expect(descriptorsBelow(root)).toBe(0);
  });

  it('nothing outside is ever seen while folders are swapped all the time', async () => {
    const { root, at } = sourceAndOutside();
    const script = `const fs = require('node:fs');
      process.chdir(${JSON.stringify(join(root, 'source'))});
      fs.symlinkSync(${JSON.stringify(join(root, 'outside'))}, 'link');
      console.log('started');
      for (;;) { fs.renameSync('a', 'was a'); fs.renameSync('link', 'a'); fs.renameSync('a', 'link'); fs.renameSync('was a', 'a'); }`;
    const child = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
    await once(child.stdout, 'data');
    const seen = { inside: 0, refused: 0, absent: 0 };
    const look = (action: () => string, inside: string): void => {
      try {
        expect(action()).toBe(inside);
        seen.inside++;
      } catch (error) {
        if (!(error instanceof FileError)) throw error;
        if (error.errno === 'ELOOP') seen.refused++;
        else seen.absent++;
        expect(['ELOOP', 'ENOENT']).toContain(error.errno);
      }
    };
    const isDone = (): boolean => Object.values(seen).every((count) => count > 20);
    try {
      for (let round = 0; round < 30_000 && !(round > 500 && isDone()); round++) {
        look(() => listFolder(at('source/a/b'), undefined, 'none').names.join(), 'file,link');
        look(() => contentOf(at('source/a/b/file'), 'none'), 'source/a/b');
        look(() => readLink(at('source/a/b/link'), 'none'), 'to source/a/b');
        for (const { value } of readXattrsOfPath(at('source/a/b/file'), [], 'none')) {
          expect(Buffer.from(value).toString()).toBe('source/a/b');
        }
      }
    } finally {
      child.kill('SIGKILL');
      await once(child, 'close');
    }
    expect(seen).toEqual({
      inside: expect.any(Number),
      refused: expect.any(Number),
      absent: expect.any(Number),
    });
    expect(isDone()).toBe(true);
  });

  it('is reached through symlinks of the user, names that are not UTF-8, and paths beyond 4096 bytes', () => {
    const { root, at } = sourceAndOutside();
    symlinkSync('source', join(root, 'way'));
    expect(pathWithoutSymlinks(at('way/a/b'))).toBe(at('source/a/b'));
    expect(() => listFolder(at('way/a/b'), undefined, 'none')).toThrow(SWAPPED);
    expect(listFolder(pathWithoutSymlinks(at('way/a')), undefined, 'none').names).toEqual(['b']);
    // The last name is not followed, or a swapped root would be.
    expect(pathWithoutSymlinks(at('way'))).toBe(at('way'));
    expect(pathWithoutSymlinks(rawPath('/'))).toBe('/');
    expect(pathWithoutSymlinks(rawPath('/etc'))).toBe('/etc');
    expect(pathWithoutSymlinks(at('absent/x'))).toBe(at('absent/x'));
    expect(listFolder(rawPath('/'), undefined, 'none').names).toContain('etc');

    const opened = [openTarget(at('source/a'))];
    for (let i = 0; i < 40; i++) opened.push(makeFolder(opened.at(-1)!, `\xe9${i}-`.padEnd(250, 'd')));
    const deepest = opened.at(-1)!;
    writeFileSync(deepest.path('\xff'), 'deep');
    symlinkSync(bytes('\xfe'), deepest.path('link'));
    writeFileSync(deepest.path('f'), '');
    run('setfattr', '-n', 'user.k', '-v', 'v', `/proc/${process.pid}/fd/${deepest.fd}/f`);
    const through = pathWithoutSymlinks(
      joinRaw(deepest.location, '\xff').replace('/source/', '/way/') as RawPath,
    );
    expect(through).toBe(joinRaw(deepest.location, '\xff'));
    expect(through.length).toBeGreaterThan(10_000);
    for (const each of opened)
      expect(listFolder(each.location, undefined, 'none').names.length).toBeGreaterThan(0);
    expect(contentOf(through, 'none')).toBe('deep');
    expect(readLink(joinRaw(deepest.location, 'link'), 'none')).toBe('\xfe');
    expect(readXattrsOfPath(joinRaw(deepest.location, 'f'), [], 'none').map((each) => each.name)).toEqual([
      'user.k',
    ]);
    expect(() => openSource(joinRaw(deepest.location, 'n'.repeat(300)), undefined, 'none')).toThrow(
      /ENAMETOOLONG/,
    );
    expect(() => openSource(joinRaw(deepest.location, 'n'.repeat(9000)), undefined, 'none')).toThrow(
      /ENAMETOOLONG/,
    );
    const before = descriptorsBelow(root);
    for (let i = 0; i < 10; i++)
      expect(() => openSource(joinRaw(through, 'x'), undefined, 'none')).toThrow(/ENOTDIR/);
    expect(descriptorsBelow(root)).toBe(before);
    // Far above, where the path is opened in several steps.
    renameSync(opened[5]!.path('\xe95-'.padEnd(250, 'd')), join(root, 'moved'));
    symlinkSync(join(root, 'moved'), opened[5]!.path('\xe95-'.padEnd(250, 'd')));
    const moved = descriptorsBelow(root);
    expect(contentOf(through, 'above')).toBe('deep');
    expect(() => contentOf(through, 'none')).toThrow(SWAPPED);
    expect(() => listFolder(deepest.location, undefined, 'none')).toThrow(SWAPPED);
    expect(descriptorsBelow(root)).toBe(moved);
    for (const each of opened) each.close();
  });

  it('says the same of what may not be read as anywhere else', () => {
    const { root, at } = sourceAndOutside();
    chmodSync(join(root, 'source/a/b/file'), 0);
    chmodSync(join(root, 'source/a/b'), 0o311);
    const errors = (follow: Follow): string[] =>
      [
        () => listFolder(at('source/a/b'), undefined, follow),
        () => openSource(at('source/a/b/file'), undefined, follow),
        () => listFolder(at('source/absent'), undefined, follow),
        () => listFolder(at('source/a/b/file'), undefined, follow),
      ].map((action) => {
        try {
          asNobody<unknown>(action);
        } catch (error) {
          return (error as FileError).message;
        }
        throw new Error('no error');
      });
    expect(errors('none')).toEqual([
      `cannot read the folder ${at('source/a/b')}: permission denied (EACCES)`,
      `cannot read ${at('source/a/b/file')}: permission denied (EACCES)`,
      `cannot read the folder ${at('source/absent')}: no such file or directory (ENOENT)`,
      `cannot read the folder ${at('source/a/b/file')}: not a directory (ENOTDIR)`,
    ]);
    expect(errors('none')).toEqual(errors('above'));
  });

  it.each<[string, Lack[]]>([
    ['openat2', ['openat2']],
    ['native code', ['koffi']],
    ['native code and descriptor paths', ['koffi', 'descriptor paths']],
    ['openat2 and descriptor paths', ['openat2', 'descriptor paths']],
  ])('holds without %s', (_, lacks) => {
    const { root, at } = sourceAndOutside();
    const code = `
      const at = (path) => fs.rawPath(${JSON.stringify(root)} + '/' + path);
      const attempt = (action) => { try { return action(); } catch (error) { return error.errno + ' ' + error.reason; } };
      const look = (path) => ({
        list: attempt(() => fs.listFolder(at(path), undefined, 'none').names),
        sizes: attempt(() => { const { names, stats } = fs.listFolder(at(path), undefined, 'none'); return names.map((_, i) => stats.size(i)); }),
        file: attempt(() => { const fd = fs.openSource(at(path + '/file'), undefined, 'none'); const text = nodeFs.readFileSync(fd, 'utf8'); nodeFs.closeSync(fd); return text; }),
        link: attempt(() => fs.readLink(at(path + '/link'), 'none')),
        absent: attempt(() => fs.openSource(at(path + '/absent'), undefined, 'none')),
      });
      const before = look('source/a/b');
      nodeFs.renameSync(at('source/a'), at('source/was a'));
      nodeFs.symlinkSync(at('outside'), at('source/a'));
      const open = nodeFs.readdirSync('/proc/self/fd').length;
      const after = look('source/a/b');
      const leaked = nodeFs.readdirSync('/proc/self/fd').length - open;
      return { before, after, itself: attempt(() => fs.listFolder(at('source/a'), undefined, 'none')), leaked,
        root: fs.listFolder(fs.rawPath('/'), undefined, 'none').names.includes('etc') };`;
    const refused = expect.stringMatching(/^ELOOP a symlink stands/);
    expect(lacking(lacks, code)).toEqual({
      before: {
        list: ['file', 'link'],
        sizes: ['source/a/b'.length, 'to source/a/b'.length],
        file: 'source/a/b',
        link: 'to source/a/b',
        absent: 'ENOENT no such file or directory (ENOENT)',
      },
      after: {
        list: refused,
        sizes: refused,
        file: refused,
        link: refused,
        // Nothing of that name is outside either; that may be said.
        absent: expect.stringMatching(/^(?:ELOOP|ENOENT)/),
      },
      // The last one is refused in any case, in words of the kernel.
      itself: expect.stringMatching(/^(?:ELOOP|ENOTDIR)/),
      leaked: 0,
      root: true,
    });
    expect(listFolder(at('outside')).names).toEqual(['b', 'secret']);
  });
});
