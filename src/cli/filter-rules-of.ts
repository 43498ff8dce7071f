import { readFile } from 'node:fs/promises';
import type { Command } from 'commander';
import { CbrError, messageOf, toLatin1 } from '../core/index.js';
import {
  CACHE_TAG,
  displayPath,
  type FilterRule,
  type FilterRules,
  isPattern,
  type PatternRule,
  type PresenceRule,
  patternFault,
  patternLines,
  rawPath,
  regexFault,
  type XattrRule,
} from '../fs/index.js';

/** A value as it was given, and the how-manieth it was of all rules: their order counts, whichever options gave them. */
interface GivenRule {
  readonly value: string;
  readonly turn: number;
}

export type Given = readonly GivenRule[];

/** What the options of `declareFilters` leave in a command. */
interface FilterFlags {
  readonly exclude?: Given;
  readonly iexclude?: Given;
  readonly excludeFile?: Given;
  readonly iexcludeFile?: Given;
  readonly include?: Given;
  readonly iinclude?: Given;
  readonly includeFile?: Given;
  readonly iincludeFile?: Given;
  readonly excludeRegex?: Given;
  readonly excludeLargerThan?: { readonly text: string; readonly bytes: number };
  readonly excludeXattr?: Given;
  readonly excludeNodump?: boolean;
  readonly ignoreFile?: Given;
  readonly excludeCaches?: boolean;
  readonly excludeIfPresent?: Given;
}

/**
 * The rules that the options of `declareFilters` gave. Reads the files that they name. Rejects (usage) what cannot be read,
 * and a pattern or regular expression that is none, with where it stands.
 */
export async function filterRulesOf(command: Command): Promise<FilterRules> {
  const flags = command.opts<FilterFlags>();
  return Object.freeze({
    exclude: await patternRules(flags, ['exclude', 'iexclude', 'excludeFile', 'iexcludeFile']),
    include: await patternRules(flags, ['include', 'iinclude', 'includeFile', 'iincludeFile']),
    excludeRegex: rulesOf(flags.excludeRegex, '--exclude-regex').map(soundRegex),
    largerThan:
      flags.excludeLargerThan === undefined
        ? undefined
        : {
            text: flags.excludeLargerThan.text,
            option: '--exclude-larger-than',
            bytes: flags.excludeLargerThan.bytes,
          },
    xattrs: rulesOf(flags.excludeXattr, '--exclude-xattr').map(xattrRule),
    nodump: flags.excludeNodump === true ? { text: '', option: '--exclude-nodump' } : undefined,
    ignoreFiles: rulesOf(flags.ignoreFile, '--ignore-file').map((rule) => named(rule, rule.text)),
    presence: [
      ...(flags.excludeCaches === true ? [{ ...CACHE_TAG, text: '', option: '--exclude-caches' }] : []),
      ...rulesOf(flags.excludeIfPresent, '--exclude-if-present').map(presenceRule),
    ],
  });
}

type PatternFlag =
  | 'exclude'
  | 'iexclude'
  | 'excludeFile'
  | 'iexcludeFile'
  | 'include'
  | 'iinclude'
  | 'includeFile'
  | 'iincludeFile';

/** What several options gave, in the order in which it was given: the last pattern that matches decides. */
async function patternRules(
  flags: FilterFlags,
  names: readonly PatternFlag[],
): Promise<readonly PatternRule[]> {
  const given = names.flatMap((flag) => (flags[flag] ?? []).map((each) => ({ ...each, flag })));
  given.sort((a, b) => a.turn - b.turn);
  const rules: PatternRule[] = [];
  for (const { value, flag } of given) {
    const option = `--${flag.replace('File', '-file')}`;
    const ignoreCase = /^i(?:exclude|include)/.test(flag);
    const texts = flag.endsWith('File') ? await linesOf(value, option) : [{ text: rawOf(value) }];
    for (const each of texts) {
      const rule: PatternRule = { ...each, option, ignoreCase };
      const fault = patternFault(rule.text);
      if (fault !== undefined) throw invalid('pattern', rule, fault);
      if (isPattern(rule.text)) rules.push(rule);
    }
  }
  return rules;
}

type Line = Pick<FilterRule, 'text' | 'file' | 'line'>;

async function linesOf(file: string, option: string): Promise<readonly Line[]> {
  const path = rawPath(file);
  let content: Uint8Array;
  try {
    content = await readFile(file);
  } catch (cause) {
    throw new CbrError('usage', `cannot read the file of ${option}: ${messageOf(cause)}`, {
      cause,
      hint: 'Nothing was begun.',
    });
  }
  return patternLines(content).map((text, i) => ({ text, file: path, line: i + 1 }));
}

function rawOf(text: string): string {
  return toLatin1(Buffer.from(text, 'utf8'));
}

function rulesOf(given: readonly GivenRule[] | undefined, option: string): readonly FilterRule[] {
  return (given ?? []).map(({ value }) => ({ text: rawOf(value), option }));
}

function soundRegex(rule: FilterRule): FilterRule {
  const fault = regexFault(rule.text);
  if (fault !== undefined) throw invalid('regular expression', rule, fault);
  return rule;
}

function xattrRule(rule: FilterRule): XattrRule {
  const end = rule.text.indexOf('=');
  const name = end === -1 ? rule.text : rule.text.slice(0, end);
  if (name === '') throw invalid('attribute', rule, 'it has no name');
  return { ...rule, name, value: end === -1 ? undefined : rule.text.slice(end + 1) };
}

function presenceRule(rule: FilterRule): PresenceRule {
  const end = rule.text.indexOf(':');
  const name = end === -1 ? rule.text : rule.text.slice(0, end);
  return { ...named(rule, name), name, header: end === -1 ? '' : rule.text.slice(end + 1) };
}

/** The rule, if it names a file as it may stand in any folder. */
function named(rule: FilterRule, name: string): FilterRule {
  if (name === '' || name === '.' || name === '..' || name.includes('/')) {
    throw invalid('name', rule, 'a file name without a folder is expected');
  }
  return rule;
}

function invalid(what: string, { text, option, file, line }: FilterRule, fault: string): CbrError {
  const where = file === undefined ? option : `${displayPath(file)}, line ${line}`;
  return new CbrError('usage', `invalid ${what} '${displayPath(text)}' (${where}): ${fault}`, {
    hint: 'Nothing was begun.',
  });
}
