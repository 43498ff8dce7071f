import { describe, expect, test } from 'vitest';
import { toLatin1 } from '../../dist/core/index.js';
import { compilePathPatterns } from '../../dist/fs/index.js';

const raw = (text: string): string => toLatin1(Buffer.from(text, 'utf8'));

function matching(pattern: string, paths: readonly string[], ignoreCase = false): string[] {
  const { matches, words } = compilePathPatterns([pattern], ignoreCase);
  const found = paths.filter((path) => matches(raw(path)) !== 'no');
  for (const word of words) for (const path of found) expect(path).toContain(word);
  return found;
}

const PATHS = [
  'home',
  'home/ann',
  'home/ann/a.txt',
  'home/ann/letters/b.txt',
  'letters/b.txt',
  'letters',
  'B.TXT',
];

describe('patterns by which entries are looked for', () => {
  test.each([
    ['*.txt', ['home/ann/a.txt', 'home/ann/letters/b.txt', 'letters/b.txt']],
    ['b.txt', ['home/ann/letters/b.txt', 'letters/b.txt']],
    ['letters/*.txt', ['home/ann/letters/b.txt', 'letters/b.txt']],
    ['/letters/*.txt', ['letters/b.txt']],
    ['/home/**/b.txt', ['home/ann/letters/b.txt']],
    ['/home/ann', ['home/ann']],
    ['[ab].txt', ['home/ann/a.txt', 'home/ann/letters/b.txt', 'letters/b.txt']],
    ['ann', ['home/ann']],
    ['?nn', ['home/ann']],
    ['*', PATHS],
    ['/*', ['home', 'letters', 'B.TXT']],
  ])('%s', (pattern, expected) => {
    expect(matching(pattern, PATHS)).toEqual(expected);
  });

  test('match whatever the case of letters is, when that is wanted', () => {
    expect(matching('b.txt', PATHS, true)).toEqual(['home/ann/letters/b.txt', 'letters/b.txt', 'B.TXT']);
    expect(compilePathPatterns(['/Home/x'], true).ranges).toEqual([{ text: '', isWhole: false }]);
  });

  test('are for folders alone with a / at their end', () => {
    const { matches } = compilePathPatterns(['ann/', '*.c'], false);
    expect(['home/ann', 'ann/a.c', 'x'].map(matches)).toEqual(['folder', 'yes', 'no']);
  });

  test('have no exceptions and no comments', () => {
    expect(matching('!a', ['!a', 'a', 'b'])).toEqual(['!a']);
    expect(matching('#a', ['#a', 'a'])).toEqual(['#a']);
  });

  test('compare names of any bytes', () => {
    const { matches } = compilePathPatterns(['caf?', 'é*'], false);
    expect([raw('café'), 'caf\xe9', raw('été'), 'e'].map(matches)).toEqual(['yes', 'yes', 'yes', 'no']);
  });

  test('say a word that is in all that they match', () => {
    const words = (...patterns: string[]) => compilePathPatterns(patterns, false).words;
    expect(words('letter-??.odt', '*.jpeg')).toEqual(['letter-', '.jpeg']);
    expect(words('/home/ann/**/notes/')).toEqual(['notes']);
    // What follows a bracket or a backslash may not stand for itself; short words are in too many paths.
    expect(words('abc[def]ghijk')).toEqual(['abc']);
    expect(words('café-letter')).toEqual(['-letter']);
    expect(words('!letter')).toEqual([]);
    expect(words('letter', '*.c')).toEqual([]);
    expect(compilePathPatterns(['letter'], true).words).toEqual([]);
  });

  test('say where what they match can stand', () => {
    const ranges = (...patterns: string[]) =>
      compilePathPatterns(patterns, false).ranges.map(({ text, isWhole }) => text + (isWhole ? '' : '...'));
    expect(ranges('/home/ann/*.txt')).toEqual(['home/ann/...']);
    expect(ranges('/home/ann/')).toEqual(['home/ann']);
    expect(ranges('/home/a*', '/home/ann/x', '/etc/fstab')).toEqual(['etc/fstab', 'home/a...']);
    expect(ranges('/a', '/a', '/ab')).toEqual(['a', 'ab']);
    expect(ranges('/home/x', '*.c')).toEqual(['...']);
    expect(ranges('/ca\\*e')).toEqual(['ca...']);
  });

  test.each(['', '/', '[a', '\\', '[[:nonsense:]]', '.', '../a', '/a//b', 'a/./b', '/..', 'a//'])(
    "'%s' is refused",
    (pattern) => {
      expect(() => compilePathPatterns([pattern], false)).toThrow(expect.objectContaining({ code: 'usage' }));
    },
  );
});
