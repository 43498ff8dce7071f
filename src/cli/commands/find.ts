import { type Command, InvalidArgumentError } from 'commander';
import { compilePathPatterns, displayPath, type EntryType, type PathPatterns } from '../../fs/index.js';
import { compareTimes } from '../../policy/index.js';
import type { Repository } from '../../repo/index.js';
import {
  filterSnapshots,
  findPaths,
  type ListedSnapshots,
  listSnapshots,
  newestOfGroups,
  type PathIndex,
  type Snapshot,
  type StateFilter,
  snapshotGroups,
} from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { MOMENT_HELP, parseMoment } from '../moments.js';
import { noteIfPartial } from '../partial-text.js';
import { withPathIndex } from '../path-index.js';
import {
  foundFields,
  ID_DIGITS,
  longStateLine,
  sourceText,
  versionFields,
  versionLine,
} from '../path-text.js';
import { withRepository } from '../repository.js';
import { countOf, parseSize } from '../sizes.js';
import { choiceOf, chosenSnapshot, declareChoice, noneToSearch } from '../snapshot-choice.js';
import { timeText, type ZonedTime } from '../times.js';

interface Flags {
  readonly history?: boolean;
  readonly snapshot?: string;
  readonly ignoreCase?: boolean;
  readonly long?: boolean;
  readonly type?: ReadonlySet<EntryType>;
  readonly newer?: ZonedTime;
  readonly older?: ZonedTime;
  readonly larger?: number;
  readonly smaller?: number;
}

const TYPE_LETTERS: Readonly<Record<string, EntryType>> = {
  f: 'file',
  d: 'directory',
  l: 'symlink',
  p: 'fifo',
  s: 'socket',
  c: 'character device',
  b: 'block device',
};

function parseTypes(text: string, before: ReadonlySet<EntryType> = new Set()): ReadonlySet<EntryType> {
  const types = text.split(',').map((letter) => {
    const type = TYPE_LETTERS[letter.trim()];
    if (type !== undefined) return type;
    throw new InvalidArgumentError('One of f, d, l, p, s, c and b is expected, or several with commas.');
  });
  return new Set([...before, ...types]);
}

const HELP = `
PATTERN has the wildcards of .gitignore: *, ?, [a-z] and **. Without a / it is compared with names ("*.odt"), with one in
front with whole paths ("/home/*/notes"), else with the end of paths ("letters/*.odt"); a / at its end is for folders alone.
Quote it, so that the shell leaves it alone.

Searched is the newest whole snapshot of each host and its paths, or the one that is chosen; with --history all that count, and
shown is each version of what was found: since when, how large, what changed, and in which snapshots it is.

The search reads no trees but those that changed since the last one: from them it keeps a path index beside the cache of this
machine (cbr cache list shows its size, cbr cache clear removes it). The first search takes longer.
${MOMENT_HELP}

Examples:
  $ cbr find '*.odt'
  $ cbr find --history 'letters/*.odt'
  $ cbr find --at '2 days ago' --type f --larger 1GiB '*'
  $ cbr find --history --newer 2026-11-01 -i 'report*'`;

export const find: CommandModule = {
  configure(command: Command): void {
    command
      .argument('<pattern...>', 'what is looked for')
      .option('--history', 'all versions in all snapshots that count')
      .option('--snapshot <snapshot>', 'search this one: an id, the beginning of one, latest or latest~N')
      .option('-i, --ignore-case', 'the case of letters does not matter')
      .option('-l, --long', 'mode, owner, size and time as well')
      .option(
        '--type <types>',
        'f: files, d: folders, l: symlinks; p, s, c, b: fifos, sockets, devices',
        parseTypes,
      )
      .option('--newer <time>', 'modified at that time or later', parseMoment)
      .option('--older <time>', 'modified before that time', parseMoment)
      .option('--larger <size>', 'files of at least that size', parseSize)
      .option('--smaller <size>', 'files of at most that size', parseSize);
    declareChoice(command);
    command.addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    const patterns = compilePathPatterns(command.processedArgs[0] as string[], flags.ignoreCase ?? false);
    const { type, newer, older, larger, smaller } = flags;
    const request = { patterns, filter: { types: type, newer, older, larger, smaller } };
    return withRepository(context, async (repository) => {
      const listed = await listSnapshots(repository);
      const wanted = await searched(repository, listed, command);
      if (flags.history !== true) for (const each of wanted) noteIfPartial(context.output, each);
      const counts = { paths: 0, versions: 0 };
      const use = await withPathIndex(context, repository, listed, wanted, (index) => {
        if (flags.history === true) showHistory(context, index, wanted, request, counts);
        else showFound(context, index, wanted, request, flags.long ?? false, counts);
      });
      if (counts.paths === 0)
        context.output.line(`Nothing was found in ${countOf(wanted.length, 'snapshot')}.`);
      return {
        exitCode: use.isWhole ? EXIT.done : EXIT.damage,
        summary: { snapshots: wanted.length, ...counts, ...use.fields },
      };
    });
  },
};

interface Request {
  readonly patterns: PathPatterns;
  readonly filter: StateFilter;
}

/** The snapshots that are searched, oldest first. */
async function searched(
  repository: Repository,
  listed: ListedSnapshots,
  command: Command,
): Promise<readonly Snapshot[]> {
  const { history = false, snapshot } = command.opts<Flags>();
  const choice = choiceOf(command);
  if (snapshot !== undefined) return [await chosenSnapshot(repository, snapshot, choice)];
  const { at } = choice;
  const matching = filterSnapshots(listed.snapshots, choice);
  const inTime = at === undefined ? matching : matching.filter(({ about }) => compareTimes(about, at) <= 0);
  if (inTime.length === 0 && listed.snapshots.length > 0) throw noneToSearch(choice, at);
  return history ? inTime : newestOfGroups(inTime);
}

interface Counts {
  paths: number;
  versions: number;
}

/** Snapshot by snapshot: what is there. */
function showFound(
  { output }: CommandContext,
  index: PathIndex,
  snapshots: readonly Snapshot[],
  { patterns, filter }: Request,
  isLong: boolean,
  counts: Counts,
): void {
  for (const snapshot of snapshots) {
    const before = counts.paths;
    for (const { path, versions } of findPaths(index, snapshotGroups([snapshot], index), patterns, filter)) {
      if (output.isOver) return;
      const { state } = versions[0]!;
      if (state === undefined) continue;
      if (counts.paths === before) output.line(headingOf(snapshot));
      counts.paths++;
      counts.versions++;
      output.item(foundFields(path, state, snapshot), () =>
        isLong ? longStateLine(path, state) : displayPath(path),
      );
    }
  }
}

function headingOf(snapshot: Snapshot): string {
  const { id, about } = snapshot;
  return `Snapshot ${id.slice(0, ID_DIGITS)} of ${timeText(about)}, ${sourceText(snapshot)}`;
}

/** Path by path: what it was. */
function showHistory(
  { output }: CommandContext,
  index: PathIndex,
  snapshots: readonly Snapshot[],
  { patterns, filter }: Request,
  counts: Counts,
): void {
  const groups = snapshotGroups(snapshots, index);
  for (const history of findPaths(index, groups, patterns, filter)) {
    if (output.isOver) return;
    counts.paths++;
    const source = groups.length === 1 ? '' : `  (${sourceText(history.versions[0]!.first)})`;
    output.line(`${displayPath(history.path)}${source}`);
    for (const version of history.versions) {
      counts.versions++;
      output.item(versionFields(history, version), () => versionLine(version));
    }
  }
}
