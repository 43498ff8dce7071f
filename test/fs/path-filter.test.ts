import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileFilter, compileInclude, patternsIn, rawPath } from '../../dist/fs/index.js';
import { bytes, run, scratchFolder } from './scratch.js';

/**
 * Git's answer for real files: which of the paths it ignores under some patterns. A path that ends with '/' is made a
 * folder. (Asked about 'a/' with the slash, check-ignore would match another text than a walk does.)
 */
function gitOver(paths: readonly string[]): (patterns: readonly string[]) => string[] {
  const folder = scratchFolder();
  run('git', 'init', '-q', folder);
  for (const path of paths) {
    const isFolder = path.endsWith('/');
    mkdirSync(bytes(`${folder}/${isFolder ? path : (/^.*\//.exec(path)?.[0] ?? '')}`), { recursive: true });
    if (!isFolder) writeFileSync(bytes(`${folder}/${path}`), '');
  }
  const input = bytes(paths.map((path) => path.replace(/\/$/, '')).join('\0'));
  const parameters = [
    '-C',
    folder,
    '-c',
    'core.ignoreCase=false',
    'check-ignore',
    '--no-index',
    '-z',
    '--stdin',
  ];
  return (patterns) => {
    writeFileSync(join(folder, '.git', 'info', 'exclude'), bytes(`${patterns.join('\n')}\n`));
    const { status, stdout } = spawnSync('git', parameters, { input, encoding: 'latin1' });
    if (status !== 0 && status !== 1) throw new Error(`git ended with ${status}`); // 1: none is ignored
    const ignored = new Set(stdout.split('\0'));
    return paths.filter((path) => ignored.has(path.replace(/\/$/, '')));
  };
}

/** Which of the paths the filter leaves out when a scan walks them from the top. */
function excluded(patterns: readonly string[], paths: readonly string[]): string[] {
  const filter = compileFilter(patterns);
  return paths.filter((path) => filter?.excludes(path.replace(/\/$/, ''), path.endsWith('/')) ?? false);
}

const PATHS = [
  ...[
    'x.pyc',
    'd/x.pyc',
    'keep.pyc',
    'excluded/',
    'excluded/f',
    'd/excluded/',
    'e/excluded',
    'top.txt',
    'd/top.txt',
  ],
  ...['a/m.o', 'a/b/m.o', 'a/x', 'a/b/c/x', 'foo1', 'foo12', 'a.c', 'd/b.c', 'c.c', 'dir/sub/', 'x/dir/sub/'],
  ...[
    'X.PYC',
    '.hidden',
    'd/.hidden',
    '# comment',
    'line\nbreak',
    '!bang',
    'b[1]',
    ' lead',
    'trail ',
    'a\\b',
    '..x',
  ],
];

describe('compileFilter', () => {
  it('means what git means', () => {
    const ignoredByGit = gitOver(PATHS);
    for (const patterns of [
      ['*.pyc', '!keep.pyc'],
      ['excluded/'],
      ['excluded'],
      ['excluded', '!excluded/f'],
      ['excluded/*', '!excluded/f'],
      ['/top.txt'],
      ['a/*.o'],
      ['a/**/x'],
      ['**/b/**'],
      ['foo?'],
      ['[ab].c'],
      ['[!ab].c'],
      ['dir/sub/'],
      ['**/dir/sub'],
      ['.*'],
      ['# comment'],
      ['\\# comment', '\\!bang'],
      ['*', '!*/', '!*.c'],
      ['b\\[1\\]', 'trail\\ ', ' lead'],
      ['line?break'],
    ]) {
      expect([patterns, excluded(patterns, PATHS)]).toEqual([patterns, ignoredByGit(patterns)]);
    }
  });

  it('does so for generated patterns', () => {
    const part = fc.constantFrom('a', 'b', '*', '**', '?', '[ab]', 'a*', '*b');
    const pattern = fc
      .tuple(
        fc.constantFrom('', '', '!'),
        fc.constantFrom('', '/'),
        fc.array(part, { minLength: 1, maxLength: 3 }),
      )
      .map(([negation, slash, parts]) => negation + slash + parts.join('/'));
    const paths = ['a/', 'b', 'a/a', 'a/b/', 'a/b/a', 'a/b/b/', 'a/b/b/ab', 'ab', 'ba/', 'ba/a'];
    const ignoredByGit = gitOver(paths);
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 3 }), (patterns) => {
        expect(excluded(patterns, paths)).toEqual(ignoredByGit(patterns));
      }),
      { numRuns: 60 },
    );
  });

  it('is nothing at all without patterns', () => {
    expect(compileFilter([])).toBeUndefined();
    expect(compileFilter(['', '  ', '# only a comment'], rawPath('/home'))).toBeUndefined();
    expect(compileInclude([])).toBeUndefined();
  });

  it('takes absolute patterns that begin with the root', () => {
    const filter = compileFilter(['/home/me/cache', '!/home/me/cache/keep', '/*.log'], rawPath('/home/me'))!;
    expect(filter.excludes('cache', true)).toBe(true);
    expect(filter.excludes('sub/cache', true)).toBe(false);
    expect(filter.excludes('home/me/cache', true)).toBe(true);
    expect(filter.excludes('a.log', false)).toBe(true);
    expect(filter.excludes('sub/a.log', false)).toBe(false);
    expect(filter.excludes('', true)).toBe(false);
    const kept = compileFilter(['/r\u00e9/*', '!/r\u00e9/keep'], rawPath('/r\u00e9'))!;
    expect([kept.excludes('x', false), kept.excludes('keep', false)]).toEqual([true, false]);
    expect(compileFilter(['/'], rawPath('/'))!.excludes('x', false)).toBe(false);
  });

  it('matches names of any bytes', () => {
    const filter = compileFilter(['*.tmp', 'caf\u00e9', 'b?d'])!;
    expect(filter.excludes('\xff\xfe.tmp', false)).toBe(true);
    expect(filter.excludes('caf\xc3\xa9', false)).toBe(true);
    expect(filter.excludes('caf\xe9', false)).toBe(false);
    expect(filter.excludes('b\xffd', false)).toBe(true);
    expect(filter.excludes('b\xc3\xa9d', false)).toBe(true);
    const raw = compileFilter(patternsIn(bytes('\xef\xbb\xbfone\r\n\xff*\n#x\n')))!;
    expect(['one', '\xffthing', '\xfething', '#x'].map((path) => raw.excludes(path, false))).toEqual([
      true,
      true,
      false,
      false,
    ]);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (name) => {
        const path = `d/${Buffer.from(name).toString('latin1').replaceAll('/', 'x')}`;
        expect(compileFilter(['/d/*'])!.excludes(path, false)).toBe(true);
        expect(filter.excludes(`${path}.tmp`, false)).toBe(true);
      }),
    );
  });

  it('answers the same for more paths than it remembers', () => {
    const filter = compileFilter(['*7', '!17'])!;
    for (let i = 0; i < 40_000; i++) {
      const name = String(i);
      expect(filter.excludes(`d/${name}`, false)).toBe(name.endsWith('7') && name !== '17');
    }
  });
});

describe('compileInclude', () => {
  it('chooses what matches and what is below', () => {
    const selection = compileInclude(['/docs', '*.c', '!secret.c'])!;
    for (const path of ['docs/a', 'docs/b/c', 'x/main.c']) expect(selection.includes(path, false)).toBe(true);
    for (const path of ['x/docs', 'main.h', 'x/secret.c'])
      expect(selection.includes(path, false)).toBe(false);
    expect(selection.includes('docs', true)).toBe(true);
    expect(selection.includes('', true)).toBe(false);
  });
});
