import { resolve } from 'node:path';
import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import {
  type RestoreOptions,
  type RestoreSummary,
  restoreSnapshot,
  startRestoreWorkers,
} from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { shownBy } from '../events.js';
import { EXIT } from '../exit-codes.js';
import { MOMENT_HELP } from '../moments.js';
import { gathered } from '../parse-text.js';
import { withRepository } from '../repository.js';
import { countOf, countText, sizeText } from '../sizes.js';
import { choiceOf, chosenSnapshot, declareChoice, SNAPSHOT_HELP, wantedOf } from '../snapshot-choice.js';
import { labelled } from '../table.js';
import { spanText } from '../times.js';

interface Flags {
  readonly target: string;
  readonly include?: readonly string[];
  readonly exclude?: readonly string[];
  readonly dryRun?: boolean;
  readonly verify?: boolean;
}

const HELP = `${SNAPSHOT_HELP}
Without a path the full source paths appear below the target. A folder's contents come directly into the target.
What exists there is left alone.
A pattern with a '/' in it begins at what is restored: with latest:/home/ann, --include letters/new means
/home/ann/letters/new; with latest alone, --include home/ann/letters/new does.
${MOMENT_HELP}

Examples:
  $ cbr restore latest --target /tmp/restored
  $ cbr restore latest~1:/home/ann/letters --target ~/letters-before
  $ cbr restore --at 'yesterday 18:00' :/home/ann/letters --target ~/letters-of-yesterday`;

export const restore: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[snapshot[:path]]', 'what to restore')
      .requiredOption('--target <folder>', 'where to; made when it does not exist')
      .option('--include <pattern>', 'only what matches, as in .gitignore; several times', gathered)
      .option('--exclude <pattern>', 'leave out what matches, as in .gitignore; several times', gathered)
      .option('--dry-run', 'show what would be restored, write nothing')
      .option('--verify', 'read every file again and compare it with the snapshot');
    declareChoice(command);
    command.addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    if (flags.target === '') {
      throw new CbrError('usage', '--target is empty', { hint: 'Name a folder, "." for this one.' });
    }
    const choice = choiceOf(command);
    const wanted = wantedOf(command.processedArgs[0] as string | undefined, choice);
    const { threads } = context.options;
    const workers = flags.dryRun === true ? undefined : startRestoreWorkers(threads);
    const restoring = withRepository(context, async (repository) => {
      const started = performance.now();
      const snapshot = await chosenSnapshot(repository, wanted.snapshot, choice, wanted.path);
      const options: RestoreOptions = Object.freeze({
        snapshot,
        target: flags.target,
        include: flags.include ?? [],
        exclude: flags.exclude ?? [],
        dryRun: flags.dryRun ?? false,
        verify: flags.verify ?? false,
        threads,
        items: context.output.isVerbose || flags.dryRun === true,
        signal: context.signal,
        ...(wanted.path === undefined ? {} : { path: wanted.path }),
      });
      const listener = shownBy(context.output, 'target');
      const summary = await restoreSnapshot(repository, options, listener, workers);
      noteNothingIncluded(context, options, summary);
      printSummary(context, options, summary, (performance.now() - started) / 1000);
      return {
        exitCode: summary.lost > 0 ? EXIT.damage : EXIT.done,
        summary: summaryFields(options, summary),
      };
    });
    return restoring.finally(() => workers?.close());
  },
};

/** A pattern that is anchored elsewhere than its author thought should not pass for a restore. */
function noteNothingIncluded(
  { output }: CommandContext,
  options: RestoreOptions,
  summary: RestoreSummary,
): void {
  const { files, others, skippedExisting, lost, folders } = summary;
  if (options.include.length === 0 || files + others + skippedExisting + lost + folders > 0) return;
  output.problem({
    severity: 'note',
    about: 'target',
    reason: 'nothing matches --include: nothing was restored',
    hint: 'A pattern with a / in it begins at what is restored; cbr ls shows the paths.',
  });
}

function printSummary(
  { output }: CommandContext,
  options: RestoreOptions,
  summary: RestoreSummary,
  seconds: number,
): void {
  const { files, others, folders, bytes, skippedExisting, lost, metadataProblems, verified } = summary;
  const verb = options.dryRun ? 'Would restore' : 'Restored';
  const rows: [string, string][] = [
    ['Snapshot', options.snapshot.id],
    ['Target', resolve(options.target)],
    [verb, `${countOf(files + others, 'file')} in ${countOf(folders, 'folder')}, ${sizeText(bytes)}`],
  ];
  if (skippedExisting > 0) rows.push(['Existed', `${countText(skippedExisting)}, left alone`]);
  if (lost > 0) rows.push(['Lost', `${countOf(lost, 'file')} could not be restored whole`]);
  if (metadataProblems > 0) rows.push(['Metadata', `${countText(metadataProblems)} could not be set`]);
  if (verified !== undefined) rows.push(['Verified', `${countOf(verified, 'file')} found right`]);
  rows.push(['Time', spanText(seconds)]);
  for (const line of labelled(rows)) output.line(line);
  output.repeatProblems();
}

function summaryFields(options: RestoreOptions, summary: RestoreSummary): Readonly<Record<string, unknown>> {
  const { files, others, folders, bytes, skippedExisting, lost, metadataProblems, verified } = summary;
  return {
    snapshot: options.snapshot.id,
    target: resolve(options.target),
    files: { restored: files + others, skipped: skippedExisting, failed: lost, verified },
    folders,
    bytes: { restored: bytes },
    metadataProblems,
    ...(options.dryRun ? { dryRun: true } : {}),
  };
}
