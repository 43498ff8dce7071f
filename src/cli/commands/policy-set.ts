import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import { refuseWithoutRule } from '../../policy/index.js';
import { changeStoredPolicies } from '../../repo/index.js';
import { byWhom } from '../by-whom.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { DURATION_HELP, declarePolicy, policyOf, policyRules } from '../policy-flags.js';
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

Examples:
  $ cbr policy set --keep-daily 7 --keep-weekly 5 --keep-monthly 12 --keep-yearly 10
  $ cbr policy set --remove
${DURATION_HELP}`,
    );
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const rules = policyRules(command);
    const isRemoved = command.opts<Flags>().remove === true;
    if (isRemoved && rules.length > 0) {
      throw new CbrError('usage', `--remove and --${rules[0]!.name} exclude each other`, {
        hint: 'A policy that is set replaces the stored one.',
      });
    }
    if (!isRemoved) refuseWithoutRule(policyOf(command).policy);
    return withRepository(context, async (repository) => {
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
