import type { FilterRule, FilterRules, PatternRule, XattrRule } from './filter-rules.js';
import { waysTo } from './include-ways.js';
import { pathRegex } from './path-regex.js';
import { isException, PatternList, type PlacedPattern } from './pattern-list.js';
import { joinRaw, type RawPath } from './raw-path.js';
import { matchable } from './raw-text.js';

/** The patterns of ignore files that hold in a folder: those of its own, and those of the folders above it. */
export interface FolderPatterns {
  readonly patterns: PatternList;
  /** Of the folder they are relative to: the length of its path and the '/' behind it, in matchable text. */
  readonly prefix: number;
  readonly above: FolderPatterns | undefined;
}

/** Adds the patterns in the files of a folder, whose raw path is relative to the root, to those that hold above it. */
export function folderPatterns(
  rules: readonly PatternRule[],
  folder: string,
  above: FolderPatterns | undefined,
): FolderPatterns {
  const patterns = new PatternList(rules.map((rule) => ({ text: rule.text, rule })));
  return { patterns, prefix: folder === '' ? 0 : matchable(folder).length + 1, above };
}

/** The name and value of an extended attribute, raw; a value that is not known is undefined. */
export interface NamedAttribute {
  readonly name: string;
  readonly value: string | undefined;
}

/**
 * Decides by compiled rules. Of what lies below a folder it expects to be asked only where the folder itself is taken, and
 * tells of an entry which rule leaves it out. Paths are raw and relative to the root, without '/' in front.
 */
export interface EntryFilter {
  readonly rules: FilterRules;
  /** By its name and path: patterns, those of ignore files among them, and regular expressions. */
  excludedByPath(path: string, isFolder: boolean, nested?: FolderPatterns): FilterRule | undefined;
  /** Of files only. */
  excludedBySize(bytes: number): FilterRule | undefined;
  excludedByXattrs(xattrs: readonly NamedAttribute[]): FilterRule | undefined;
  /** Whether `--include` chooses an entry for itself, or everything is chosen; what is below it is chosen with it. */
  chooses(path: string, isFolder: boolean): boolean;
  /** Whether something below a folder may be chosen that is not chosen itself. */
  leadsToChosen(folder: string): boolean;
}

/**
 * Compiles rules for the entries below `root`, which patterns are relative to as if they stood in a .gitignore there; one
 * that begins with the root's own absolute path is taken relative to it as well. Undefined when there are no rules, so
 * that nobody asks.
 */
export function compileRules(rules: FilterRules, root: RawPath): EntryFilter | undefined {
  const { exclude, include, excludeRegex, largerThan, xattrs, nodump, ignoreFiles, presence } = rules;
  const all = [exclude, include, excludeRegex, xattrs, ignoreFiles, presence];
  if (all.every((each) => each.length === 0) && largerThan === undefined && nodump === undefined)
    return undefined;
  const left = patternsBelow(root, exclude);
  const chosen = patternsBelow(root, include);
  const leads = waysTo(include.flatMap((rule) => relativeTo(root, rule)));
  const regexes = excludeRegex.map((rule) => ({ rule, regex: pathRegex(rule.text) }));
  const attributes = xattrs.map((rule) => ({ rule, name: nameTest(rule) }));

  const byPatterns = (text: string, isFolder: boolean, nested: FolderPatterns | undefined) => {
    let match: PatternRule | undefined = left?.lastMatch(text, isFolder);
    for (let at = nested; match === undefined && at !== undefined; at = at.above) {
      match = at.patterns.lastMatch(text.slice(at.prefix), isFolder);
    }
    return match === undefined || isException(match) ? undefined : match;
  };

  return {
    rules,
    excludedByPath(path, isFolder, nested) {
      if (path === '') return undefined;
      if (left !== undefined || nested !== undefined) {
        const rule = byPatterns(matchable(path), isFolder, nested);
        if (rule !== undefined) return rule;
      }
      if (regexes.length === 0) return undefined;
      const whole = matchable(joinRaw(root, path));
      return regexes.find(({ regex }) => regex.test(whole))?.rule;
    },
    excludedBySize: (bytes) =>
      largerThan !== undefined && bytes > largerThan.bytes ? largerThan : undefined,
    excludedByXattrs: (found) =>
      attributes.find(({ rule, name }) =>
        found.some((each) => name(each.name) && (rule.value === undefined || rule.value === each.value)),
      )?.rule,
    chooses(path, isFolder) {
      if (chosen === undefined) return true;
      if (path === '') return false;
      const match = chosen.lastMatch(matchable(path), isFolder);
      return match !== undefined && !isException(match);
    },
    leadsToChosen: (folder) => folder === '' || leads(matchable(folder)),
  };
}

function patternsBelow(root: RawPath, rules: readonly PatternRule[]): PatternList | undefined {
  return rules.length === 0 ? undefined : new PatternList(rules.flatMap((rule) => relativeTo(root, rule)));
}

/** A rule, and what it means below `root` if it begins with that path. */
function relativeTo(root: RawPath, rule: PatternRule): readonly PlacedPattern[] {
  const { text } = rule;
  const negation = text.startsWith('!') ? '!' : '';
  const absolute = text.slice(negation.length);
  const prefix = `${root}/`;
  if (root === '/' || !absolute.startsWith(prefix) || absolute.length === prefix.length)
    return [{ text, rule }];
  return [
    { text, rule },
    { text: `${negation}/${absolute.slice(prefix.length)}`, rule },
  ];
}

function nameTest({ name }: XattrRule): (name: string) => boolean {
  const parts = name.split(/([*?])/).map((part) => {
    if (part === '*') return '.*';
    return part === '?' ? '.' : part.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  });
  const regex = new RegExp(`^${parts.join('')}$`, 's');
  return (text) => regex.test(text);
}
