import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compileRules, NO_RULES, patternLines, type RawPath, rulesKey } from '../../dist/fs/index.js';
import { gitTree } from './ignored-by-git.js';
import { excludedOf, filterOf, patternRules, rulesWith } from './rules.js';
import { bytes } from './scratch.js';

const PATHS = [
  ...['x.pyc', 'd/x.pyc', 'keep.pyc', 'excluded/', 'excluded/f', 'd/excluded/', 'e/excluded', 'top.txt'],
  ...['d/top.txt', 'a/m.o', 'a/b/m.o', 'a/x', 'a/b/c/x', 'foo1', 'foo12', 'a.c', 'd/b.c', 'c.c', 'dir/sub/'],
  ...['x/dir/sub/', 'X.PYC', '.hidden', 'd/.hidden', '# comment', 'line\nbreak', '!bang', 'b[1]', ' lead'],
  ...[
    'trail ',
    'a\\b',
    '..x',
    'tab\t',
    'cr\r',
    'd/deep/er/m.o',
    'star*',
    '\xff.c',
    'caf\xc3\xa9',
    'u]',
    'u-',
  ],
];

describe('patterns', () => {
  it('mean what git means', () => {
    const { ignored } = gitTree(PATHS);
    for (const patterns of [
      ['*.pyc', '!keep.pyc'],
      ['!keep.pyc', '*.pyc'],
      ['excluded/'],
      ['excluded'],
      ['excluded', '!excluded/f'],
      ['excluded/*', '!excluded/f'],
      ['excluded/', '!excluded/'],
      ['/top.txt'],
      ['top.txt/'],
      ['a/*.o'],
      ['a/**/x', 'a/**'],
      ['**/b/**'],
      ['d/**/m.o', '**/er', '/**'],
      ['foo?'],
      ['[ab].c', '[]]', 'u[]-]', 'u[a-]'],
      ['[!ab].c', '[^x]oo*'],
      ['dir/sub/', 'dir/sub'],
      ['**/dir/sub'],
      ['.*', '!.hidden'],
      ['# comment', ' ', '', '!'],
      ['\\# comment', '\\!bang', '!\\!bang'],
      ['*', '!*/', '!*.c'],
      ['b\\[1\\]', 'trail\\ ', ' lead', 'a\\\\b', 'star\\*'],
      ['trail ', 'foo1   ', 'tab\t', 'excluded/  '],
      ['line?break', 'cr\r', 'cr?'],
      ['top.txt\r', 'c.c\r\r', './a.c', 'a//x', '//top.txt', '/', '//'],
      ['[[:upper:]].*', '[[:alpha:]oo]*', '[[:nonsense:]]*', 'foo[1'],
      ['caf\xc3\xa9', '\xff*'],
      ['*/', '!dir/'],
    ]) {
      expect([patterns, excludedOf(filterOf(patternLines(bytes(patterns.join('\n')))), PATHS)]).toEqual([
        patterns,
        ignored(patterns),
      ]);
    }
  });

  it('do so where letter case does not count', () => {
    const { ignored } = gitTree(PATHS, true);
    for (const patterns of [['*.pyc'], ['EXCLUDED/', '!Excluded'], ['/TOP.txt', 'A/**/X'], ['[a-m].C']]) {
      const exclude = patternRules(patterns, true);
      const filter = compileRules(rulesWith({ exclude }), '/root' as RawPath)!;
      expect([patterns, excludedOf(filter, PATHS)]).toEqual([patterns, ignored(patterns)]);
    }
  });

  it('do so with many stars, which take no longer for it', () => {
    const { ignored } = gitTree(PATHS);
    for (const patterns of [
      ['****/**/**/*.o', '*/***/*/*?*'],
      ['*[a-c[:digit:]]**/**/*[!x]*/**', '!*a*b*c*\\d*'],
      ['**/*e*/*/**/', '*.*p*y*c*  ', '*s*t*a*r*\\**', '*[]u-]*[]]*?*'],
    ]) {
      const filter = filterOf(patternLines(bytes(patterns.join('\n'))));
      expect([patterns, excludedOf(filter, PATHS)]).toEqual([patterns, ignored(patterns)]);
    }
    const deep = Array.from({ length: 60 }, () => 'a').join('/');
    for (const pattern of [`a${'/**'.repeat(9)}/b`, `**/a${'/**/a'.repeat(9)}/b`, `${'*a'.repeat(20)}b`])
      expect(excludedOf(filterOf([pattern]), [`${deep}/${'a'.repeat(250)}`])).toEqual([]);
  });

  it('do so when they are generated with many stars', () => {
    const part = fc.constantFrom(
      'a',
      '*',
      '**',
      '?',
      '[ab]',
      '[!b]',
      '*a*',
      '*b',
      '***',
      'a**b',
      '\\a*',
      '**[a-b]*',
    );
    const pattern = fc
      .tuple(
        fc.constantFrom('', '!'),
        fc.constantFrom('*', '/*', '**/', '*?*'),
        fc.array(part, { minLength: 3, maxLength: 5 }),
        fc.constantFrom('/', ''),
        fc.constantFrom('', '', '/', '*  ', '/**', '/*', '*\\ '),
      )
      .map(([negation, start, parts, between, end]) => negation + start + parts.join(between) + end);
    const paths = [
      'a/',
      'b',
      'a/a',
      'a/b/',
      'a/b/a',
      'a/b/b/',
      'a/b/b/ab',
      'ab',
      'ba/',
      'ba/a',
      'ba/b/',
      'aab ',
      'ba/b/bab',
    ];
    const { ignored } = gitTree(paths);
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 4 }), (patterns) => {
        const filter = filterOf(patternLines(bytes(patterns.join('\n'))));
        expect(excludedOf(filter, paths)).toEqual(ignored(patterns));
      }),
      { numRuns: 200 },
    );
  });

  it('do so when they are generated', () => {
    const part = fc.constantFrom('a', 'b', '*', '**', '?', '[ab]', 'a*', '*b', 'ab', 'ba', '***', 'a**b');
    const pattern = fc
      .tuple(
        fc.constantFrom('', '', '!'),
        fc.constantFrom('', '/', '**/'),
        fc.array(part, { minLength: 1, maxLength: 3 }),
        fc.constantFrom('', '', '/', ' ', '/**', '/*'),
      )
      .map(([negation, slash, parts, end]) => negation + slash + parts.join('/') + end);
    const paths = ['a/', 'b', 'a/a', 'a/b/', 'a/b/a', 'a/b/b/', 'a/b/b/ab', 'ab', 'ba/', 'ba/a', 'ba/b/'];
    const { ignored } = gitTree(paths);
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 1, maxLength: 4 }), (patterns) => {
        expect(excludedOf(filterOf(patterns), paths)).toEqual(ignored(patterns));
      }),
      { numRuns: 100 },
    );
  });

  it('tell which of them decided', () => {
    const filter = filterOf(['*.o', '/keep/', '!main.o', '*.O', 'build']);
    expect(filter.excludedByPath('a/b.o', false)?.text).toBe('*.o');
    expect(filter.excludedByPath('a/main.o', false)).toBeUndefined();
    expect(filter.excludedByPath('keep', true)?.text).toBe('/keep/');
    expect(filter.excludedByPath('keep', false)).toBeUndefined();
    expect(filter.excludedByPath('a/build', false)).toEqual({
      text: 'build',
      option: '--exclude',
      ignoreCase: false,
    });
  });

  it('keep their order where some ignore letter case and others do not', () => {
    const [any, keep, exact] = [
      patternRules(['*.LOG'], true),
      patternRules(['!keep.log']),
      patternRules(['x.log']),
    ];
    const filter = compileRules(rulesWith({ exclude: [...any, ...keep, ...exact] }), '/' as RawPath)!;
    expect(excludedOf(filter, ['a.Log', 'keep.log', 'KEEP.log', 'x.log', 'keep.log/x.log'])).toEqual([
      'a.Log',
      'KEEP.log',
      'x.log',
      'keep.log/x.log',
    ]);
    const taken = compileRules(rulesWith({ exclude: [...any, ...patternRules(['!d/'])] }), '/' as RawPath)!;
    expect(taken.excludedByPath('d/x', false)).toBeUndefined();
  });

  it('are taken relative to the root when they begin with its path', () => {
    const filter = filterOf(['/home/me/cache', '!/home/me/cache/keep', '/*.log'], '/home/me');
    expect(filter.excludedByPath('cache', true)?.text).toBe('/home/me/cache');
    expect(filter.excludedByPath('sub/cache', true)).toBeUndefined();
    expect(filter.excludedByPath('home/me/cache', true)).toBeDefined();
    expect(filter.excludedByPath('a.log', false)).toBeDefined();
    expect(filter.excludedByPath('sub/a.log', false)).toBeUndefined();
    expect(filter.excludedByPath('', true)).toBeUndefined();
    const kept = filterOf(['/r\xc3\xa9/*', '!/r\xc3\xa9/keep'], '/r\xc3\xa9');
    expect(excludedOf(kept, ['x', 'keep'])).toEqual(['x']);
    expect(filterOf(['/'], '/').excludedByPath('x', false)).toBeUndefined();
  });

  it('match names of any bytes', () => {
    const filter = filterOf(['*.tmp', 'caf\xc3\xa9', 'b?d']);
    const names = ['\xff\xfe.tmp', 'caf\xc3\xa9', 'caf\xe9', 'b\xffd', 'b\xc3\xa9d'];
    expect(excludedOf(filter, names)).toEqual(names.filter((name) => name !== 'caf\xe9'));
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 1, maxLength: 20 }), (name) => {
        const path = `d/${Buffer.from(name).toString('latin1').replaceAll('/', 'x')}`;
        expect(filterOf(['/d/*']).excludedByPath(path, false)).toBeDefined();
        expect(filter.excludedByPath(`${path}.tmp`, false)).toBeDefined();
      }),
    );
  });

  it('answer the same for more paths than they remember', () => {
    const filter = filterOf(['*7', '!17']);
    for (let i = 0; i < 40_000; i++) {
      const name = String(i);
      const isOut = filter.excludedByPath(`d/${name}`, false) !== undefined;
      if (isOut !== (name.endsWith('7') && name !== '17')) expect.fail(name);
    }
  });

  it('of a file are its lines, ended as git ends them', () => {
    expect(patternLines(bytes('\xef\xbb\xbfone\r\n\xff*\n\n#x\ntwo\r\r\nlast\r'))).toEqual([
      'one',
      '\xff*',
      '',
      '#x',
      'two\r',
      'last',
    ]);
  });
});

describe('compileRules', () => {
  it('is nothing at all without rules', () => {
    expect(compileRules(NO_RULES, '/home' as RawPath)).toBeUndefined();
  });

  it('chooses what --include matches, and leaves what lies below to the walk', () => {
    const include = patternRules(['/docs', '*.c', '!secret.c']);
    const filter = compileRules(rulesWith({ include }), '/' as RawPath)!;
    expect(filter.chooses('docs', true)).toBe(true);
    expect(filter.chooses('x/main.c', false)).toBe(true);
    for (const path of ['x/docs', 'main.h', 'x/secret.c', 'docs/a', ''])
      expect(filter.chooses(path, false)).toBe(false);
    expect(filterOf(['x']).chooses('anything', false)).toBe(true);
  });

  it('finds regular expressions in the full path', () => {
    const rules = ['^/home/[^/]+/\\.cache$', '(?i)\\.TMP$', 'caf\xc3\xa9.\xff'].map((text) => ({
      text,
      option: '--exclude-regex',
    }));
    const filter = compileRules(rulesWith({ excludeRegex: rules }), '/home' as RawPath)!;
    expect(filter.excludedByPath('ann/.cache', true)).toBe(rules[0]);
    expect(filter.excludedByPath('ann/b/.cache', true)).toBeUndefined();
    expect(filter.excludedByPath('ann/x.tmp', false)).toBe(rules[1]);
    expect(filter.excludedByPath('caf\xc3\xa9\xf0\x9f\x98\x80\xff', false)).toBe(rules[2]);
  });

  it('leaves out by size and by attribute', () => {
    const largerThan = { text: '1K', option: '--exclude-larger-than', bytes: 1024 };
    const xattrs = [
      { text: 'user.no*', option: '--exclude-xattr', name: 'user.no*', value: undefined },
      { text: 'user.b=false', option: '--exclude-xattr', name: 'user.b', value: 'false' },
    ];
    const filter = compileRules(rulesWith({ largerThan, xattrs }), '/' as RawPath)!;
    expect([1024, 1025].map((bytes) => filter.excludedBySize(bytes))).toEqual([undefined, largerThan]);
    const by = (name: string, value?: string): unknown => filter.excludedByXattrs([{ name, value }]);
    expect([by('user.nothing', 'x'), by('xuser.no'), by('user.b', 'false')]).toEqual([
      xattrs[0],
      undefined,
      xattrs[1],
    ]);
    expect([by('user.b', 'true'), by('user.b'), by('userxb', 'false')]).toEqual([
      undefined,
      undefined,
      undefined,
    ]);
  });
});

describe('rulesKey', () => {
  it('is what it was for plain patterns, and another one for every other rule', () => {
    expect(rulesKey(NO_RULES)).toEqual([]);
    expect(rulesKey(rulesWith({ exclude: patternRules(['a', '!b']) }))).toEqual(['a', '!b']);
    const rule = { text: 'a', option: '' };
    const keys = [
      { exclude: patternRules(['a']) },
      { exclude: patternRules(['a'], true) },
      { include: patternRules(['a']) },
      { include: patternRules(['a'], true) },
      { excludeRegex: [rule] },
      { largerThan: { ...rule, bytes: 1 } },
      { largerThan: { ...rule, bytes: 2 } },
      { xattrs: [{ ...rule, name: 'a', value: undefined }] },
      { nodump: rule },
      { ignoreFiles: [rule] },
      { presence: [{ ...rule, name: 'a', header: '' }] },
      { presence: [{ ...rule, name: 'a', header: 'b' }] },
    ].map((some) => JSON.stringify(rulesKey(rulesWith(some))));
    expect(new Set(keys).size).toBe(keys.length);
  });
});
