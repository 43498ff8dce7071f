import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import {
  addDuration,
  applyNightly,
  applyPolicy,
  type Duration,
  decisionsOf,
  durationText,
  newestFirst,
  type PolicyPlan,
  type PolicySnapshot,
  type PolicyTime,
  type TimeZone,
  times,
} from '../../policy/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { imaginedSnapshots, nightsUntil } from '../imagined-snapshots.js';
import { parseSpan } from '../parse-policy.js';
import { futureProblem, leftLines, planFields, planLines } from '../plan-text.js';
import { DURATION_HELP, declarePolicy, type PolicyRequest, policyOf } from '../policy-flags.js';
import { countOf, countText } from '../sizes.js';
import { readSnapshotList } from '../snapshot-list.js';
import { currentTime, TIME_EXPECTED, timeIn } from '../times.js';

interface Flags {
  readonly snapshots?: string;
  readonly now?: string;
  readonly every?: Duration;
  readonly for?: Duration;
}

/** Nights between looks at whether the run was interrupted. */
const NIGHTS_AT_ONCE = 100;

export const policySimulate: CommandModule = {
  configure(command: Command): void {
    command
      .optionsGroup('What to simulate:')
      .option('--snapshots <file>', 'the snapshots in a JSON file, or - for standard input')
      .option('--now <time>', 'when the policy is applied (default: now)')
      .option('--every <duration>', 'apply it again and again, the last time now', parseSpan)
      .option('--for <duration>', 'with --every: imagine a snapshot each time, for so long', parseSpan);
    declarePolicy(command);
    command.addHelpText(
      'after',
      `
Examples:
  $ cbr policy simulate --every 1d --for 3y --keep-daily 7 --keep-weekly 5 --keep-yearly 10
  $ cbr policy simulate --snapshots list.json --now 2026-11-20 --timezone Europe/Berlin --keep-last 3
${DURATION_HELP}`,
    );
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    const request = policyOf(command);
    const { zone } = request;
    const now = flags.now === undefined ? currentTime() : givenNow(flags.now, zone);
    const { snapshots: file, every, for: length } = flags;
    if (file !== undefined && length !== undefined) {
      throw misused('--snapshots and --for exclude each other', 'Leave one of them out.');
    }
    if (file !== undefined) {
      const snapshots = await readSnapshotList(file, zone);
      if (every === undefined) return once(context, snapshots, now, request);
      const oldest = newestFirst(snapshots).at(-1)?.time ?? now;
      return nightly(context, snapshots, nightsUntil(now, oldest, every, zone), every, request);
    }
    if (every === undefined || length === undefined) {
      throw misused('there is nothing to simulate', 'Give --snapshots FILE, or --every 1d and --for 3y.');
    }
    const last = { seconds: now.seconds, nanoseconds: 0 };
    const nights = nightsUntil(last, addDuration(last, times(length, -1), zone), every, zone);
    return nightly(context, imaginedSnapshots(nights, zone), nights, every, request);
  },
};

function misused(message: string, hint: string): CbrError {
  return new CbrError('usage', message, { hint });
}

function givenNow(text: string, zone: TimeZone): PolicyTime {
  const now = timeIn(text, zone);
  if (now === undefined) throw misused(`--now '${text}' is no time`, TIME_EXPECTED);
  return now;
}

function once(
  { output }: CommandContext,
  snapshots: readonly PolicySnapshot[],
  now: PolicyTime,
  { policy, groupBy, zone }: PolicyRequest,
): Outcome {
  const plan = applyPolicy(snapshots, policy, { now, zone, groupBy });
  const decisions = decisionsOf(plan);
  const kept = decisions.filter(({ reasons }) => reasons.length > 0);
  const forgotten = decisions.filter(({ reasons }) => reasons.length === 0);
  const problem = futureProblem(plan.future);
  if (problem !== undefined) output.problem(problem);
  for (const line of planLines(plan, zone)) output.line(line);
  output.line(`${countText(kept.length)} kept, ${countText(forgotten.length)} forgotten.`);
  const fields = planFields(
    kept,
    forgotten.map(({ snapshot }) => snapshot),
  );
  return { exitCode: EXIT.done, summary: fields };
}

async function nightly(
  { output, signal }: CommandContext,
  snapshots: readonly PolicySnapshot[],
  nights: readonly PolicyTime[],
  every: Duration,
  { policy, groupBy, zone }: PolicyRequest,
): Promise<Outcome> {
  let plan: PolicyPlan<PolicySnapshot> = { groups: [], future: [] };
  let night = 0;
  for (plan of applyNightly(snapshots, nights, policy, { zone, groupBy })) {
    if (++night % NIGHTS_AT_ONCE > 0) continue;
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
  }
  const kept = decisionsOf(plan).filter(({ reasons }) => reasons.length > 0);
  const left = new Set(kept.map(({ snapshot }) => snapshot));
  const forgotten = newestFirst(snapshots.filter((each) => !left.has(each))).reverse();
  const problem = futureProblem(plan.future);
  if (problem !== undefined) output.problem(problem);
  for (const line of leftLines(kept, zone)) output.line(line);
  const all = countOf(snapshots.length, 'snapshot');
  output.line(`${countText(kept.length)} left of ${all} after ${nightsText(nights.length, every)}.`);
  return { exitCode: EXIT.done, summary: { ...planFields(kept, forgotten), nights: nights.length } };
}

/** `1,097 nights`, and other words where they are not a day apart. */
function nightsText(count: number, every: Duration): string {
  return durationText(every) === '1d' ? countOf(count, 'night') : `${countOf(count, 'run')} of the policy`;
}
