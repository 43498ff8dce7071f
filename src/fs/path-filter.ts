import { createRequire } from 'node:module';
import { toLatin1 } from '../core/index.js';
import { once } from './once.js';
import type { RawPath } from './raw-path.js';
import { matchable } from './raw-text.js';

type IgnoreFactory = typeof import('ignore');
type Ignore = ReturnType<IgnoreFactory>;

/** Decides by patterns with the meaning of gitignore(5), letter case included. */
export interface PathFilter {
  /**
   * Whether an entry is left out, because a pattern matches it or a folder above it. The path is raw and relative to the
   * root of the patterns, without '/' in front; '', the root itself, never is.
   */
  excludes(relativePath: string, isFolder: boolean): boolean;
}

export interface PathSelection {
  /** Whether an entry is chosen, because a pattern matches it or a folder above it. */
  includes(relativePath: string, isFolder: boolean): boolean;
}

const loadIgnore = once(() => createRequire(import.meta.url)('ignore') as IgnoreFactory);

/**
 * The filter of one source root; undefined when there are no patterns, so that nobody asks. Patterns are relative to the
 * root, as if they stood in a .gitignore there; one that begins with the root's own absolute path is taken relative to
 * it as well.
 */
export function compileFilter(patterns: readonly string[], root?: RawPath): PathFilter | undefined {
  const matches = compile(root === undefined ? patterns : patterns.flatMap((each) => relativeTo(root, each)));
  return matches && { excludes: matches };
}

/** The entries that a restore is asked for, by the same syntax; undefined when there are no patterns: everything. */
export function compileInclude(patterns: readonly string[]): PathSelection | undefined {
  const matches = compile(patterns);
  return matches && { includes: matches };
}

/** The patterns in a file of the format of .gitignore, one per line. */
export function patternsIn(content: Uint8Array): readonly string[] {
  const text = matchable(toLatin1(content));
  return text.replace(/^\ufeff/, '').split(/\r?\n/);
}

/** The matcher keeps every path it was asked about; above this many it is made anew from the compiled patterns. */
const MOST_REMEMBERED = 16_384;

function compile(patterns: readonly string[]): ((path: string, isFolder: boolean) => boolean) | undefined {
  const meant = patterns.filter((pattern) => pattern.trim() !== '' && !pattern.startsWith('#'));
  if (meant.length === 0) return undefined;
  const ignore = loadIgnore();
  const compiled = ignore({ ignorecase: false }).add(meant.map((pattern) => ({ pattern })));
  let matcher: Ignore = compiled;
  let asked = 0;
  return (path, isFolder) => {
    if (path === '') return false;
    if (++asked > MOST_REMEMBERED) {
      matcher = ignore({ ignorecase: false }).add(compiled);
      asked = 0;
    }
    const text = matchable(path);
    return matcher.ignores(isFolder ? `${text}/` : text);
  };
}

/** A pattern, and what it means below `root` if it begins with that path. */
function relativeTo(root: RawPath, pattern: string): readonly string[] {
  const negation = pattern.startsWith('!') ? '!' : '';
  const prefix = `${matchable(root)}/`;
  const absolute = pattern.slice(negation.length);
  if (root === '/' || !absolute.startsWith(prefix) || absolute.length === prefix.length) return [pattern];
  return [pattern, `${negation}/${absolute.slice(prefix.length)}`];
}
