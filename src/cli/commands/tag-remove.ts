import type { Command } from 'commander';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { MOMENT_HELP } from '../moments.js';
import { NAMES_HELP } from '../snapshot-choice.js';
import { changeTags, declareTagChange } from '../tag-change.js';

export const tagRemove: CommandModule = {
  configure(command: Command): void {
    declareTagChange(command, 'what loses the tag');
    command.addHelpText(
      'after',
      `${NAMES_HELP}
Removing a tag that a snapshot does not have changes nothing.
${MOMENT_HELP}

Examples:
  $ cbr tag remove keep latest~2
  $ cbr tag remove offsite --all --host dove`,
    );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    return changeTags(context, command, (tag) => ({ remove: [tag] }));
  },
};
