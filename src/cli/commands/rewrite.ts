import { type Command, InvalidArgumentError, Option } from 'commander';
import { CbrError } from '../../core/index.js';
import { rawPath, rulesKey } from '../../fs/index.js';
import { type Repository, requireRemoval } from '../../repo/index.js';
import {
  countOfEntries,
  filterSnapshots,
  filterText,
  listSnapshots,
  type Move,
  type NewWords,
  type RewriteChange,
  type Rewritten,
  rewriter,
  type Snapshot,
} from '../../snapshot/index.js';
import { byWhom } from '../by-whom.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT, type ExitCode } from '../exit-codes.js';
import { declareFilters, filterRulesOf } from '../filter-flags.js';
import type { Output } from '../output.js';
import { shortText } from '../parse-text.js';
import type { Problem } from '../problem.js';
import { withRepository } from '../repository.js';
import { describedSnapshot, holdsText, itemsOf, resultFields, storedAgainLine } from '../rewritten-text.js';
import { choiceOf, chosenSnapshots, declareChoice, NAMES_HELP } from '../snapshot-choice.js';
import { currentTime, parseTime, type ZonedTime } from '../times.js';

interface Flags {
  readonly all?: boolean;
  readonly newHost?: string;
  readonly newUser?: string;
  readonly newJob?: string;
  readonly newTime?: ZonedTime;
  readonly newPath?: readonly Move[];
  readonly forget?: boolean;
  readonly dryRun?: boolean;
}

const HELP = `${NAMES_HELP}

Each becomes a new snapshot, with an id, and tags, comment and pin of the old one. The old ones stay until they are forgotten,
and what was left out stays in the repository until then and until a prune:

  $ cbr rewrite --all --exclude '/home/ann/secret.key' --dry-run
  $ cbr rewrite --all --exclude '/home/ann/secret.key' --forget
  $ cbr prune --max-unused 0

Files that say at the source what is wanted (.gitignore, CACHEDIR.TAG) do not count here. A pattern that begins with '/' and is
the full path of a source leaves all of it out.

--new-path moves a source, or a folder above sources, to where nothing else is. The patterns that leave out are compared with the
paths as they were.

More examples:
  $ cbr rewrite latest --new-path /mnt/.snap/home=/home
  $ cbr rewrite --host dove.lan --new-host dove --forget`;

export const rewrite: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[snapshot...]', 'what to rewrite; without any: all that the options below choose')
      .option('--all', 'rewrite all snapshots')
      .option('--forget', 'forget each old snapshot once the new one is there')
      .option('--dry-run', 'show what would change, and change nothing')
      .option('--new-host <host>', 'what host it says it is of', shortText)
      .option('--new-user <user>', 'who it says took it', shortText)
      .option('--new-job <name>', 'the job it says it belongs to', shortText)
      .addOption(new Option('--new-time <time>', 'the time it bears').argParser(parseTime))
      .addOption(
        new Option('--new-path <old=new>', 'the path that a source gets; several times').argParser(parseMove),
      );
    declareFilters(command, 'tree');
    declareChoice(command);
    command.addHelpText('after', HELP);
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    const change: RewriteChange = {
      rules: await filterRulesOf(command),
      words: wordsOf(flags),
      moves: flags.newPath ?? [],
    };
    refuseNoChange(change);
    return withRepository(context, async (repository) => {
      const chosen = await toRewrite(context, repository, command, flags);
      const { newTime } = flags;
      if (newTime !== undefined && chosen.length > 1) {
        throw new CbrError('usage', `--new-time is for one snapshot, and ${chosen.length} were chosen`, {
          hint: 'Snapshots of one time could not be told apart.',
        });
      }
      return rewriteAll(context, repository, chosen, change, flags);
    });
  },
};

/** One after the other; one that cannot be rewritten does not keep the others from it. */
async function rewriteAll(
  { output, signal }: CommandContext,
  repository: Repository,
  chosen: readonly Snapshot[],
  change: RewriteChange,
  { forget = false, dryRun = false }: Flags,
): Promise<Outcome> {
  if (forget && !dryRun) requireRemoval(repository.backend, 'forgetting');
  const options = { forget, dryRun, by: byWhom(), nowSeconds: currentTime().seconds, signal };
  const rewriteOne = rewriter(repository, change, options);
  const results: Rewritten[] = [];
  let code: ExitCode = output.errorCount > 0 ? EXIT.damage : EXIT.done;
  for (const snapshot of chosen) {
    signal.throwIfAborted();
    const isShown = output.isVerbose || dryRun;
    if (isShown) output.line(`${describedSnapshot(snapshot)}:`);
    try {
      const result = await rewriteOne(snapshot, itemsOf(output, isShown, snapshot));
      results.push(result);
      output.hasDone(summaryOf(results, dryRun));
      output.item(resultFields(result), () => resultLine(result, forget, dryRun));
    } catch (error) {
      if (chosen.length === 1 || !(error instanceof CbrError) || !OF_ONE.has(error.code)) throw error;
      output.problem(problemOfError(error));
      code = error.code === 'damaged' || code === EXIT.damage ? EXIT.damage : EXIT.failed;
    }
  }
  sayWhatIsNext(output, results, forget, dryRun);
  return { exitCode: code, summary: summaryOf(results, dryRun) };
}

/** Errors that say nothing of other snapshots. */
const OF_ONE: ReadonlySet<string> = new Set(['damaged', 'format', 'usage', 'not-found']);

function wordsOf({ newHost, newUser, newJob, newTime }: Flags): NewWords {
  return {
    ...(newHost === undefined ? {} : { host: newHost }),
    ...(newUser === undefined ? {} : { user: newUser }),
    ...(newJob === undefined ? {} : { job: newJob }),
    ...(newTime === undefined ? {} : { time: newTime }),
  };
}

function refuseNoChange({ rules, words, moves }: RewriteChange): void {
  if (rulesKey(rules).length > 0 || Object.keys(words).length > 0 || moves.length > 0) return;
  throw new CbrError('usage', 'nothing says what to change', {
    hint: 'Say what to leave out (--exclude), or what is to be said anew (--new-host, --new-time, --new-path).',
  });
}

/** Those that are named, or all that the options choose, oldest first. */
async function toRewrite(
  { output }: CommandContext,
  repository: Repository,
  command: Command,
  { all = false }: Flags,
): Promise<readonly Snapshot[]> {
  const names = command.processedArgs[0] as readonly string[];
  const choice = choiceOf(command);
  if (names.length > 0 || choice.at !== undefined) {
    if (all)
      throw new CbrError('usage', 'snapshots and --all exclude each other', { hint: 'Give one of them.' });
    return chosenSnapshots(repository, names, choice);
  }
  if (!all && filterText(choice) === '') {
    throw new CbrError('usage', 'nothing says which snapshots to rewrite', {
      hint: 'Name them, choose some with --host, --path or --tag, or give --all.',
    });
  }
  const { snapshots, damaged } = await listSnapshots(repository);
  // Each may be one that is meant.
  for (const { id, error } of damaged)
    output.problem({ ...problemOfError(error), object: `snapshots/${id}` });
  const chosen = filterSnapshots(snapshots, choice);
  if (chosen.length > 0 || damaged.length > 0) return chosen;
  throw new CbrError('not-found', 'no snapshot is chosen', { hint: 'See: cbr snapshots' });
}

function problemOfError({ code, message, hint }: CbrError): Problem {
  return {
    severity: 'error',
    about: 'repository',
    code,
    reason: message,
    ...(hint === undefined ? {} : { hint }),
  };
}

function resultLine(
  { from, state, snapshot, leftOut, left, forgotten }: Rewritten,
  forget: boolean,
  dryRun: boolean,
): string {
  const old = from[0]!;
  const name = dryRun ? old.id.slice(0, 8) : describedSnapshot(old);
  if (state === 'unchanged') return `${name} has nothing to change.`;
  const out = countOfEntries(leftOut) === 0 ? '' : `, ${holdsText(leftOut)} left out`;
  if (dryRun) {
    const then = forget ? ' and be forgotten' : '';
    return `${name} would become a new snapshot${then}${out}; ${holdsText(left)} would be in it.`;
  }
  const was = state === 'there' ? 'had become' : 'became';
  const gone = !forget ? '' : forgotten.length > 0 ? ', and was forgotten' : ', and others forgot it';
  return `${name} ${was} ${snapshot!.id}${out}${gone}.`;
}

function sayWhatIsNext(
  output: Output,
  results: readonly Rewritten[],
  forget: boolean,
  dryRun: boolean,
): void {
  const made = results.filter(({ state }) => state !== 'unchanged');
  const again = storedAgainLine(results.reduce((sum, { storedAgain }) => sum + storedAgain, 0));
  if (again !== undefined) output.line(again);
  if (dryRun || made.length === 0) return;
  if (forget) {
    const what = 'What was left out can be brought back (cbr unforget) until it is removed';
    output.line(`${what}: cbr prune --max-unused 0`);
  } else output.line('The old ones are still there: --forget, or cbr forget, forgets them.');
}

function summaryOf(results: readonly Rewritten[], dryRun: boolean): Readonly<Record<string, unknown>> {
  const count = (state: Rewritten['state']): number => results.filter((each) => each.state === state).length;
  return {
    snapshots: results.length,
    changed: count('new'),
    unchanged: count('unchanged'),
    forgotten: results.reduce((sum, { forgotten }) => sum + forgotten.length, 0),
    leftOut: {
      entries: results.reduce((sum, { leftOut }) => sum + countOfEntries(leftOut), 0),
      bytes: results.reduce((sum, { leftOut }) => sum + leftOut.bytes, 0),
    },
    bytes: { storedAgain: results.reduce((sum, { storedAgain }) => sum + storedAgain, 0) },
    ...(dryRun ? { dryRun } : {}),
  };
}

/** A parser for commander: OLD=NEW, gathered. What is in front of the first `=/` is the old path. */
function parseMove(text: string, before: readonly Move[] = []): readonly Move[] {
  const end = text.indexOf('=/');
  if (end < 1) throw new InvalidArgumentError('OLD=NEW is expected, and NEW begins with a slash.');
  return [...before, { from: rawPath(text.slice(0, end)), to: rawPath(text.slice(end + 1)) }];
}
