import type { Command } from 'commander';
import { type ChosenDisc, helpedSnapshots, selectDisc } from '../../disc/index.js';
import { displayPath } from '../../fs/index.js';
import { loadForReading, type Repository } from '../../repo/index.js';
import { listSnapshots, type Snapshot } from '../../snapshot/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { tellDamaged } from '../damaged-records.js';
import { knownDiscs } from '../disc-catalog.js';
import { discDetails, discText, moment, packsText, showPacks, tellUnreadable } from '../disc-text.js';
import { EXIT } from '../exit-codes.js';
import { displayText, rawListField } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { shortestUnique } from '../short-ids.js';
import { countOf } from '../sizes.js';
import { labelled, table } from '../table.js';
import { isoTime, timeText } from '../times.js';

interface Flags {
  readonly packs?: boolean;
}

/** What DISC means, for help texts. */
export const DISC_HELP = `
DISC is a set and a number (home/3), a volume id, or the id of a disc or the beginning of it.`;

const COLUMNS = [{ title: 'Snapshot' }, { title: 'Time' }, { title: 'Host' }, { title: 'Paths' }] as const;

export const discShow: CommandModule = {
  configure(command: Command): void {
    command
      .argument('<disc>', 'which one')
      .option('--packs', 'list its packs, and no snapshots')
      .addHelpText(
        'after',
        `${DISC_HELP}
The snapshots are those that need something on the disc; their trees are read for that. What a prune has moved to other packs
since the disc was planned is not counted.

Examples:
  $ cbr disc show home/3
  $ cbr disc show CBR_HOME_3 --packs`,
      );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const [name] = command.processedArgs as [string];
    const { packs: isList = false } = command.opts<Flags>();
    return withRepository(context, async (repository) => {
      const { output } = context;
      const catalog = await knownDiscs(context, repository);
      const exitCode = tellUnreadable(output, catalog);
      const chosen = selectDisc(catalog, name);
      if (isList) {
        showPacks(output, chosen.disc.packs);
        return { exitCode, summary: discDetails(chosen.build, chosen.disc) };
      }
      const { helped, gone, damaged } = await helpedBy(context, repository, chosen);
      showDisc(context, chosen, gone);
      showSnapshots(context, helped);
      const summary = {
        ...discDetails(chosen.build, chosen.disc),
        packsGone: gone,
        snapshots: helped.length,
      };
      return { exitCode: damaged === EXIT.done ? exitCode : damaged, summary };
    });
  },
};

async function helpedBy({ output, signal }: CommandContext, repository: Repository, { disc }: ChosenDisc) {
  const listed = await listSnapshots(repository);
  await loadForReading(repository);
  const there = new Set<string>(repository.cache.packNames());
  const packs = new Set(disc.packs.map(({ name }) => name).filter((name) => there.has(name)));
  const helped = packs.size === 0 ? [] : await helpedSnapshots(repository, listed.snapshots, packs, signal);
  return { helped, gone: disc.packs.length - packs.size, damaged: tellDamaged(output, listed) };
}

function showDisc({ output }: CommandContext, { build, disc }: ChosenDisc, gone: number): void {
  const of = `${build.content}, ${displayText(build.medium)}, ${countOf(build.discs.length, 'disc')}`;
  const rows: (readonly [string, string])[] = [
    ['Disc', discText(build, disc)],
    ['Volume', displayText(disc.volume)],
    ['ID', disc.id],
    ['State', `${disc.state} since ${timeText(moment(disc.changed))}`],
    ['Build', `${of}, planned ${timeText(moment(build.time))} by ${displayText(build.by)}`],
    ['Holds', packsText(disc.packs)],
  ];
  if (gone > 0) rows.push(['', `${countOf(gone, 'pack')} of them the repository does not have any more`]);
  for (const line of labelled(rows)) output.line(line);
  output.line();
}

function showSnapshots({ output }: CommandContext, helped: readonly Snapshot[]): void {
  const digits = shortestUnique(helped.map(({ id }) => id));
  const rows = helped.map(({ id, about }) => [
    id.slice(0, digits),
    timeText(about),
    displayText(about.host),
    about.paths.map(displayPath).join(' '),
  ]);
  const [titles, ...lines] = table(COLUMNS, rows);
  if (helped.length > 0) output.line(titles);
  for (const [i, { id, about }] of helped.entries()) {
    const fields = {
      snapshot: id,
      time: isoTime(about, about.zoneOffset),
      host: about.host,
      ...rawListField('paths', about.paths),
    };
    output.item(fields, () => lines[i]!);
  }
  const count = helped.length;
  const line = `${countOf(count, 'snapshot needs', 'snapshots need')} something on it`;
  output.line(count === 0 ? 'No snapshot needs what is on it.' : line);
}
