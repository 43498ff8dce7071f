import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { patternFault, regexFault } from '../../dist/fs/index.js';
import { gitTree } from './ignored-by-git.js';

describe('patternFault', () => {
  it('names what can never match', () => {
    expect(patternFault('a[bc')).toBe("the '[' is never closed");
    expect(patternFault('!a[]')).toBe("the '[' is never closed");
    expect(patternFault('[a[:alpha:]')).toBe("the '[' is never closed");
    expect(patternFault('[[:alpha:]-[:alpha:]')).toBe("the '[' is never closed");
    expect(patternFault('[a\\]')).toBe("the '[' is never closed");
    expect(patternFault('x[[:word:]]')).toBe('there is no class [:word:]');
    expect(patternFault('a\\')).toBe("nothing follows the '\\' at its end");
    expect(patternFault('!')).toBe("'!' stands for nothing alone");
  });

  it('finds nothing in sound ones, comments and empty lines', () => {
    const sound = [
      '',
      '  ',
      '# [x',
      '[]]',
      '[!]]',
      'a\\[',
      'a\\\\',
      '[[:alpha:]_]',
      '[[:]',
      '[a[]',
      '!\\!',
      'a]',
      '[^a-]/',
      // The '[' ends a range, and so no class begins with it.
      '[a-[:alpha:]',
      '[a-[:word:]',
    ];
    for (const pattern of sound) expect([pattern, patternFault(pattern)]).toEqual([pattern, undefined]);
  });

  it('never faults a pattern with which git leaves something out', () => {
    const paths = ['a', 'b', '[', ']', '\\', ':', '-', '^', 'ab', '[a', 'a]', '[a]', 'a:', ':]', '[:'];
    const { ignored } = gitTree(paths);
    const pattern = fc
      .array(fc.constantFrom('a', '[', ']', '!', '^', '\\', ':', '-', '[:alpha:]', '*'), {
        minLength: 1,
        maxLength: 6,
      })
      .map((parts) => parts.join(''));
    fc.assert(
      fc.property(fc.array(pattern, { minLength: 20, maxLength: 20 }), (patterns) => {
        expect(ignored(patterns.filter((each) => patternFault(each) !== undefined))).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});

describe('regexFault', () => {
  it('tells what is wrong', () => {
    expect(regexFault('(')).toBe('Unterminated group');
    expect(regexFault('(?i)a{2,1}')).toBe('numbers out of order in {} quantifier');
    expect(regexFault('')).toContain('empty');
    expect(regexFault('(?i)^/home/.*\\.tmp$')).toBeUndefined();
  });
});
