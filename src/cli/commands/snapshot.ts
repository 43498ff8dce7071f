import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { localFailure } from '../../backends/index.js';
import type { FilterRules } from '../../fs/index.js';
import { openRepository, type Repository } from '../../repo/index.js';
import {
  intakePool,
  type Level,
  type TakeOptions,
  type TakeSummary,
  takeSnapshot,
} from '../../snapshot/index.js';
import { userName } from '../by-whom.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { shownBy } from '../events.js';
import { EXIT } from '../exit-codes.js';
import { declareFilters, filterRulesOf } from '../filter-flags.js';
import {
  declareInputs,
  explained,
  INPUT_EXAMPLES,
  INPUT_HELP,
  type InputOptions,
  inputsOf,
} from '../input-flags.js';
import { wholeNumber } from '../parse-number.js';
import { gatheredWords, shortText } from '../parse-text.js';
import { notePartial } from '../partial-text.js';
import { rawListField } from '../raw-names.js';
import { closingAfter, openOptions, openOrMakeRepository } from '../repository.js';
import { countOf, countText, sizeText } from '../sizes.js';
import { declareSources, type SourceOptions, sourcesOf } from '../source-flags.js';
import { labelled } from '../table.js';
import { currentTime, isoTime, parseTime, spanText, type ZonedTime } from '../times.js';
import { DEFAULT_PARAMETERS, PASSWORD_WARNING } from './init.js';

interface Flags {
  readonly tag?: readonly string[];
  readonly comment?: string;
  readonly job?: string;
  readonly host: string;
  readonly time?: ZonedTime;
  readonly level?: Level;
  readonly oneFileSystem?: boolean;
  readonly compression?: number;
  readonly dryRun?: boolean;
  readonly init?: boolean;
}

/** Clocks may differ by so much. */
const FUTURE_SECONDS = 60;

const HELP = `
Patterns are those of .gitignore. One with a '/' before its end begins at each path that is taken in, or is the full
path of something below it; '!' in front takes back what earlier ones say. Of those on the command line, and in the
files named there, the last that matches decides; then those of ignore files are asked, the nearest first.
What --include does not match is left out; the other rules leave out more. A path that is named itself, as an argument
or in a list, is always taken. --dry-run shows what is left out, and by which rule.

${INPUT_HELP}
Examples:
  $ cbr snapshot --one-file-system / /home --exclude '/var/cache' --tag nightly
  $ cbr snapshot ~/src --ignore-file .gitignore --exclude-caches --exclude-larger-than 1GiB${INPUT_EXAMPLES}`;

export const snapshot: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[path...]', 'files and folders to take in, or the words of a command')
      .option('--tag <tag>', 'a tag; may be given several times', gatheredWords)
      .option('--comment <text>', 'a comment')
      .option('--job <name>', 'the name of the job this snapshot belongs to', shortText)
      .option('--host <host>', 'the name of this machine', shortText, hostname())
      .addOption(new Option('--time <time>', 'the time it bears (default: now)').argParser(parseTime))
      .addOption(
        new Option(
          '--level <level>',
          'full reads every file again (default: full the first time, then incr)',
        ).choices(['full', 'diff', 'incr']),
      )
      .option('-x, --one-file-system', 'do not go into other file systems')
      .option(
        '--compression <level>',
        'zstd level, 0 to 22 (default: that of the repository)',
        wholeNumber(0, 22),
      )
      .option('--dry-run', 'show what would be taken in, store nothing')
      .option('--init', 'make the repository if there is none');
    declareFilters(command, 'source');
    declareSources(command);
    declareInputs(command);
    command.addHelpText('after', HELP);
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    const { time = currentTime() } = flags;
    const inputs = inputsOf(command, context, time);
    const isStream = inputs.options.stream !== undefined;
    const sources = isStream ? { paths: [] } : await sourcesOf(command, context.signal);
    const given = { ...sources, ...inputs.options, time };
    const options = takeOptions(given, flags, await filterRulesOf(command), context);
    const pool = intakePool(options.threads);
    // It loads its code while the password is stretched.
    if (!options.dryRun) pool.warmUp(1);
    try {
      const repository = await open(inputs.context, flags.init === true && !options.dryRun);
      return await closingAfter(repository, context, async () => {
        const listener = shownBy(context.output, 'source');
        const { location } = repository.backend;
        const summary = await takeSnapshot(repository, { ...options, pool }, listener).catch((error) => {
          // Packs are written by threads, whose errors tell the call that failed and not where.
          throw localFailure(`storing in ${location} failed`, explained(error, context.output));
        });
        noteNothingIncluded(context, options, summary);
        warnOfFuture(context, options);
        if (summary.partial) notePartial(context);
        printSummary(context, options, summary);
        return {
          exitCode: isIncomplete(summary) ? EXIT.incomplete : EXIT.done,
          summary: summaryFields(options, summary),
        };
      });
    } finally {
      await inputs.close();
      await pool.close();
    }
  },
};

/** What was stored while it changed belongs to no one moment. */
function isIncomplete({ errors, changed, partial }: TakeSummary): boolean {
  return errors > 0 || changed > 0 || partial;
}

type ZonedTakeOptions = TakeOptions & { readonly time: ZonedTime };

function takeOptions(
  given: SourceOptions & InputOptions & { readonly time: ZonedTime },
  flags: Flags,
  rules: FilterRules,
  { options, output, signal }: CommandContext,
): ZonedTakeOptions {
  const { comment, job, level, compression } = flags;
  return Object.freeze({
    ...given,
    tags: flags.tag ?? [],
    host: flags.host,
    user: userName(),
    zoneOffset: given.time.zoneOffset,
    rules,
    oneFileSystem: flags.oneFileSystem ?? false,
    dryRun: flags.dryRun ?? false,
    threads: options.threads,
    forecast: output.showsProgress,
    items: output.isVerbose || flags.dryRun === true,
    ownFolders: [options.cacheRoot],
    signal,
    ...(comment === undefined ? {} : { comment }),
    ...(job === undefined ? {} : { job }),
    ...(level === undefined ? {} : { level }),
    ...(compression === undefined ? {} : { compression }),
  });
}

async function open(context: CommandContext, mayMake: boolean): Promise<Repository> {
  if (!mayMake) return openRepository(openOptions(context, 'open'));
  const { repository, isNew } = await openOrMakeRepository(context, DEFAULT_PARAMETERS);
  if (isNew) {
    context.output.remark(`Made a repository in ${repository.backend.location}.`);
    context.output.remark(PASSWORD_WARNING);
  }
  return repository;
}

/** Until then it is the latest one, whatever is taken meanwhile. */
function warnOfFuture({ output }: CommandContext, { time, zoneOffset }: ZonedTakeOptions): void {
  if (time.seconds <= currentTime().seconds + FUTURE_SECONDS) return;
  output.problem({
    severity: 'warning',
    about: 'repository',
    reason: `the snapshot bears a time in the future: until ${isoTime(time, zoneOffset)} 'latest' means it`,
    hint: 'Forget it, and take it again with another --time.',
  });
}

/** A pattern that is anchored elsewhere than its author thought should not pass for a backup. */
function noteNothingIncluded({ output }: CommandContext, { rules }: TakeOptions, summary: TakeSummary): void {
  const { files, others } = summary.statistics;
  if (rules.include.length === 0 || files + others > 0) return;
  output.problem({
    severity: 'note',
    about: 'source',
    reason: 'nothing matches --include: no file is in the snapshot',
    hint: "A pattern with a / in it begins at each path that is taken in; '-v --dry-run' shows what is left out.",
  });
}

function printSummary({ output }: CommandContext, options: TakeOptions, summary: TakeSummary): void {
  const { snapshot, root, level, parent, statistics } = summary;
  const { newFiles, changedFiles, unchangedFiles, folders, sourceBytes, newBytes, storedBytes } = statistics;
  const kind = summary.partial ? `partial, ${level}` : level;
  const comparison = parent === undefined ? kind : `${kind}, after ${parent.slice(0, 8)}`;
  // A file that was stopped in its middle has stored something, and is not in the snapshot.
  const part = newBytes > sourceBytes ? 'read were' : 'of which';
  const bytes = `${sizeText(sourceBytes)}, ${part} ${sizeText(newBytes)} new`;
  const rows: [string, string][] = [
    ['Snapshot', snapshot === undefined ? `none, a dry run (${comparison})` : `${snapshot} (${comparison})`],
    // Of a dry run it would name what nothing holds.
    ...(options.dryRun ? [] : [['Root', root] as [string, string]]),
    [
      'Files',
      `${countText(newFiles)} new, ${countText(changedFiles)} changed, ${countText(unchangedFiles)} unchanged; ${countOf(folders, 'folder')}`,
    ],
    // A dry run reads no content: it cannot tell what of it is stored already.
    ['Size', options.dryRun ? sizeText(sourceBytes) : `${bytes}, stored as ${sizeText(storedBytes)}`],
    ['Time', spanText(statistics.milliseconds / 1000)],
  ];
  for (const line of labelled(rows)) output.line(line);
  output.repeatProblems();
}

/** The summary of docs/json.md. */
function summaryFields(options: ZonedTakeOptions, summary: TakeSummary): Readonly<Record<string, unknown>> {
  const { statistics } = summary;
  return {
    snapshot: summary.snapshot,
    root: summary.root,
    parent: summary.parent,
    level: summary.level,
    time: isoTime(options.time, options.zoneOffset),
    host: options.host,
    user: options.user,
    ...rawListField('paths', summary.paths),
    tags: options.tags,
    comment: options.comment,
    job: options.job,
    files: {
      new: statistics.newFiles,
      changed: statistics.changedFiles,
      unchanged: statistics.unchangedFiles,
    },
    others: statistics.others,
    folders: statistics.folders,
    bytes: { source: statistics.sourceBytes, new: statistics.newBytes, stored: statistics.storedBytes },
    verifySeconds: summary.verifySeconds,
    ...(summary.partial ? { partial: true } : {}),
    ...(options.dryRun ? { dryRun: true } : {}),
  };
}
