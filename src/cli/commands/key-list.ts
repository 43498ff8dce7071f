import type { Command } from 'commander';
import { listKeySlots } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { displayText } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { table } from '../table.js';
import { isoTime, timeText } from '../times.js';

const COLUMNS = [{ title: '' }, { title: 'Key' }, { title: 'Created' }, { title: 'Label' }];

export const keyList: CommandModule = {
  configure(command: Command): void {
    command.addHelpText('after', '\nExample:\n  $ cbr key list\n\n"*" marks the key that was used.');
  },

  run(context: CommandContext): Promise<Outcome> {
    return withRepository(context, async ({ backend, keySlot, keys }) => {
      const { output } = context;
      const { slots, damaged } = await listKeySlots(backend);
      const rows = slots.map(({ id, created, label }) => [
        id === keySlot?.id ? '*' : '',
        id,
        timeText({ seconds: created, nanoseconds: 0 }),
        displayText(label),
      ]);
      const [titles, ...lines] = table(COLUMNS, rows);
      if (keys.encrypted) output.line(titles);
      else output.line('The repository is not encrypted: it has no keys.');
      for (const [i, { id, created, label }] of slots.entries()) {
        const fields = { key: id, created: isoTime({ seconds: created, nanoseconds: 0 }), label };
        output.item({ ...fields, current: id === keySlot?.id }, () => lines[i]!);
      }
      for (const { object, message, code, hint } of damaged) {
        output.problem({
          severity: 'error',
          about: 'repository',
          code,
          object,
          reason: message,
          ...(hint === undefined ? {} : { hint }),
        });
      }
      return {
        exitCode: damaged.length > 0 ? EXIT.damage : EXIT.done,
        summary: { keys: slots.length },
      };
    });
  },
};
