import type { Command } from 'commander';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { MOMENT_HELP } from '../moments.js';
import { NAMES_HELP } from '../snapshot-choice.js';
import { changeTags, declareTagChange } from '../tag-change.js';

export const tagAdd: CommandModule = {
  configure(command: Command): void {
    declareTagChange(command, 'what gets the tag');
    command.addHelpText(
      'after',
      `${NAMES_HELP}
Adding a tag that a snapshot has changes nothing.
${MOMENT_HELP}

Examples:
  $ cbr tag add keep latest
  $ cbr tag add before-upgrade 3f0a1b2c 77e1d0a9
  $ cbr tag add offsite --all --host dove --path /srv`,
    );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    return changeTags(context, command, (tag) => ({ add: [tag] }));
  },
};
