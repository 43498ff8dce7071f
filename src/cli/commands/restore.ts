import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import {
  type RestoreOptions,
  type RestoreSummary,
  restoreSnapshot,
  startRestoreWorkers,
} from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { confirmingDeletions } from '../confirm-deletions.js';
import { shownBy } from '../events.js';
import { declareFilters, filterRulesOf } from '../filter-flags.js';
import { HurtDiscs } from '../hurt-discs.js';
import { MOMENT_HELP } from '../moments.js';
import { noteIfLacking } from '../partial-text.js';
import { withRepository } from '../repository.js';
import { CONTROL_HELP, declareRestoreControl, restoreControlOf } from '../restore-flags.js';
import { printRestoreSummary, restoreExitCode, restoreSummaryFields } from '../restore-text.js';
import { sizeText } from '../sizes.js';
import { choiceOf, chosenSnapshot, declareChoice, SNAPSHOT_HELP, wantedOf } from '../snapshot-choice.js';
import { refuseSystemTarget } from '../system-target.js';

interface Flags {
  readonly target: string;
  readonly dryRun?: boolean;
  readonly verify?: boolean;
  readonly allowSystemTarget?: boolean;
}

const HELP = `${SNAPSHOT_HELP}
Without a path the full source paths appear below the target. A folder's contents come directly into the target.
A pattern with a '/' in it begins at what is restored: with latest:/home/ann, --include letters/new means
/home/ann/letters/new; with latest alone, --include home/ann/letters/new does.
${MOMENT_HELP}
${CONTROL_HELP}

Examples:
  $ cbr restore latest --target /tmp/restored
  $ cbr restore latest:/home/ann --target /home/ann/again --overwrite if-changed
  $ cbr restore latest --target /tmp/photos --include '*.jpg' --flatten
  $ cbr restore latest~1:/home/ann/letters --target ~/letters-before
  $ cbr restore --at 'yesterday 18:00' :/home/ann/letters --target ~/letters-of-yesterday`;

export const restore: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[snapshot[:path]]', 'what to restore')
      .requiredOption('--target <folder>', 'where to; made when it does not exist')
      .option('--dry-run', 'show what would be restored, write nothing')
      .option('--verify', 'read every file again and compare it with the snapshot')
      .option(
        '--allow-system-target',
        'restore also into /, /usr, /etc, /var/lib and the like, or the home folder itself',
      );
    declareRestoreControl(command);
    declareFilters(command, 'tree');
    declareChoice(command);
    command.addHelpText('after', HELP);
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    if (flags.target === '') {
      throw new CbrError('usage', '--target is empty', { hint: 'Name a folder, "." for this one.' });
    }
    if (flags.allowSystemTarget !== true) refuseSystemTarget(flags.target);
    const { deletes, isAgreed, ...control } = restoreControlOf(command);
    const choice = choiceOf(command);
    const wanted = wantedOf(command.processedArgs[0] as string | undefined, choice);
    const rules = await filterRulesOf(command);
    const { threads } = context.options;
    const workers = flags.dryRun === true ? undefined : startRestoreWorkers(threads);
    const restoring = withRepository(context, async (repository) => {
      const started = performance.now();
      const snapshot = await chosenSnapshot(repository, wanted.snapshot, choice, wanted.path);
      noteIfLacking(context.output, snapshot, wanted.path);
      const options: RestoreOptions = Object.freeze({
        snapshot,
        target: flags.target,
        ...control,
        ...(deletes ? { confirmDeletions: confirmingDeletions(context, isAgreed) } : {}),
        ownFolders: [context.options.cacheRoot],
        rules,
        dryRun: flags.dryRun ?? false,
        verify: flags.verify ?? false,
        threads,
        items: context.output.isVerbose || flags.dryRun === true,
        signal: context.signal,
        ...(wanted.path === undefined ? {} : { path: wanted.path }),
      });
      const hurt = new HurtDiscs(repository.backend);
      const listener = hurt.seenBy(shownBy(context.output, 'target'));
      const summary = await restoreSnapshot(repository, options, listener, workers);
      hurt.tell(context.output);
      noteNothingIncluded(context, options, summary);
      noteMissingRoom(context, summary);
      printRestoreSummary(context.output, options, summary, (performance.now() - started) / 1000);
      return { exitCode: restoreExitCode(summary), summary: restoreSummaryFields(options, summary) };
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
  const { files, others, skippedExisting, unchanged, lost, folders } = summary;
  if (options.rules.include.length === 0 || files + others + skippedExisting + unchanged + lost + folders > 0)
    return;
  output.problem({
    severity: 'note',
    about: 'target',
    reason: 'nothing matches --include: nothing was restored',
    hint: 'A pattern with a / in it begins at what is restored; cbr ls shows the paths.',
  });
}

/** A preview tells what would stop the restore before it begins. */
function noteMissingRoom({ output }: CommandContext, { missingRoom }: RestoreSummary): void {
  if (missingRoom === 0) return;
  output.problem({
    severity: 'error',
    about: 'target',
    code: 'ENOSPC',
    reason: `the target has too little room: ${sizeText(missingRoom)} more would be needed`,
    hint: 'The restore would stop before it writes anything.',
  });
}
