import { readFile } from 'node:fs/promises';
import { hostname, userInfo } from 'node:os';
import { type Command, Option } from 'commander';
import { CbrError, messageOf } from '../../core/index.js';
import { patternsIn } from '../../fs/index.js';
import { openRepository, type Repository } from '../../repo/index.js';
import { type Level, type TakeOptions, type TakeSummary, takeSnapshot } from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { shownBy } from '../events.js';
import { EXIT } from '../exit-codes.js';
import { gathered, wholeNumber } from '../parse-number.js';
import { closingAfter, makeRepository, openOptions } from '../repository.js';
import { countOf, countText, sizeText } from '../sizes.js';
import { labelled } from '../table.js';
import { isoTime, localOffset, parseTime, spanText, type ZonedTime } from '../times.js';
import { DEFAULT_PARAMETERS, PASSWORD_WARNING } from './init.js';

interface Flags {
  readonly tag?: readonly string[];
  readonly comment?: string;
  readonly job?: string;
  readonly host?: string;
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
      .option('--tag <tag>', 'a tag; may be given several times', gathered)
      .option('--comment <text>', 'a comment')
      .option('--job <name>', 'the name of the job this snapshot belongs to')
      .option('--host <host>', 'the name of this machine', hostname())
      .addOption(new Option('--time <time>', 'the time it bears (default: now)').argParser(parseTime))
      .addOption(
        new Option('--level <level>', 'full reads every file again (default: full the first time, then incr)')
          .choices(['full', 'diff', 'incr']),
      )
      .option('--exclude <pattern>', 'leave out what matches, as in .gitignore; several times', gathered)
      .option('--exclude-file <file>', 'a file of such patterns, one a line; several times', gathered)
      .option('-x, --one-file-system', 'do not go into other file systems')
      .option('--compression <level>', 'zstd level, 0 to 22 (default: that of the repository)', wholeNumber(0, 22))
      .option('--dry-run', 'show what would be taken in, store nothing')
      .option('--init', 'make the repository if there is none')
      .addHelpText(
        'after',
        "\nExample:\n  $ cbr snapshot --one-file-system / /home --exclude '/var/cache' --tag nightly",
      );
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    const options = await takeOptions(command.processedArgs[0] as readonly string[], flags, context);
    const repository = await openOrMake(context, flags.init === true && !options.dryRun);
    return closingAfter(repository, context, async () => {
      const { output } = context;
      const summary = await takeSnapshot(repository, options, shownBy(output, 'source'));
      printSummary(context, options, summary);
      const exitCode = summary.errors > 0 ? EXIT.incomplete : EXIT.done;
      return { exitCode, summary: summaryFields(options, summary) };
    });
  },
};

async function takeOptions(
  paths: readonly string[],
  flags: Flags,
  { options, output, signal }: CommandContext,
): Promise<TakeOptions & { readonly time: ZonedTime }> {
  const files = await Promise.all((flags.excludeFile ?? []).map(readPatterns));
  return Object.freeze({
    paths,
    tags: flags.tag ?? [],
    host: flags.host ?? hostname(),
    user: userName(),
    time: flags.time ?? now(),
    zoneOffset: (flags.time ?? now()).zoneOffset,
    exclude: [...(flags.exclude ?? []), ...files.flat()],
    oneFileSystem: flags.oneFileSystem ?? false,
    dryRun: flags.dryRun ?? false,
    threads: options.threads,
    items: output.isVerbose || flags.dryRun === true,
    ownFolders: [options.cacheRoot],
    signal,
    ...(flags.comment === undefined ? {} : { comment: flags.comment }),
    ...(flags.job === undefined ? {} : { job: flags.job }),
    ...(flags.level === undefined ? {} : { level: flags.level }),
    ...(flags.compression === undefined ? {} : { compression: flags.compression }),
  });
}
