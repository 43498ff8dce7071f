import { type Command, InvalidArgumentError } from 'commander';
import type { Given } from './filter-rules-of.js';
import { parseSize } from './sizes.js';

export { filterRulesOf } from './filter-rules-of.js';

/** Of what a user chooses: of files on a disk, among which some may say what is wanted, or of what a snapshot holds. */
export type FilteredThings = 'source' | 'tree';

/** Under which they stand in the help. */
export const FILTER_HEADINGS: Readonly<Record<FilteredThings, string>> = {
  source: 'Choosing what goes in:',
  tree: 'Choosing what is meant:',
};

type Option = readonly [flags: string, text: string];

const SAME = 'the same, whatever the case of the letters';
const SAME_FILE = 'a file of such patterns, one a line';

const PATTERNS: readonly Option[] = [
  ['--exclude <pattern>', 'leave out what matches, as in .gitignore; the last one that matches decides'],
  ['--iexclude <pattern>', SAME],
  ['--exclude-file <file>', SAME_FILE],
  ['--iexclude-file <file>', SAME_FILE],
  ['--include <pattern>', 'only what matches, and all below it'],
  ['--iinclude <pattern>', SAME],
  ['--include-file <file>', SAME_FILE],
  ['--iinclude-file <file>', SAME_FILE],
  ['--exclude-regex <regex>', 'leave out what has a match of it in its full path'],
  ['--exclude-xattr <name[=value]>', 'leave out what has this extended attribute; the name may hold * and ?'],
];

const AT_THE_SOURCE: readonly Option[] = [
  ['--ignore-file <name>', 'files of this name hold patterns for their folder, as .gitignore does'],
  [
    '--exclude-if-present <name[:header]>',
    'leave out the content of folders with a file of this name (that begins with the header), all but this file',
  ],
];

/** Declares the options that choose and leave out; `filterRulesOf` reads them. All but two may be given several times. */
export function declareFilters(command: Command, of: FilteredThings): void {
  let turn = 0;
  const gathered = (value: string, before: Given = []): Given => {
    if (value.includes('\0')) throw new InvalidArgumentError('It contains a NUL.');
    return [...before, { value, turn: turn++ }];
  };
  const addPlain = ([flags, text]: Option, parser?: (text: string) => unknown): void => {
    const option = command.createOption(flags, text).helpGroup(FILTER_HEADINGS[of]);
    command.addOption(parser === undefined ? option : option.argParser(parser));
  };
  const add = ([flags, text]: Option): void => {
    command.addOption(command.createOption(flags, text).helpGroup(FILTER_HEADINGS[of]).argParser(gathered));
  };
  for (const option of PATTERNS) add(option);
  addPlain(['--exclude-larger-than <size>', 'leave out files larger than this: 500MiB, 2GiB'], (text) => ({
    text,
    bytes: parseSize(text),
  }));
  addPlain(['--exclude-nodump', 'leave out what has the flag d of chattr']);
  if (of === 'tree') return;
  for (const option of AT_THE_SOURCE) add(option);
  addPlain(['--exclude-caches', 'leave out the content of folders with a CACHEDIR.TAG, all but the tag']);
}
