import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import {
  buildDiscs,
  freeSectors,
  givenUp,
  giveUpBuild,
  makeImageFolder,
  parseMedium,
  planSet,
  type SetPlan,
  storePlan,
  unfinishedBuild,
} from '../../disc/index.js';
import { type CatalogBuild, type Repository, readDiscCatalog } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { buildOptions, reportFields } from '../disc-building.js';
import { checkMaxNew, declareSet, requireSet, SET_HELP, type SetFlags, setRequest } from '../disc-flags.js';
import { EXIT } from '../exit-codes.js';
import { withRepository } from '../repository.js';
import { countOf } from '../sizes.js';
import { setLines, tellNewSet } from './disc-plan.js';

interface Flags extends SetFlags {
  readonly out: string;
  readonly restart?: boolean;
}

const HELP = `
Makes one image a disc, CBR_SET_0001.iso and so on, in the folder of --out. They can be burned with "cbr disc burn", or with any program that
burns images. Each disc is committed for itself: when a run is stopped, the next one with the same --set goes on with the disc that it was
at. With --restart the discs that were planned and not made are given up, and planned anew.
${SET_HELP}

Examples:
  $ cbr disc build --set photos --media dvd+r --cushion 2 --out /var/tmp/discs
  $ cbr disc build --set photos --media dvd+r --content new --out /var/tmp/discs`;

export const discBuild: CommandModule = {
  configure(command: Command): void {
    declareSet(command);
    command
      .requiredOption('--out <folder>', 'the folder for the images')
      .option('--restart', 'give up what a run before has planned and not made')
      .addHelpText('after', HELP);
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    const set = requireSet(flags);
    return withRepository(context, async (repository) => {
      const { output } = context;
      const options = buildOptions(context, flags.out);
      const begun = unfinishedBuild(await readDiscCatalog(repository), set);
      const isResumed = begun !== undefined && flags.restart !== true;
      const plan = isResumed ? undefined : await planned(context, repository, flags, begun);
      const build = isResumed ? resumed(begun, flags) : plan?.build.id;
      if (build === undefined) return { exitCode: EXIT.done, summary: { set, discs: [] } };
      if (isResumed) output.line(`Going on with discs that were planned before: ${leftText(begun)}.`);
      const report = await buildDiscs(repository, build, options, plan?.facts);
      output.line(`Made: ${countOf(report.built.length, 'image')}.`);
      return {
        exitCode: EXIT.done,
        summary: { ...reportFields(report), ...(isResumed ? { resumed: true } : {}) },
      };
    });
  },
};

/**
 * Plans a build and stores it; undefined when there is nothing to build. What was begun before is given up when
 * the plan stands: nothing is lost by a plan that is refused.
 */
async function planned(
  context: CommandContext,
  repository: Repository,
  flags: Flags,
  begun: CatalogBuild | undefined,
): Promise<SetPlan | undefined> {
  const options = buildOptions(context, flags.out);
  const request = await setRequest(context, repository, flags);
  const catalog = await readDiscCatalog(repository);
  const plan = await planSet(repository, begun === undefined ? catalog : givenUp(catalog, begun), request);
  tellNewSet(context.output, catalog, request);
  for (const line of setLines(plan)) context.output.line(line);
  checkMaxNew(plan.newBytes, flags);
  // Before the plan is stored: a typing error should leave no discs that are to be made.
  if (plan.discs.length > 0) await makeImageFolder(options.out);
  if (begun !== undefined) await giveUpBuild(repository, begun, options);
  if (plan.discs.length === 0) return undefined;
  await storePlan(repository, plan.build, options);
  return plan;
}

/** Rejects with `usage` when other discs are asked for than those that were begun. */
function resumed(begun: CatalogBuild, { media, content, snapshot = [], cushion }: Flags): string {
  const differs =
    (media !== undefined && media.name !== begun.medium && '--media') ||
    (content !== undefined && content !== begun.content && '--content') ||
    (cushion !== undefined && sectorsWith(begun, cushion) !== begun.sectors && '--cushion') ||
    (snapshot.length > 0 && '--snapshot');
  if (!differs) return begun.id;
  throw new CbrError(
    'usage',
    `discs of ${begun.set} were planned before and not all made, and ${differs} may not be what they were planned with`,
    { hint: `Leave ${differs} out to go on with them, or give them up with --restart.` },
  );
}

/** What discs of the kind of a build hold with that cushion; undefined for a kind that is not known any more. */
function sectorsWith({ medium }: CatalogBuild, cushion: number): number | undefined {
  const known = parseMedium(medium);
  return known === undefined ? undefined : freeSectors(known, cushion);
}

function leftText({ discs, medium, content }: CatalogBuild): string {
  const left = discs.filter(({ state }) => state === 'planned');
  return `${left.map(({ volume }) => volume).join(', ')} (${medium}, ${content})`;
}
