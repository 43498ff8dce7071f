import type { Command } from 'commander';
import { isAlive } from '../../core/index.js';
import { type PruneStatus, pruneStatus } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { type PruneFlags, parseUnused, runPrune, sessionText } from '../prune-run.js';
import { withRepository } from '../repository.js';
import { countOf, parseSize, sizeText } from '../sizes.js';

interface Flags extends PruneFlags {
  readonly status?: boolean;
}

export const prune: CommandModule = {
  configure(command: Command): void {
    command
      .option(
        '--max-unused <limit>',
        'how much may stay that nothing uses: 5%, a size such as 5GiB, 0, unlimited (default: 5%)',
        parseUnused,
      )
      .option('--max-repack <size>', 'rewrite packs of this size in all at most', parseSize)
      .option('--wait', 'wait for running snapshots and prunes')
      .option('--status', 'show what is under way or waits, and change nothing')
      .option('--dry-run', 'show what would be done, and change nothing')
      .option(
        '--accept-vanished',
        'go on although snapshots are gone that nobody forgot: what only they need is removed for good',
      )
      .addHelpText(
        'after',
        `
Snapshots may run meanwhile. While one runs that began before, what is condemned stays, and the next prune goes on with it;
--wait waits for it instead. A run that was broken off loses nothing.

Examples:
  $ cbr forget --keep-daily 7 --keep-weekly 5 --prune
  $ cbr prune --max-repack 2GiB`,
      );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    return withRepository(context, async (repository) => {
      if (flags.status !== true) return runPrune(context, repository, flags);
      const status = await pruneStatus(repository, (process) => isAlive(process, repository.identity));
      for (const line of statusLines(status)) context.output.line(line);
      return { exitCode: EXIT.done, summary: { ...status } };
    });
  },
};

const STATES: Readonly<Record<NonNullable<PruneStatus['running']>['state'], string>> = {
  alive: 'is running',
  dead: 'was killed; the next one goes on',
  unknown: 'is running, or was killed on another machine',
};

function statusLines({ running, marks, sessions }: PruneStatus): string[] {
  const lines: string[] = [];
  if (running !== undefined) {
    const { process, epoch, state } = running;
    const who = process === undefined ? '' : ` (process ${process.pid} on ${process.host})`;
    lines.push(`Prune ${epoch}${who} ${STATES[state]}.`);
  }
  for (const { epoch, packs, bytes } of marks) {
    lines.push(
      `Condemned by prune ${epoch}, and still there: ${countOf(packs, 'pack')}, ${sizeText(bytes)}.`,
    );
  }
  for (const session of sessions) lines.push(`Not ended: ${sessionText(session)}.`);
  return lines.length > 0 ? lines : ['Nothing is under way, and nothing waits.'];
}
