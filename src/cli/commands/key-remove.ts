import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import { removeKeySlot } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { requireMaster } from '../new-password.js';
import { withRepository } from '../repository.js';

export const keyRemove: CommandModule = {
  configure(command: Command): void {
    command
      .argument('<key>', 'its id, or the beginning of it: see cbr key list')
      .addHelpText('after', '\nExample:\n  $ cbr key remove 3f0a');
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const prefix = command.processedArgs[0] as string;
    if (!/^[0-9a-f]{1,32}$/.test(prefix)) {
      throw new CbrError('usage', `${JSON.stringify(prefix)} is not the id of a key`, {
        hint: 'See: cbr key list',
      });
    }
    return withRepository(context, async (repository) => {
      requireMaster(repository);
      // Whoever removes a key proves that another password still opens the repository.
      if (repository.keySlot?.id.startsWith(prefix) === true) {
        throw new CbrError('usage', 'this is the key that the given password opens', {
          hint: 'Give another password to remove it, or use: cbr key change',
        });
      }
      const { id } = await removeKeySlot(repository.backend, prefix);
      context.output.line(`Removed the key ${id}.`);
      return { exitCode: EXIT.done, summary: { key: id } };
    });
  },
};
