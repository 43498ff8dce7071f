import { CbrError, toLatin1 } from '../core/index.js';
import { patternFault } from './pattern-fault.js';
import { isPattern, PatternList } from './pattern-list.js';
import { displayPath } from './raw-path.js';
import { matchable } from './raw-text.js';

/** Where what a pattern matches can stand: at this raw path, without '/' in front, or at any that begins with it. */
export interface PathRange {
  readonly text: string;
  readonly isWhole: boolean;
}

/** Patterns by which entries are looked for. */
export interface PathPatterns {
  /** Sorted, and none within another. */
  readonly ranges: readonly PathRange[];
  /** Where there are any, whatever matches has one of them in one of its names: ASCII, to find with less than a match. */
  readonly words: readonly string[];
  /** Whether a pattern matches the path itself, raw and without '/' in front; `folder`: if it is one. */
  matches(path: string): 'yes' | 'folder' | 'no';
}

/**
 * The wildcards of gitignore(5). One without '/' is compared with the last name of a path, one that begins with '/' with the
 * whole path, any other with its end; with '/' at its end it matches folders only. Unlike there a folder's match says nothing of
 * what is in it, and '!' and '#' in front are what they are. Rejects (usage) what can never match.
 */
export function compilePathPatterns(patterns: readonly string[], ignoreCase: boolean): PathPatterns {
  const texts = patterns.map((pattern) => soundPattern(pattern));
  const list = new PatternList(
    texts.map((text) => ({ text: placed(text), rule: { text, option: '', ignoreCase } })),
  );
  const onlyFolders = texts.some((text) => /\/ *$/.test(text));
  return {
    ranges: disjoint(texts.map((text) => (ignoreCase ? ANYWHERE : rangeOf(text)))),
    words: ignoreCase ? [] : wordsOf(texts),
    matches(path) {
      const text = matchable(path);
      if (list.lastMatch(text, false) !== undefined) return 'yes';
      return onlyFolders && list.lastMatch(text, true) !== undefined ? 'folder' : 'no';
    },
  };
}

/** The longest run of plain characters of each pattern; none when one of them has no long one. */
function wordsOf(texts: readonly string[]): string[] {
  const words = texts.map((text) => {
    // What follows may not stand for itself.
    const plain = text.replace(/[[\\].*/s, '');
    return plain
      .split(/[*?/ ]|[^ -~]/)
      .reduce((longest, word) => (word.length > longest.length ? word : longest), '');
  });
  return words.some((word) => word.length < SHORTEST_WORD) ? [] : words;
}

/** Shorter ones are in too many paths. */
const SHORTEST_WORD = 3;

const ANYWHERE: PathRange = { text: '', isWhole: false };

function soundPattern(pattern: string): string {
  const text = toLatin1(Buffer.from(/^[!#]/.test(pattern) ? `\\${pattern}` : pattern, 'utf8'));
  const isEmpty = !isPattern(text) || /^\/+ *$/.test(text);
  const fault = isEmpty ? 'it names nothing' : (patternFault(text) ?? componentFault(text));
  if (fault === undefined) return text;
  throw new CbrError('usage', `the pattern '${displayPath(text)}' matches nothing: ${fault}`, {
    hint: "Give a pattern such as '*.txt', 'documents/*.odt' or '/home/ann/**/notes'.",
  });
}

/** Paths that are stored have no such components. */
function componentFault(text: string): string | undefined {
  const path = text.replace(/^\//, '').replace(/\/? *$/, '');
  const fault = path.split('/').find((name) => name === '' || name === '.' || name === '..');
  if (fault === undefined) return undefined;
  return fault === '' ? "two '/' follow each other" : `no path that is stored has a '${fault}' in it`;
}

/** As a list of patterns takes it: there one with a '/' within begins at the root. */
function placed(text: string): string {
  return text.startsWith('/') || !/\/(?! *$)/.test(text) ? text : `**/${text}`;
}

const WILDCARD = /[*?[\\]/;

function rangeOf(text: string): PathRange {
  if (!text.startsWith('/')) return ANYWHERE;
  const path = text.slice(1);
  const at = path.search(WILDCARD);
  if (at !== -1) return { text: path.slice(0, at), isWhole: false };
  return { text: path.replace(/ +$/, '').replace(/\/$/, ''), isWhole: true };
}

function disjoint(ranges: readonly PathRange[]): PathRange[] {
  const sorted = ranges.toSorted((a, b) =>
    a.text < b.text ? -1 : a.text > b.text ? 1 : Number(a.isWhole) - Number(b.isWhole),
  );
  const kept: PathRange[] = [];
  for (const range of sorted) {
    const isWithin = kept.some((each) =>
      each.isWhole ? range.isWhole && range.text === each.text : range.text.startsWith(each.text),
    );
    if (!isWithin) kept.push(range);
  }
  return kept;
}
