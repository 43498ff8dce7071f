import type { Command } from 'commander';
import { CbrError, type SessionId } from '../../core/index.js';
import { displayPath } from '../../fs/index.js';
import { decisionsOf } from '../../policy/index.js';
import { type Repository, readStoredPolicies, requireRemoval } from '../../repo/index.js';
import {
  applyForgetPlan,
  type ForgetOptions,
  type ForgetPlan,
  filterText,
  forgetSnapshots,
  planForget,
  type Snapshot,
} from '../../snapshot/index.js';
import { byWhom } from '../by-whom.js';
import { calendarLines } from '../calendar-picture.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { futureProblem, planFields, planLines } from '../plan-text.js';
import {
  DURATION_HELP,
  declarePolicy,
  type PolicyRequest,
  policyOf,
  policyOfRules,
  policyRules,
} from '../policy-flags.js';
import type { Problem } from '../problem.js';
import { declarePruneLimits, type PruneFlags, runPrune } from '../prune-run.js';
import { displayText } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { shortestUnique } from '../short-ids.js';
import { countOf, countText } from '../sizes.js';
import { choiceOf, chosenSnapshots, declareChoice, snapshotFilterOf } from '../snapshot-choice.js';
import { currentTime, timeText } from '../times.js';

interface Flags extends Pick<PruneFlags, 'maxUnused' | 'maxRepack' | 'wait'> {
  readonly dryRun?: boolean;
  readonly prune?: boolean;
}

/** What was forgotten, or would be. */
interface Forgotten {
  readonly ids: readonly SessionId[];
  readonly summary: Readonly<Record<string, unknown>>;
}

const HELP = `
SNAPSHOT is an id, the beginning of one, "latest", or "latest~N" for the Nth before it. Without any the policy decides: that of
the options, or else the one stored in the repository (cbr policy set). Whatever it says, it keeps the newest snapshot of each
group, pinned ones, and those dated in the future.

The space is free after a prune; until then "cbr unforget" brings a snapshot back.

Examples:
  $ cbr forget 3f0a1b2c latest~4
  $ cbr forget latest --at 2026-11-20   # the newest at or before that
  $ cbr forget --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --dry-run
  $ cbr forget --prune                  # by the stored policy
  $ cbr forget --host dove --round-robin days=6,weeks=5,months=6,years=10
${DURATION_HELP}`;

export const forget: CommandModule = {
  configure(command: Command): void {
    command
      .argument('[snapshot...]', 'what to forget; without any: what the policy does not keep')
      .option('--dry-run', 'show what would be forgotten, forget nothing')
      .option('--prune', 'then free the room of what no snapshot needs any more, as cbr prune does');
    declarePruneLimits(command);
    declareChoice(command);
    declarePolicy(command);
    command.addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const names = command.processedArgs[0] as readonly string[];
    const [rule] = policyRules(command);
    if (names.length > 0 && rule !== undefined) {
      throw new CbrError('usage', `snapshots and a policy (--${rule.name}) exclude each other`, {
        hint: 'Name what to forget, or say what to keep.',
      });
    }
    if (names.length === 0 && choiceOf(command).at !== undefined) {
      throw new CbrError('usage', '--at chooses one snapshot, and a policy decides on all of them', {
        hint: 'To forget the one that --at means, write latest as well. What a policy keeps: --keep-within and others.',
      });
    }
    const { prune = false, dryRun = false, ...limits } = command.opts<Flags>();
    refuseLimitsAlone(prune, limits);
    return withRepository(context, async (repository) => {
      if (!dryRun) requireRemoval(repository.backend, 'forgetting');
      const { ids, summary } =
        names.length > 0
          ? await forgetNamed(context, repository, command, names)
          : await forgetByPolicy(context, repository, command);
      if (!prune) return { exitCode: EXIT.done, summary };
      context.output.hasDone(summary);
      const { maxUnused, maxRepack, wait } = limits;
      const flags: PruneFlags = {
        dryRun,
        ...(maxUnused === undefined ? {} : { maxUnused }),
        ...(maxRepack === undefined ? {} : { maxRepack }),
        ...(wait === undefined ? {} : { wait }),
      };
      const pruned = await runPrune(context, repository, flags, new Set(dryRun ? ids : []));
      return { exitCode: pruned.exitCode, summary: { ...summary, prune: pruned.summary } };
    });
  },
};

function refuseLimitsAlone(prune: boolean, { maxUnused, maxRepack, wait }: Flags): void {
  const given = { '--max-unused': maxUnused, '--max-repack': maxRepack, '--wait': wait };
  const [name] = Object.entries(given).find(([, value]) => value !== undefined) ?? [];
  if (prune || name === undefined) return;
  throw new CbrError('usage', `${name} says how to prune, and nothing is pruned without --prune`, {
    hint: 'Add --prune, or leave it out.',
  });
}

function isDryRun(command: Command): boolean {
  return command.opts<Flags>().dryRun === true;
}

function optionsOf({ signal }: CommandContext, nowSeconds: number): ForgetOptions {
  return { by: byWhom(), nowSeconds, signal };
}

async function forgetNamed(
  context: CommandContext,
  repository: Repository,
  command: Command,
  names: readonly string[],
): Promise<Forgotten> {
  const { output } = context;
  const dryRun = isDryRun(command);
  // All of them first: "latest" is what it is before anything is forgotten.
  const chosen = await chosenSnapshots(repository, names, choiceOf(command));
  const ids = chosen.map(({ id }) => id);
  const forgotten = dryRun
    ? ids
    : await forgetSnapshots(repository, ids, optionsOf(context, currentTime().seconds));
  for (const snapshot of chosen) {
    const verb = dryRun ? 'Would forget' : forgotten.includes(snapshot.id) ? 'Forgot' : 'Others forgot';
    output.line(`${verb} ${described(snapshot)}`);
  }
  if (!dryRun) sayWhatIsNext(context, repository, command, forgotten.length);
  return { ids, summary: { forget: ids.map((id) => ({ id })), ...(dryRun ? { dryRun } : {}) } };
}

function described({ id, about }: Snapshot): string {
  const paths = about.paths.map(displayPath).join(' ');
  return `${id.slice(0, 8)} (${timeText(about)}, ${displayText(about.host)}, ${paths})`;
}

function sayWhatIsNext(
  { output }: CommandContext,
  { backend }: Repository,
  command: Command,
  count: number,
): void {
  const { prune = false } = command.opts<Flags>();
  if (count === 0 || prune) return;
  const [their, them] = count === 1 ? ['Its', 'it'] : ['Their', 'them'];
  if (backend.capabilities.frees === false) {
    const what = `${their} data stay on their discs, and cbr unforget brings ${them} back.`;
    output.line(`${what} cbr disc consolidate leaves them out on new discs.`);
    return;
  }
  output.line(`${their} space is free after a prune; until then cbr unforget brings ${them} back.`);
}

async function forgetByPolicy(
  context: CommandContext,
  repository: Repository,
  command: Command,
): Promise<Forgotten> {
  const { output } = context;
  const dryRun = isDryRun(command);
  const now = currentTime();
  const request = policyRules(command).length > 0 ? policyOf(command) : await storedPolicy(repository);
  const planned = await planForget(repository, { ...request, now, filter: snapshotFilterOf(command) });
  const problem = unmatchedProblem(planned);
  if (problem !== undefined) output.problem(problem);
  showPlan(context, planned);
  const options = optionsOf(context, now.seconds);
  const applied = dryRun ? undefined : await applyForgetPlan(repository, planned, options);
  const pinned = new Set<string>(applied?.pinned);
  if (pinned.size > 0) {
    const ids = [...pinned].map((id) => id.slice(0, 8)).join(' ');
    output.line(`Pinned meanwhile, and so kept: ${ids}`);
  }
  const decisions = decisionsOf(planned.plan).map((decision) =>
    pinned.has(decision.snapshot.id) ? { ...decision, reasons: ['pinned'] } : decision,
  );
  const kept = decisions.filter(({ reasons }) => reasons.length > 0);
  const forgotten = decisions.filter(({ reasons }) => reasons.length === 0).map(({ snapshot }) => snapshot);
  const would = dryRun ? 'would be ' : '';
  output.line(`${countText(kept.length)} kept, ${countText(forgotten.length)} ${would}forgotten.`);
  if (!dryRun) sayWhatIsNext(context, repository, command, forgotten.length);
  const ids = forgotten.map(({ snapshot }) => snapshot.id);
  return { ids, summary: { ...planFields(kept, forgotten), ...(dryRun ? { dryRun } : {}) } };
}

/** The warning about a filter that lets no snapshot through; undefined when it does, or when there is none. */
function unmatchedProblem({ plan, request }: ForgetPlan): Problem | undefined {
  const asked = filterText(request.filter);
  if (asked === '' || plan.groups.length > 0) return undefined;
  return {
    severity: 'warning',
    about: 'repository',
    code: 'not-found',
    reason: `there is no snapshot of ${asked}: the policy has nothing to decide`,
    hint: 'See: cbr snapshots',
  };
}

async function storedPolicy(repository: Repository): Promise<PolicyRequest> {
  const { number, record } = await readStoredPolicies(repository);
  if (record === undefined || record.rules.length === 0) {
    throw new CbrError('usage', 'nothing says what to forget: no policy is stored in the repository', {
      hint: 'Name snapshots, give a policy such as --keep-daily 7 --keep-weekly 5, or store one: cbr policy set',
    });
  }
  return policyOfRules(record.rules, `policies/${number}`);
}

/** Every snapshot with the reasons it is kept for, and the picture of all but those dated in the future, which are counted. */
function showPlan({ output }: CommandContext, { plan, request }: ForgetPlan): void {
  const problem = futureProblem(plan.future);
  if (problem !== undefined) output.problem(problem);
  const { zone } = request;
  const isFuture = new Set(plan.future);
  const past = decisionsOf(plan).filter(({ snapshot }) => !isFuture.has(snapshot));
  const digits = shortestUnique(decisionsOf(plan).map(({ snapshot }) => snapshot.id));
  const names = { id: (id: string) => id.slice(0, digits), path: displayPath };
  for (const line of planLines(plan, zone, names)) output.line(line);
  const picture = calendarLines(past, zone);
  if (picture.length === 0) return;
  output.line();
  for (const line of picture) output.line(line);
  const later = plan.future.length;
  if (later > 0) output.line(`${countOf(later, 'snapshot')} dated in the future: not shown here`);
  output.line();
}
