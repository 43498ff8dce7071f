import type { Command } from 'commander';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { MOMENT_HELP } from '../moments.js';
import { declareChoice, NAMES_HELP } from '../snapshot-choice.js';
import { changePins } from './pin.js';

export const unpin: CommandModule = {
  configure(command: Command): void {
    command.argument('[snapshot...]', 'what policies may forget again');
    declareChoice(command);
    command.addHelpText(
      'after',
      `${NAMES_HELP}

Examples:
  $ cbr unpin 3f0a1b2c
  $ cbr unpin latest --host dove
${MOMENT_HELP}`,
    );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    return changePins(context, command, 'none');
  },
};
