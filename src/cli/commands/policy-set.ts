import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import { namesRefused, type Policy, refuseWithoutRule } from '../../policy/index.js';
import { changeStoredPolicies, type Repository } from '../../repo/index.js';
import { listSnapshots, plannedSnapshot } from '../../snapshot/index.js';
import { byWhom } from '../by-whom.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { DURATION_HELP, declarePolicy, policyOf, policyRules } from '../policy-flags.js';
import type { Problem } from '../problem.js';
import { displayText } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { rulesText } from '../stored-policy-text.js';
import { currentTime } from '../times.js';

interface Flags {
  readonly remove?: boolean;
}

export const policySet: CommandModule = {
  configure(command: Command): void {
    command.option('--remove', 'store none any more');
    declarePolicy(command);
    command.addHelpText(
      'after',
      `
"cbr forget" without options uses the stored policy. It replaces the one that was stored before.
The zone of this machine is stored with it, unless --timezone names another; with "--timezone local" each machine takes its own.
A tag or an id that no snapshot has yet is warned of: "cbr forget" refuses the policy until there is one.

Examples:
  $ cbr policy set --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-yearly 10
  $ cbr policy set --remove
${DURATION_HELP}`,
    );
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const given = policyRules(command);
    const isRemoved = command.opts<Flags>().remove === true;
    if (isRemoved && given.length > 0) {
      throw new CbrError('usage', `--remove and --${given[0]!.name} exclude each other`, {
        hint: 'A policy that is set replaces the stored one.',
      });
    }
    const { policy, zone } = policyOf(command);
    if (!isRemoved) refuseWithoutRule(policy);
    // Whoever applies it shall mean the same days, wherever that is.
    const isZoned = isRemoved || given.some(({ name }) => name === 'timezone');
    const rules = isZoned ? given : [...given, { name: 'timezone', value: zone.name }];
    return withRepository(context, async (repository) => {
      for (const problem of await refusedProblems(repository, policy)) context.output.problem(problem);
      const { number } = await changeStoredPolicies(
        repository,
        (before) => ({ rules, anchors: before?.anchors ?? [] }),
        byWhom(),
        currentTime().seconds,
        // What cannot be read is what is to be replaced.
        true,
      );
      context.output.line(isRemoved ? 'No policy is stored any more.' : `Stored: ${rulesText(rules)}`);
      return { exitCode: EXIT.done, summary: { number, rules } };
    });
  },
};

/**
 * Warnings about tags and ids for which `cbr forget` would refuse the policy as things are. It is stored nevertheless: the
 * snapshots may come later.
 */
async function refusedProblems(repository: Repository, policy: Policy): Promise<Problem[]> {
  if (policy.tags === undefined && policy.ids === undefined) return [];
  const { snapshots } = await listSnapshots(repository);
  const now = currentTime().seconds;
  const planned = snapshots.map((snapshot) => plannedSnapshot(snapshot, now));
  return namesRefused(policy, planned).map((refusal) => ({
    severity: 'warning',
    about: 'repository',
    code: 'refused',
    reason: `${displayText(refusal.message)}: cbr forget will refuse it`,
    hint: refusal.hint!,
  }));
}
