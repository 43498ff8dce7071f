import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { compileRules, type RawPath } from '../../dist/fs/index.js';
import { gitTree } from './ignored-by-git.js';
import { filterOf, rulesWith } from './rules.js';

interface Vectors {
  readonly globster: {
    readonly paths: readonly string[];
    readonly patterns: readonly { readonly pattern: string; readonly matches: readonly string[] }[];
  };
  readonly upstream_tree: {
    readonly excluded: Readonly<Record<string, boolean>>;
    readonly files: readonly string[];
    readonly py: readonly string[];
  };
}

const vectors = JSON.parse(
  readFileSync(new URL('../vectors/filters.json', import.meta.url), 'utf8'),
) as Vectors;
const { paths, patterns } = vectors.globster;

/** Those of the paths that were folders. */
const FOLDERS = [
  'excluded_dir',
  'd/excluded_dir',
  'node_modules',
  'p/q/node_modules',
  'dir/sub',
  'x/dir/sub',
];
const isFolder = (path: string): boolean => FOLDERS.includes(path);

/**
 * Where an older pattern language matched something that gitignore does not. What stands for it here is told beside; all
 * else means the same.
 */
const DIFFERENCES: Readonly<Record<string, readonly string[]>> = {
  // Git compares names as they are listed, and "." is none: /rel is meant.
  './rel': ['rel'],
  // Regular expressions have an option of their own, --exclude-regex.
  'RE:^z.*9$': ['z9', 'zabc9'],
  // A comment: \# comment is meant.
  '# comment': ['# comment'],
};

describe('an older pattern language', () => {
  it('matched what gitignore matches, but where it is listed', () => {
    const { ignored } = gitTree(paths.map((path) => (isFolder(path) ? `${path}/` : path)));
    for (const { pattern, matches } of patterns) {
      const ours = paths.filter(
        (path) => filterOf([pattern]).excludedByPath(path, isFolder(path)) !== undefined,
      );
      const lost = DIFFERENCES[pattern] ?? [];
      expect([pattern, ours]).toEqual([pattern, matches.filter((path) => !lost.includes(path))]);
      // Git names what lies in an ignored folder too.
      const byGit = ignored([pattern]).map((path) => path.replace(/\/$/, ''));
      expect([pattern, byGit.filter((path) => path !== 'excluded_dir/f')]).toEqual([pattern, ours]);
    }
  });

  it('has a word in gitignore, or an option, for each difference', () => {
    const matched = (pattern: string): readonly string[] =>
      paths.filter((path) => filterOf([pattern]).excludedByPath(path, isFolder(path)) !== undefined);
    expect(matched('/rel')).toEqual(DIFFERENCES['./rel']);
    expect(matched('\\# comment')).toEqual(DIFFERENCES['# comment']);
    const excludeRegex = [{ text: '^/root/z.*9$', option: '--exclude-regex' }];
    const filter = compileRules(rulesWith({ excludeRegex }), '/root' as RawPath)!;
    expect(paths.filter((path) => filter.excludedByPath(path, false))).toEqual(DIFFERENCES['RE:^z.*9$']);
  });

  it('left out of a tree what these patterns leave out', () => {
    const { excluded, files, py } = vectors.upstream_tree;
    const filter = filterOf(['.git', '*.pyc', 'excluded_dir/']);
    for (const [path, expected] of Object.entries(excluded)) {
      const itself = filter.excludedByPath(path, /(\.git|_dir)$/.test(path)) !== undefined;
      expect([path, itself]).toEqual([path, expected]);
    }
    expect(files.filter((path) => filterOf(['*.py']).excludedByPath(path, false))).toEqual(py);
  });
});
