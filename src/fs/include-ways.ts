import { isException, type PlacedPattern } from './pattern-list.js';
import { matchable } from './raw-text.js';

/**
 * Whether something below a folder may be chosen by one of the patterns: the folders on the way of an anchored one are
 * known up to its first wildcard, and no others need to be walked. Paths are matchable text.
 */
export function waysTo(patterns: readonly PlacedPattern[]): (folder: string) => boolean {
  const ways = patterns.filter(({ rule }) => !isException(rule)).map(namesBefore);
  if (ways.some((names) => names.length === 0)) return () => true;
  return (folder) => {
    const names = folder.split('/');
    return ways.some((way) => way.every((name, i) => i >= names.length || names[i] === name));
  };
}

/** The folders and names that a match has to begin with; none if it may lie anywhere. */
function namesBefore({ text, rule }: PlacedPattern): readonly string[] {
  const body = matchable(text).replace(/ +$/, '').replace(/\/$/, '');
  if (rule.ignoreCase || !body.includes('/')) return [];
  const names = body.replace(/^\//, '').split('/');
  const wild = names.findIndex((name) => /[*?[\\]/.test(name));
  return wild === -1 ? names : names.slice(0, wild);
}
