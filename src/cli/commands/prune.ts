import type { Command } from 'commander';
import { CbrError, isAlive } from '../../core/index.js';
import { type PruneStatus, pruneStatus } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { declarePruneLimits, type PruneFlags, runPrune, sessionText } from '../prune-run.js';
import { displayText } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { countOf, sizeText } from '../sizes.js';
import { fromMilliseconds, isoTime } from '../times.js';
import { removableText } from '../waiting-period.js';

interface Flags extends PruneFlags {
  readonly status?: boolean;
}

export const prune: CommandModule = {
  configure(command: Command): void {
    declarePruneLimits(command);
    command
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

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    if (flags.status === true) refuseBesideStatus(command);
    return withRepository(context, async (repository) => {
      if (flags.status !== true) return runPrune(context, repository, flags);
      const status = await pruneStatus(repository, (process) => isAlive(process, repository.identity));
      for (const line of statusLines(status)) context.output.line(line);
      const { removableAt, ...others } = status;
      const at = removableAt === undefined ? {} : { removableAt: isoTime(fromMilliseconds(removableAt)) };
      return { exitCode: EXIT.done, summary: { ...others, ...at } };
    });
  },
};

/** Rejects with `usage` where an option stands beside --status that says how to prune. */
function refuseBesideStatus(command: Command): void {
  const given = command.options.find(
    (option) =>
      OF_PRUNING.has(option.attributeName()) &&
      command.getOptionValueSource(option.attributeName()) === 'cli',
  );
  if (given === undefined) return;
  throw new CbrError('usage', `--status and ${given.long} exclude each other`, {
    hint: 'Leave one of them out: --status only looks, and changes nothing.',
  });
}

const OF_PRUNING: ReadonlySet<string> = new Set<keyof PruneFlags>([
  'maxUnused',
  'maxRepack',
  'wait',
  'dryRun',
  'acceptVanished',
]);

type State = NonNullable<PruneStatus['running']>['state'];

const PRUNE_STATES: Readonly<Record<State, string>> = {
  alive: 'is running',
  dead: 'was killed; the next one goes on',
  unknown: 'is running, or was killed on another machine',
};

const SESSION_STATES: Readonly<Record<State, string>> = {
  alive: 'is running: what is condemned stays until it has ended',
  dead: 'was killed; the next prune ends it',
  unknown: 'is running, or was killed on another machine: what is condemned stays until it has ended',
};

function statusLines({ running, marks, sessions, removableAt }: PruneStatus): string[] {
  const lines: string[] = [];
  if (running !== undefined) {
    const { process, epoch, state } = running;
    const who =
      process === undefined ? '' : ` (process ${process.pid} on ${displayText(process.host ?? '?')})`;
    lines.push(`Prune ${epoch}${who} ${PRUNE_STATES[state]}.`);
  }
  for (const { epoch, packs, bytes } of marks) {
    lines.push(
      `Condemned by prune ${epoch}, and still there: ${countOf(packs, 'pack')}, ${sizeText(bytes)}.`,
    );
  }
  for (const session of sessions) {
    const text = `${sessionText(session)} ${SESSION_STATES[session.state]}.`;
    lines.push(`${text.charAt(0).toUpperCase()}${text.slice(1)}`);
  }
  const isFree = [running, ...sessions].every((each) => each === undefined || each.state === 'dead');
  if (removableAt !== undefined)
    lines.push(
      `The store overwrites silently: a prune can remove the first of it ${removableText(removableAt)}.`,
    );
  else if (marks.length > 0 && isFree) lines.push('A prune can now remove what is condemned.');
  return lines.length > 0 ? lines : ['Nothing is under way, and nothing waits.'];
}
