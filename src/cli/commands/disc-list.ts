import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import { buildsOfSet, type ChosenDisc, countsAsStored } from '../../disc/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { knownDiscs, noDiscsText } from '../disc-catalog.js';
import { bytesOf, discDetails, discText, moment, tellUnreadable } from '../disc-text.js';
import { fittedTable, type Squeeze } from '../fitted-table.js';
import { displayText } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { countOf, countText, sizeText } from '../sizes.js';
import { timeText } from '../times.js';

interface Flags {
  readonly set?: string;
}

const COLUMNS = [
  { title: 'Disc' },
  { title: 'Volume' },
  { title: 'State' },
  { title: 'Packs', align: 'right' },
  { title: 'Size', align: 'right' },
  { title: 'Since' },
  { title: 'Content' },
  { title: 'Medium' },
  { title: 'ID' },
] as const;

const SQUEEZES: readonly Squeeze[] = [
  { title: 'Since', least: 19, cut: 'clip' },
  { title: 'ID', drop: true },
  { title: 'Medium', drop: true },
  { title: 'Content', drop: true },
  { title: 'Since', drop: true },
  { title: 'Volume', drop: true },
];

export const discList: CommandModule = {
  configure(command: Command): void {
    command.option('--set <name>', 'only the discs of this set').addHelpText(
      'after',
      `
States: "planned" is not written yet, "built" has an image, "burned" is on a disc, "retired" counts no longer.
Read from discs (-r disc:...) it tells what was known when they were made; discs that were planned then count as built.

Examples:
  $ cbr disc list
  $ cbr disc list --set home --json`,
    );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const { set } = command.opts<Flags>();
    return withRepository(context, async (repository) => {
      const { output } = context;
      const catalog = await knownDiscs(context, repository);
      const exitCode = tellUnreadable(output, catalog);
      const builds = set === undefined ? catalog.builds : buildsOfSet(catalog, set);
      if (set !== undefined && builds.length === 0) throw noSet(set);
      const discs = builds.flatMap((build) => build.discs.map((disc) => ({ build, disc })));
      discs.sort((a, b) => compare(a.build.set, b.build.set) || a.disc.number - b.disc.number);
      const [titles, ...lines] = fittedTable(COLUMNS, discs.map(rowOf), output.width, SQUEEZES);
      if (discs.length > 0) output.line(titles);
      for (const [i, { build, disc }] of discs.entries())
        output.item(discDetails(build, disc), () => lines[i]!);
      output.line(discs.length === 0 ? noDiscsText(repository) : lastLine(discs));
      const sets = new Set(builds.map((build) => build.set));
      return { exitCode, summary: { sets: sets.size, builds: builds.length, discs: discs.length } };
    });
  },
};

/** That a set has no discs: an error, for a typing error must not look like an empty shelf. */
export function noSet(set: string): CbrError {
  return new CbrError('not-found', `there is no set ${JSON.stringify(set)}`, { hint: 'See: cbr disc list' });
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

function rowOf({ build, disc }: ChosenDisc): string[] {
  return [
    discText(build, disc),
    displayText(disc.volume),
    disc.state,
    countText(disc.packs.length),
    sizeText(bytesOf(disc.packs)),
    timeText(moment(disc.changed)),
    build.content,
    displayText(build.medium),
    disc.id.slice(0, 8),
  ];
}

function lastLine(discs: readonly ChosenDisc[]): string {
  const counting = discs.filter(({ disc }) => countsAsStored(disc)).length;
  return `${countOf(discs.length, 'disc')} in all${counting < discs.length ? `, ${countText(counting)} of them written and not retired` : ''}`;
}
