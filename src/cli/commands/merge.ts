import { type Command, Option } from 'commander';
import { type Repository, requireRemoval } from '../../repo/index.js';
import { type Merged, type MergeRequest, mergeSnapshots, type NewWords } from '../../snapshot/index.js';
import { byWhom } from '../by-whom.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { shortText } from '../parse-text.js';
import { withRepository } from '../repository.js';
import { describedSnapshot, holdsText, itemsOf, resultFields, storedAgainLine } from '../rewritten-text.js';
import { countOf } from '../sizes.js';
import { choiceOf, chosenSnapshots, declareChoice, NAMES_HELP } from '../snapshot-choice.js';
import { currentTime, parseTime, type ZonedTime } from '../times.js';

interface Flags {
  readonly prefer: MergeRequest['prefer'];
  readonly newHost?: string;
  readonly newTime?: ZonedTime;
  readonly forget?: boolean;
  readonly dryRun?: boolean;
}

const HELP = `${NAMES_HELP}

The new snapshot has every path that any of them has. Folders are united; where anything else differs, one is taken. Its time,
host, level and comment are those of the newest of them, its sources and tags those of all. The old ones stay until they are
forgotten.

Examples:
  $ cbr merge 3f0a1b2c 77e1d0a9 --dry-run
  $ cbr merge latest~1 latest --prefer first --forget`;

export const merge: CommandModule = {
  configure(command: Command): void {
    command
      .argument('<snapshot...>', 'two snapshots or more')
      .addOption(
        new Option(
          '--prefer <which>',
          'what is taken where they differ: of the newest snapshot, of the first that is named, or what was modified last',
        )
          .choices(['newest', 'first', 'modified'])
          .default('newest'),
      )
      .option('--new-host <host>', 'what host it says it is of', shortText)
      .addOption(new Option('--new-time <time>', 'the time it bears').argParser(parseTime))
      .option('--forget', 'forget the old snapshots once the new one is there')
      .option('--dry-run', 'show what would become of them, and change nothing');
    declareChoice(command);
    command.addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    return withRepository(context, (repository) => mergeAll(context, command, repository));
  },
};

async function mergeAll(
  { output, signal }: CommandContext,
  command: Command,
  repository: Repository,
): Promise<Outcome> {
  const { prefer, newHost, newTime, forget = false, dryRun = false } = command.opts<Flags>();
  const names = command.processedArgs[0] as readonly string[];
  const snapshots = await chosenSnapshots(repository, names, choiceOf(command));
  const words: NewWords = {
    ...(newHost === undefined ? {} : { host: newHost }),
    ...(newTime === undefined ? {} : { time: newTime }),
  };
  if (forget && !dryRun) requireRemoval(repository.backend, 'forgetting');
  const options = { forget, dryRun, by: byWhom(), nowSeconds: currentTime().seconds, signal };
  const listener = itemsOf(output, output.isVerbose || dryRun);
  const merged = await mergeSnapshots(repository, snapshots, { prefer, words }, options, listener);
  for (const line of mergedLines(merged, forget, dryRun)) output.line(line);
  const { different, conflicts } = merged;
  return {
    exitCode: EXIT.done,
    summary: {
      ...resultFields(merged),
      different,
      conflicts,
      storedAgain: merged.storedAgain,
      ...(merged.isPartial ? { partial: true } : {}),
      ...(dryRun ? { dryRun } : {}),
    },
  };
}

function mergedLines(merged: Merged, forget: boolean, dryRun: boolean): string[] {
  const { from, state, snapshot, left, different, conflicts, forgotten, storedAgain } = merged;
  if (state === 'unchanged') {
    const made = `${describedSnapshot(snapshot!)} has all that the others have: nothing was made`;
    return [forget && !dryRun ? `${made}, and nothing was forgotten.` : `${made}.`];
  }
  const what = `${from.length} snapshots`;
  const holds = holdsText(left);
  const lines = [
    dryRun
      ? `${what} would become one of ${holds}.`
      : `${what} ${state === 'there' ? 'had become' : 'became'} ${snapshot!.id}, of ${holds}.`,
  ];
  if (different > 0) {
    const paths = `${countOf(different, 'path')} ${different === 1 ? 'differs' : 'differ'}`;
    const them =
      conflicts === 0
        ? ''
        : `, ${conflicts} of them ${conflicts === 1 ? 'a folder' : 'folders'} in some only`;
    lines.push(`${paths}${them}: one of each was taken.`);
  }
  if (merged.isPartial) {
    lines.push(
      `It is ${dryRun ? 'to be ' : ''}partial: what a partial one of them did not reach may be missing.`,
    );
  }
  const again = storedAgainLine(storedAgain);
  if (again !== undefined) lines.push(again);
  if (forget && !dryRun) lines.push(`${countOf(forgotten.length, 'snapshot')} forgotten.`);
  return lines;
}
