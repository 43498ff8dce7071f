import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import { createKeySlot, removeKeySlot, requireRemoval } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { declareNewPassword, readNewPassword, requireMaster } from '../new-password.js';
import { shortText } from '../parse-text.js';
import { withRepository } from '../repository.js';

interface Flags {
  readonly label?: string;
}

export const keyChange: CommandModule = {
  configure(command: Command): void {
    command.option('--label <text>', 'a new label (default: that of the old key)', shortText);
    declareNewPassword(command);
    command.addHelpText('after', '\nExample:\n  $ cbr key change');
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    return withRepository(context, async (repository) => {
      const { backend, keys, algorithms, keySlot, now } = repository;
      requireRemoval(backend, 'changing a password');
      const master = requireMaster(repository);
      if (keySlot === undefined)
        throw new CbrError('internal', 'an encrypted repository without the key that opened it');
      const password = await readNewPassword(context, command);
      const label = command.opts<Flags>().label ?? keySlot.label;
      const about = { label, created: Math.floor(now() / 1000) };
      // The new one first: at no moment is the repository without a password that opens it.
      const { id } = await createKeySlot(backend, keys.repositoryId, master, password, about, algorithms);
      await removeKeySlot(backend, keySlot.id);
      context.output.line(`Changed the password: the key ${id} replaces ${keySlot.id}.`);
      return { exitCode: EXIT.done, summary: { key: id, removed: keySlot.id } };
    });
  },
};
