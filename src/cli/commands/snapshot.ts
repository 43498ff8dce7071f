import { readFile } from 'node:fs/promises';
import { hostname } from 'node:os';
import { type Command, Option } from 'commander';
import { localFailure } from '../../backends/index.js';
import { CbrError, messageOf } from '../../core/index.js';
import { patternsIn, rawPath } from '../../fs/index.js';
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
import { wholeNumber } from '../parse-number.js';
import { gathered, gatheredWords, shortText } from '../parse-text.js';
import { rawListField } from '../raw-names.js';
import { closingAfter, openOptions, openOrMakeRepository } from '../repository.js';
import { countOf, countText, sizeText } from '../sizes.js';
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
  readonly exclude?: readonly string[];
  readonly excludeFile?: readonly string[];
  readonly oneFileSystem?: boolean;
  readonly compression?: number;
  readonly dryRun?: boolean;
  readonly init?: boolean;
}

export const snapshot: CommandModule = {
  configure(command: Command): void {
    command
      .argument('<path...>', 'files and folders to take in')
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
      .option(
        '--exclude <pattern>',
        'leave out what matches, as in .gitignore below each path; several times',
        gathered,
      )
      .option('--exclude-file <file>', 'a file of such patterns, one a line; several times', gathered)
      .option('-x, --one-file-system', 'do not go into other file systems')
      .option(
        '--compression <level>',
        'zstd level, 0 to 22 (default: that of the repository)',
        wholeNumber(0, 22),
      )
      .option('--dry-run', 'show what would be taken in, store nothing')
      .option('--init', 'make the repository if there is none')
      .addHelpText(
        'after',
        "\nA pattern with a '/' in it begins at each path that is taken in, or is the full path of what to leave out below it.\n\nExample:\n  $ cbr snapshot --one-file-system / /home --exclude '/var/cache' --tag nightly",
      );
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    const options = await takeOptions(command.processedArgs[0] as readonly string[], flags, context);
    const pool = intakePool(options.threads);
    // It loads its code while the password is stretched.
    if (!options.dryRun) pool.warmUp(1);
    try {
      const repository = await open(context, flags.init === true && !options.dryRun);
      return await closingAfter(repository, context, async () => {
        const listener = shownBy(context.output, 'source');
        const { location } = repository.backend;
        const summary = await takeSnapshot(repository, { ...options, pool }, listener).catch((error) => {
          // Packs are written by threads, whose errors tell the call that failed and not where.
          throw localFailure(`storing in ${location} failed`, error);
        });
        printSummary(context, options, summary);
        return {
          exitCode: summary.errors > 0 ? EXIT.incomplete : EXIT.done,
          summary: summaryFields(options, summary),
        };
      });
    } finally {
      await pool.close();
    }
  },
};

type ZonedTakeOptions = TakeOptions & { readonly time: ZonedTime };

async function takeOptions(
  paths: readonly string[],
  flags: Flags,
  { options, output, signal }: CommandContext,
): Promise<ZonedTakeOptions> {
  const { comment, job, level, compression, time = currentTime() } = flags;
  const patterns = await Promise.all((flags.excludeFile ?? []).map(readPatterns));
  return Object.freeze({
    paths,
    tags: flags.tag ?? [],
    host: flags.host,
    user: userName(),
    time,
    zoneOffset: time.zoneOffset,
    exclude: [...(flags.exclude ?? []), ...patterns.flat()],
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

async function readPatterns(file: string): Promise<readonly string[]> {
  try {
    return patternsIn(await readFile(file));
  } catch (cause) {
    throw new CbrError('usage', `cannot read the exclude file: ${messageOf(cause)}`, { cause });
  }
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

function printSummary({ output }: CommandContext, options: TakeOptions, summary: TakeSummary): void {
  const { snapshot, root, level, parent, statistics } = summary;
  const { newFiles, changedFiles, unchangedFiles, folders, sourceBytes, newBytes, storedBytes } = statistics;
  const comparison = parent === undefined ? level : `${level}, after ${parent.slice(0, 8)}`;
  const bytes = `${sizeText(sourceBytes)}, of which ${sizeText(newBytes)} new`;
  const rows: [string, string][] = [
    ['Snapshot', snapshot === undefined ? `none, a dry run (${comparison})` : `${snapshot} (${comparison})`],
    ['Root', root],
    [
      'Files',
      `${countText(newFiles)} new, ${countText(changedFiles)} changed, ${countText(unchangedFiles)} unchanged; ${countOf(folders, 'folder')}`,
    ],
    ['Size', options.dryRun ? bytes : `${bytes}, stored as ${sizeText(storedBytes)}`],
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
    ...rawListField('paths', options.paths.map(rawPath)),
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
    ...(options.dryRun ? { dryRun: true } : {}),
  };
}
