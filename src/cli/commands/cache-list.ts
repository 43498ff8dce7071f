import { hostname } from 'node:os';
import type { Command } from 'commander';
import { parseLocation } from '../../backends/index.js';
import { ownIdentity } from '../../core/index.js';
import { listCaches } from '../../repo/index.js';
import { PATH_INDEX_FOLDER } from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { displayText, rawField } from '../raw-names.js';
import { sizeText } from '../sizes.js';
import { table } from '../table.js';
import { fromMilliseconds, isoTime, timeText } from '../times.js';

const COLUMNS = [
  { title: '' },
  { title: 'Repository' },
  { title: 'Size', align: 'right' },
  { title: 'Path index', align: 'right' },
  { title: 'Last used' },
  { title: 'Location' },
] as const;

export const cacheList: CommandModule = {
  configure(command: Command): void {
    command.addHelpText(
      'after',
      '\nExample:\n  $ cbr cache list\n\n"*" marks that of the repository in use.',
    );
  },

  async run({ options, output }: CommandContext): Promise<Outcome> {
    const current = options.location === undefined ? undefined : parseLocation(options.location).text;
    const caches = listCaches(options.cacheRoot, ownIdentity(hostname()));
    const rows = caches.map(({ repositoryId, location, size, rowStores, lastUsed }) => [
      location === current ? '*' : '',
      repositoryId.slice(0, 8),
      sizeText(size),
      sizeText(rowStores.get(PATH_INDEX_FOLDER) ?? 0),
      timeText(fromMilliseconds(lastUsed)),
      displayText(location),
    ]);
    const [titles, ...lines] = table(COLUMNS, rows);
    output.line(caches.length > 0 ? titles : `There are no caches in ${displayText(options.cacheRoot)}.`);
    for (const [i, cache] of caches.entries()) {
      const fields = {
        repository: cache.repositoryId,
        location: cache.location,
        ...rawField('path', Buffer.from(cache.folder, 'utf8').toString('latin1')),
        bytes: cache.size,
        pathIndexBytes: cache.rowStores.get(PATH_INDEX_FOLDER) ?? 0,
        lastUsed: isoTime(fromMilliseconds(cache.lastUsed)),
        current: cache.location === current,
        inUse: cache.inUse,
      };
      output.item(fields, () => lines[i]!);
    }
    return { exitCode: EXIT.done, summary: { caches: caches.length } };
  },
};
