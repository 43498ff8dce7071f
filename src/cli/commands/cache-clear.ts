import { hostname } from 'node:os';
import type { Command } from 'commander';
import { parseLocation } from '../../backends/index.js';
import { ownIdentity } from '../../core/index.js';
import { clearCache, listCaches } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { countOf, sizeText } from '../sizes.js';

export const cacheClear: CommandModule = {
  configure(command: Command): void {
    command.addHelpText(
      'after',
      '\nWith -r only that of this repository, without it those of all (CBR_REPO does not count here).' +
        '\nThe next snapshot reads every file again, and the next find or log reads the trees again; nothing else is lost.' +
        '\n\nExamples:\n  $ cbr cache clear\n  $ cbr cache clear -r /media/backup/cbr',
    );
  },

  async run({ options, output }: CommandContext): Promise<Outcome> {
    const identity = ownIdentity(hostname());
    let removed = 0;
    let bytes = 0;
    let busy = 0;
    const only = options.isLocationTyped ? parseLocation(options.location!).text : undefined;
    for (const { folder, location, size } of listCaches(options.cacheRoot, identity)) {
      if (only !== undefined && location !== only) continue;
      if (await clearCache(folder, identity, Date.now())) {
        removed++;
        bytes += size;
      } else {
        busy++;
        const reason = `the cache of ${location} is in use: it was left alone`;
        output.problem({ severity: 'warning', about: 'cache', code: 'busy', reason });
      }
    }
    output.line(`Removed ${countOf(removed, 'cache')}, ${sizeText(bytes)}.`);
    return { exitCode: busy > 0 ? EXIT.busy : EXIT.done, summary: { removed, bytes } };
  },
};
