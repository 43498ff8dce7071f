import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import { openRepository, type Repository } from '../../repo/index.js';
import {
  type CopiedSnapshot,
  copySnapshots,
  cutsDiffer,
  filterSnapshots,
  filterText,
  listSnapshots,
  type Snapshot,
} from '../../snapshot/index.js';
import { byWhom } from '../by-whom.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { shownBy } from '../events.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { declareOtherPassword, otherPassword } from '../other-password.js';
import type { Problem } from '../problem.js';
import { closingAfter, optionsFor, withReadOnly } from '../repository.js';
import { describedSnapshot } from '../rewritten-text.js';
import { countOf, sizeText } from '../sizes.js';
import { choiceOf, chosenSnapshots, declareChoice, NAMES_HELP } from '../snapshot-choice.js';
import { currentTime } from '../times.js';

interface Flags {
  readonly to?: string;
  readonly dryRun?: boolean;
}

const HELP = `${NAMES_HELP}

Each becomes a snapshot of the other repository, encrypted with its key, with an id of its own, and with time, host, paths, tags,
comment and pin of the old one. What that repository has is not stored again, and snapshots that it has are passed over, so that
this can run every night. Those that were forgotten there are copied again only when they are named. Nothing is written to the
repository that is copied from.

So that what is taken into both repositories deduplicates with what is copied, make the other one with the same parameters:

  $ cbr init -r /mnt/second/cbr --copy-parameters-from /media/backup/cbr
  $ cbr copy -r /media/backup/cbr --to /mnt/second/cbr

More examples:
  $ cbr copy latest --to /mnt/second/cbr --to-password-file ~/.second-password
  $ cbr copy --host dove --tag monthly --to /mnt/second/cbr --dry-run`;

export const copy: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[snapshot...]', 'what to copy; without any: all that the options below choose')
      .option('--to <location>', 'the repository to copy to')
      .option('--dry-run', 'show what would be copied, and write nothing');
    declareOtherPassword(command, 'to', 'the repository to copy to');
    declareChoice(command);
    command.addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const { to, dryRun = false } = command.opts<Flags>();
    if (to === undefined || to === '') {
      throw new CbrError('usage', 'nothing says where to copy to', { hint: 'Use --to LOCATION.' });
    }
    return withReadOnly(context, async (source) => {
      const target = await openRepository(
        optionsFor(context, {
          location: to,
          password: otherPassword(command, 'to'),
          purpose: 'to',
          follow: (traffic) => context.output.followTarget(traffic),
        }),
      );
      return closingAfter(target, context, () => copyAll(context, command, source, target, dryRun));
    });
  },
};

async function copyAll(
  { options, output, signal }: CommandContext,
  command: Command,
  source: Repository,
  target: Repository,
  dryRun: boolean,
): Promise<Outcome> {
  const names = command.processedArgs[0] as readonly string[];
  const chosen = await toCopy(output, source, command, names);
  const isDamaged = output.errorCount > 0;
  if (cutsDiffer(source, target)) output.problem(OTHER_CUTS);
  const its = {
    isNamed: names.length > 0,
    dryRun,
    threads: options.threads,
    by: byWhom(),
    nowSeconds: currentTime().seconds,
    signal,
  };
  const told: CopiedSnapshot[] = [];
  await copySnapshots(source, target, chosen, its, shownBy(output, 'repository'), (each) => {
    told.push(each);
    output.hasDone(summaryOf(told, dryRun));
    if (each.error !== undefined) output.problem(problemOf(each.error));
    else if (each.state === 'new' || output.isVerbose)
      output.item(fieldsOf(each), () => lineOf(each, dryRun));
  });
  for (const line of lastLines(told, dryRun)) output.line(line);
  return { exitCode: exitCode(told, isDamaged), summary: summaryOf(told, dryRun) };
}

/** Those that are named, or all that the options choose, oldest first. */
async function toCopy(
  output: CommandContext['output'],
  source: Repository,
  command: Command,
  names: readonly string[],
): Promise<readonly Snapshot[]> {
  const choice = choiceOf(command);
  if (names.length > 0 || choice.at !== undefined) return chosenSnapshots(source, names, choice);
  const { snapshots, damaged } = await listSnapshots(source);
  // Each may be one that is meant.
  for (const { id, error } of damaged) output.problem({ ...problemOf(error), object: `snapshots/${id}` });
  const chosen = filterSnapshots(snapshots, choice);
  if (chosen.length > 0 || damaged.length > 0 || filterText(choice) === '') return chosen;
  throw new CbrError('not-found', 'no snapshot is chosen', { hint: 'See: cbr snapshots' });
}

const OTHER_CUTS: Problem = Object.freeze({
  severity: 'note',
  about: 'repository',
  code: 'other-cuts',
  reason:
    'The two repositories cut content differently: what is copied does not deduplicate with what is taken into the target.',
  hint: 'A repository that cuts alike is made with: cbr init --copy-parameters-from',
});

function problemOf({ code, message, hint }: CbrError): Problem {
  const severity = 'error';
  return { severity, about: 'repository', code, reason: message, ...(hint === undefined ? {} : { hint }) };
}

function exitCode(told: readonly CopiedSnapshot[], isDamaged: boolean): ExitCode {
  const codes = told.flatMap(({ error }) => (error === undefined ? [] : [error.code]));
  if (isDamaged || codes.some((code) => code !== 'not-found')) return EXIT.damage;
  return codes.length > 0 ? EXIT.failed : EXIT.done;
}

function fieldsOf({ from, state, snapshot, bytes }: CopiedSnapshot): Readonly<Record<string, unknown>> {
  return {
    from: from.id,
    state,
    ...(snapshot === undefined ? {} : { snapshot: snapshot.id }),
    ...(state === 'new' ? { bytes } : {}),
  };
}

function lineOf({ from, state, snapshot, bytes }: CopiedSnapshot, dryRun: boolean): string {
  const name = describedSnapshot(from);
  switch (state) {
    case 'new':
      return dryRun
        ? `${name} would be copied; at most ${sizeText(bytes.read)} of its content is new there.`
        : `${name} became ${snapshot!.id}; ${sizeText(bytes.new)} of its content was new, ${sizeText(bytes.stored)} stored.`;
    case 'there':
      return `${name} is there as ${snapshot!.id}.`;
    default:
      return `${name} was forgotten there.`;
  }
}

function lastLines(told: readonly CopiedSnapshot[], dryRun: boolean): string[] {
  const count = (state: CopiedSnapshot['state']): number =>
    told.filter((each) => each.state === state).length;
  const total = (of: keyof CopiedSnapshot['bytes']): string =>
    sizeText(told.reduce((sum, { bytes }) => sum + bytes[of], 0));
  const there = count('there');
  const were = there === 0 ? '' : `, ${there} ${there === 1 ? 'is' : 'are'} there already`;
  const copied = countOf(count('new'), 'snapshot');
  const lines = [
    dryRun
      ? `${copied} would be copied, with at most ${total('read')} of new content${were}.`
      : `${copied} copied, ${total('new')} of new content, ${total('stored')} stored${were}.`,
  ];
  const forgotten = count('forgotten');
  if (forgotten > 0) {
    lines.push(`${countOf(forgotten, 'snapshot')} forgotten in the target: name them to copy them again.`);
  }
  const failed = count('failed');
  if (failed > 0) lines.push(`${countOf(failed, 'snapshot')} could not be copied.`);
  return lines;
}

function summaryOf(told: readonly CopiedSnapshot[], dryRun: boolean): Readonly<Record<string, unknown>> {
  const count = (state: CopiedSnapshot['state']): number =>
    told.filter((each) => each.state === state).length;
  const total = (of: keyof CopiedSnapshot['bytes']): number =>
    told.reduce((sum, { bytes }) => sum + bytes[of], 0);
  return {
    snapshots: told.length,
    copied: count('new'),
    there: count('there'),
    forgotten: count('forgotten'),
    failed: count('failed'),
    bytes: { read: total('read'), new: total('new'), stored: total('stored') },
    ...(dryRun ? { dryRun } : {}),
  };
}
