import type { RawPath } from './raw-path.js';

/** What left something out, or would; as the user wrote it, so that he finds it again. All text is raw. */
export interface FilterRule {
  /** The pattern, the regular expression, the name or the size; '' where the option says it all. */
  readonly text: string;
  /** The option that gave it, with its dashes. */
  readonly option: string;
  /** The file it stands in, if any, and its line, counted from 1. */
  readonly file?: RawPath;
  readonly line?: number;
}

/** A pattern in the syntax of gitignore(5), with its '!' if it has one. */
export interface PatternRule extends FilterRule {
  readonly ignoreCase: boolean;
}

/** Leaves a folder's content out when a file of this name is in it. */
export interface PresenceRule extends FilterRule {
  readonly name: string;
  /** Its content has to begin with these raw bytes; '': with anything. */
  readonly header: string;
}

/** Leaves out what bears an extended attribute. */
export interface XattrRule extends FilterRule {
  /** A pattern for its name, in which '*' and '?' stand for anything. */
  readonly name: string;
  /** Its value, raw; undefined: whatever it is. */
  readonly value: string | undefined;
}

/** The file of the Cache Directory Tagging Specification. */
export const CACHE_TAG = Object.freeze({
  name: 'CACHEDIR.TAG',
  header: 'Signature: 8a477f597d28d172789f06886806bc55',
});

export interface SizeRule extends FilterRule {
  readonly bytes: number;
}

/**
 * What is chosen and what is left out, made once where the user's words are read. Each kind of rule leaves out by itself;
 * of the patterns, the last that matches decides, and those of `exclude` before those of ignore files.
 */
export interface FilterRules {
  /** In the order in which they count: the last that matches decides. */
  readonly exclude: readonly PatternRule[];
  /** Without any, everything is chosen; else what matches, with all below it. */
  readonly include: readonly PatternRule[];
  /** Regular expressions, found anywhere in the absolute path. */
  readonly excludeRegex: readonly FilterRule[];
  /** Files larger than the smallest of these. */
  readonly largerThan: SizeRule | undefined;
  readonly xattrs: readonly XattrRule[];
  /** Leaves out what has the flag of `chattr +d`. */
  readonly nodump: FilterRule | undefined;
  /** Names of files with patterns for the folder they are in and what is below. Of two in one folder, the later one decides. */
  readonly ignoreFiles: readonly FilterRule[];
  /** Files by which a folder says that its content is not wanted; CACHEDIR.TAG is one of them. */
  readonly presence: readonly PresenceRule[];
}

export const NO_RULES: FilterRules = Object.freeze({
  exclude: [],
  include: [],
  excludeRegex: [],
  largerThan: undefined,
  xattrs: [],
  nodump: undefined,
  ignoreFiles: [],
  presence: [],
});

/** What change detection has to know of rules: with others, a folder becomes something else. Nothing without rules. */
export function rulesKey(rules: FilterRules): readonly string[] {
  const { exclude, include, excludeRegex, largerThan, xattrs, nodump, ignoreFiles, presence } = rules;
  const plain = exclude.every((rule) => !rule.ignoreCase);
  const textOf = ({ text }: FilterRule): string => text;
  const patternOf = ({ text, ignoreCase }: PatternRule): unknown => [text, ignoreCase];
  const others: unknown[] = [
    plain ? [] : exclude.map(patternOf),
    include.map(patternOf),
    excludeRegex.map(textOf),
    largerThan === undefined ? [] : [largerThan.bytes],
    xattrs.map(textOf),
    nodump === undefined ? [] : [true],
    ignoreFiles.map(textOf),
    presence.map(({ name, header }) => [name, header]),
  ];
  const hasOthers = others.some((each) => (each as unknown[]).length > 0);
  // A NUL is in no pattern, so nothing that is written as one looks like this.
  return [...(plain ? exclude.map(textOf) : []), ...(hasOthers ? [`\0${JSON.stringify(others)}`] : [])];
}
