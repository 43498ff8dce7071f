import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import { rebuildDisc, selectDisc } from '../../disc/index.js';
import { readDiscCatalog } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { buildOptions, reportFields } from '../disc-building.js';
import { discText, tellUnreadable } from '../disc-text.js';
import { displayText } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { DISC_HELP } from './disc-show.js';

interface Flags {
  readonly out: string;
}

export const discRebuild: CommandModule = {
  configure(command: Command): void {
    command
      .argument('<disc>', 'which one')
      .requiredOption('--out <folder>', 'the folder for the image')
      .addHelpText(
        'after',
        `${DISC_HELP}
Makes the image of a lost or scratched disc again, with the same packs under the same number. From then on it counts as built, also when it
was retired, and "cbr disc burn --set" burns it. Snapshots that were forgotten meanwhile are not on it. When a prune has removed one
of its packs it cannot be made again: retire it then, and build what is on no disc (--content new).

Examples:
  $ cbr disc rebuild photos/3 --out /var/tmp/discs
  $ cbr disc rebuild CBR_PHOTOS_0003 --out /var/tmp/discs`,
      );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const [name] = command.processedArgs as [string];
    const { out } = command.opts<Flags>();
    return withRepository(context, async (repository) => {
      const { output } = context;
      const catalog = await readDiscCatalog(repository);
      const exitCode = tellUnreadable(output, catalog);
      const { build, disc } = selectDisc(catalog, name);
      if (disc.state === 'planned') {
        throw new CbrError('usage', `disc ${discText(build, disc)} was never made`, {
          hint: 'This makes it, and all that were planned with it: cbr disc build',
        });
      }
      const report = await rebuildDisc(repository, disc, buildOptions(context, out));
      const was = disc.state === 'retired' ? ' It was retired, and counts again.' : '';
      output.line(
        `Made again: disc ${discText(build, disc)} (${displayText(disc.volume)}), to be burned.${was}`,
      );
      return { exitCode, summary: reportFields(report) };
    });
  },
};
