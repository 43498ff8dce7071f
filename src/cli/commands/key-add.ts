import { hostname } from 'node:os';
import type { Command } from 'commander';
import { createKeySlot } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { declareNewPassword, readNewPassword, requireMaster } from '../new-password.js';
import { shortText } from '../parse-text.js';
import { withRepository } from '../repository.js';

interface Flags {
  readonly label: string;
}

export const keyAdd: CommandModule = {
  configure(command: Command): void {
    command.option('--label <text>', 'a word to tell the key by in cbr key list', shortText, hostname());
    declareNewPassword(command);
    command.addHelpText(
      'after',
      '\nExample:\n  $ cbr key add --label emergency --new-password-file /root/second-password',
    );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const { label } = command.opts<Flags>();
    return withRepository(context, async (repository) => {
      const { backend, keys, algorithms, now } = repository;
      const master = requireMaster(repository);
      const password = await readNewPassword(context, command);
      const about = { label, created: Math.floor(now() / 1000) };
      const { id } = await createKeySlot(backend, keys.repositoryId, master, password, about, algorithms);
      context.output.line(`Added the key ${id}.`);
      return { exitCode: EXIT.done, summary: { key: id } };
    });
  },
};
