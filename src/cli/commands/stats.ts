import type { Command } from 'commander';
import { type RepositoryStats, repositoryStats } from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { withRepository } from '../repository.js';
import { countOf, countText, sizeText } from '../sizes.js';
import { labelled } from '../table.js';

export const stats: CommandModule = {
  configure(command: Command): void {
    command.addHelpText('after', '\nExample:\n  $ cbr stats');
  },

  run(context: CommandContext): Promise<Outcome> {
    return withRepository(context, async (repository) => {
      const found = await repositoryStats(repository);
      for (const line of labelled(rowsOf(found))) context.output.line(line);
      return { exitCode: EXIT.done, summary: summaryFields(found) };
    });
  },
};

/** How many times smaller; nothing to say of nothing. */
function ratio(before: number, after: number): number | undefined {
  return before > 0 && after > 0 ? Math.round((before / after) * 100) / 100 : undefined;
}

function withRatio(bytes: number, times: number | undefined, how: string): string {
  return times === undefined ? sizeText(bytes) : `${sizeText(bytes)}, ${how} ${times.toFixed(2)} times`;
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
    ['Content', withRatio(plainBytes, ratio(sourceBytes, plainBytes), 'deduplicated')],
    ['Stored', withRatio(storedBytes, ratio(plainBytes, storedBytes), 'compressed')],
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
