import {
  compileRules,
  type EntryFilter,
  type FilterRules,
  NO_RULES,
  type PatternRule,
  type RawPath,
} from '../../dist/fs/index.js';

/** Patterns as rules of `--exclude`; raw text. */
export function patternRules(patterns: readonly string[], ignoreCase = false): PatternRule[] {
  return patterns.map((text) => ({ text, option: '--exclude', ignoreCase }));
}

export function rulesWith(some: Partial<FilterRules>): FilterRules {
  return { ...NO_RULES, ...some };
}

export function filterOf(patterns: readonly string[], root = '/root'): EntryFilter {
  return compileRules(rulesWith({ exclude: patternRules(patterns) }), root as RawPath)!;
}

/** Which of the paths a walk from the top leaves out; those that end with '/' are folders. */
export function excludedOf(filter: EntryFilter, paths: readonly string[]): string[] {
  return paths.filter((path) => {
    const names = path.replace(/\/$/, '').split('/');
    return names.some(
      (_, i) =>
        filter.excludedByPath(names.slice(0, i + 1).join('/'), i < names.length - 1 || path.endsWith('/')) !==
        undefined,
    );
  });
}

/** What leaves out by these patterns, in the order of `--exclude`. */
export function excluding(...patterns: readonly string[]): FilterRules {
  return rulesWith({ exclude: patternRules(patterns) });
}
