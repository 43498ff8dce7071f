import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import type { Repository } from '../../repo/index.js';
import { filterText, listSnapshots, type RepositoryStats, repositoryStats } from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { tellDamaged } from '../damaged-records.js';
import { MOMENT_HELP } from '../moments.js';
import { wholeNumber } from '../parse-number.js';
import { withRepository } from '../repository.js';
import { countOf, countText, sizeText } from '../sizes.js';
import { choiceOf, declareChoice, NAMES_HELP } from '../snapshot-choice.js';
import { declareListFilter, listFilterOf } from '../snapshot-list-flags.js';
import { parseShareKind, type ShareKind, showShares } from '../stats-shares.js';
import { type StatsRequest, showEach, showTogether } from '../stats-snapshots.js';
import { compressedText, deduplicatedText, ratio } from '../stats-text.js';
import { labelled } from '../table.js';

interface Flags {
  readonly free?: boolean;
  readonly each?: boolean;
  readonly by?: ShareKind;
  readonly depth?: number;
  readonly top?: number;
}

const HELP = `${NAMES_HELP}
Without any, and without an option that chooses some, the whole repository is meant.

Sizes: what the files of the snapshots are long; their content, each chunk once, before compression; and what that takes as it is
stored. Of a block that holds more than is meant, each chunk counts with its part of the block.

What --free and --each tell is the content that no other snapshot reaches, and its part of the blocks. It is free after a forget and
a prune; a prune may leave a part of it in packs that are hardly worth rewriting (see: cbr prune --help). What two snapshots share
with each other only is free when both are forgotten: name both with --free. All trees of all snapshots are read for it.
${MOMENT_HELP}

Examples:
  $ cbr stats
  $ cbr stats latest --host dove
  $ cbr stats --free --before '1 year ago'
  $ cbr stats --each
  $ cbr stats latest:/home/ann --by folder --depth 2
  $ cbr stats latest --by type --top 10`;

export const stats: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[snapshot...]', 'what to measure, all of them together; with --by one, and :PATH may follow')
      .option('--free', 'also what would be free if these were forgotten')
      .option('--each', 'for each snapshot by itself what would be free if it alone were forgotten')
      .option(
        '--by <what>',
        'the files of one snapshot by their type (extension), or by folder',
        parseShareKind,
      )
      .option('--depth <n>', 'how many levels of folders (default: 1)', wholeNumber(1, 1000))
      .option(
        '--top <n>',
        'how many types or folders, the largest first (default: 20)',
        wholeNumber(1, 999_999),
      );
    declareListFilter(command, declareChoice);
    command.addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const { free = false, each = false, by, depth, top } = command.opts<Flags>();
    const names = command.processedArgs[0] as readonly string[];
    const choice = { ...choiceOf(command), ...listFilterOf(command) };
    const isChosen = names.length > 0 || choice.at !== undefined || filterText(choice) !== '';
    refuseMisuse({ free, each, by, depth, top }, isChosen);
    const request: StatsRequest = { names, choice, free };
    return withRepository(context, (repository) => {
      if (by !== undefined)
        return showShares(context, repository, request, { by, depth: depth ?? 1, top: top ?? 20 });
      if (each) return showEach(context, repository, request);
      return isChosen ? showTogether(context, repository, request) : showRepository(context, repository);
    });
  },
};

function refuseMisuse(
  { free, each, by, depth, top }: { [Name in keyof Flags]: Flags[Name] | undefined },
  isChosen: boolean,
): void {
  const refuse = (message: string, hint: string): never => {
    throw new CbrError('usage', message, { hint });
  };
  if (by !== undefined && (free === true || each === true)) {
    refuse('--by and --free or --each exclude each other', 'Leave one of them out.');
  }
  if (by === undefined && top !== undefined) refuse('--top is for --by', 'Add --by type or --by folder.');
  if (by !== 'folder' && depth !== undefined) refuse('--depth is for --by folder', 'Add --by folder.');
  if (free === true && each !== true && !isChosen) {
    refuse('--free needs snapshots', 'Name some, or give --each for every one by itself.');
  }
}

async function showRepository({ output }: CommandContext, repository: Repository): Promise<Outcome> {
  // First: what is read for it serves the other as well.
  const listed = await listSnapshots(repository);
  const found = await repositoryStats(repository);
  for (const line of labelled(rowsOf(found))) output.line(line);
  return { exitCode: tellDamaged(output, listed), summary: summaryFields(found) };
}

function rowsOf({
  snapshots,
  packs,
  segments,
  chunks,
  sourceBytes,
  plainBytes,
  storedBytes,
}: RepositoryStats) {
  return [
    ['Snapshots', `${countText(snapshots)}, ${sizeText(sourceBytes)} of files in all of them`],
    ['Content', deduplicatedText(plainBytes, sourceBytes)],
    ['Stored', compressedText(storedBytes, plainBytes)],
    [
      'Objects',
      `${countOf(packs, 'pack')}, ${countOf(segments, 'index segment')}, ${countOf(chunks, 'chunk')}`,
    ],
  ] as const;
}

function summaryFields(found: RepositoryStats): Readonly<Record<string, unknown>> {
  const { snapshots, packs, segments, chunks, sourceBytes, plainBytes, storedBytes, treeBytes } = found;
  return {
    snapshots,
    packs,
    segments,
    chunks,
    bytes: { source: sourceBytes, unique: plainBytes, stored: storedBytes, trees: treeBytes },
    deduplication: ratio(sourceBytes, plainBytes),
    compression: ratio(plainBytes, storedBytes),
  };
}
