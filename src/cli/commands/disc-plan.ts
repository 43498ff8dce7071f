import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import {
  type Fit,
  type FitItem,
  type FittedDisc,
  fitOnDiscs,
  freeBytes,
  planSet,
  type SetPlan,
  type SetRequest,
  unfinishedBuild,
} from '../../disc/index.js';
import { type CatalogBuild, type DiscCatalog, readDiscCatalog } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { checkMaxNew, declareSet, SET_HELP, type SetFlags, setRequest } from '../disc-flags.js';
import { EXIT } from '../exit-codes.js';
import { readFitItems } from '../fit-items.js';
import type { Output } from '../output.js';
import { displayText } from '../raw-names.js';
import { withReadOnly } from '../repository.js';
import { countOf, countText, parseSize, sizeText } from '../sizes.js';
import { table } from '../table.js';

interface Flags extends SetFlags {
  readonly items?: string;
  readonly capacity?: number;
}

/** What says nothing of given sizes. */
const OF_SETS = ['set', 'content', 'snapshot', 'maxNew'] as const;

const HELP = `
Changes nothing. No image will be larger than it says here; the index, which is made while they are written, may be
a little smaller than was allowed for. With --items no repository is needed: it shows how things of given sizes go on discs.
${SET_HELP}

Examples:
  $ cbr disc plan --set photos --media dvd+r --cushion 2
  $ cbr disc plan --set photos --media bd-r --content new --max-new 20GiB
  $ cbr disc plan --items sizes.json --media dvd+r --fit alternate --json`;

export const discPlan: CommandModule = {
  configure(command: Command): void {
    declareSet(command);
    command
      .option('--items <file>', 'instead of a set: [{"name","size"}] in a JSON file, or - for standard input')
      .option('--capacity <size>', 'with --items: what a disc holds', parseSize)
      .addHelpText('after', HELP);
  },

  async run(context: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    if (flags.items === undefined) return planOfSet(context, flags);
    for (const name of OF_SETS) {
      if (flags[name] === undefined) continue;
      const flag = name === 'maxNew' ? 'max-new' : name;
      throw new CbrError('usage', `--items and --${flag} exclude each other`, {
        hint: 'See: cbr disc plan --help',
      });
    }
    return planOfItems(context, flags, flags.items);
  },
};

async function planOfItems({ output }: CommandContext, flags: Flags, file: string): Promise<Outcome> {
  const capacity = capacityOf(flags);
  const fit: Fit = flags.fit ?? 'best';
  const discs = fitOnDiscs(await readFitItems(file), capacity, fit);
  for (const line of linesOf(discs, capacity)) output.line(line);
  return {
    exitCode: EXIT.done,
    summary: {
      capacity,
      discs: discs.map(({ items, used }) => ({ names: items.map(({ name }) => name), used })),
    },
  };
}

function planOfSet(context: CommandContext, flags: Flags): Promise<Outcome> {
  return withReadOnly(context, async (repository) => {
    const { output } = context;
    const request = await setRequest(context, repository, flags);
    const catalog = await readDiscCatalog(repository);
    const plan = await planSet(repository, catalog, request);
    tellNewSet(output, catalog, request);
    const begun = unfinishedBuild(catalog, request.set);
    if (begun !== undefined) tellUnfinished(output, begun);
    for (const line of setLines(plan)) output.line(line);
    checkMaxNew(plan.newBytes, flags);
    return { exitCode: EXIT.done, summary: setFields(plan) };
  });
}

function tellUnfinished(output: Output, { set, discs }: CatalogBuild): void {
  const left = discs.filter(({ state }) => state === 'planned').map(({ volume }) => volume);
  output.problem({
    severity: 'note',
    about: 'repository',
    code: 'unfinished',
    reason: `discs of ${set} were planned before and not all made: ${displayText(left.join(', '))}`,
    hint: 'The next build goes on with them; this is what would come after them.',
  });
}

/** What is new is everything for a set that is not there: it may be a typing error, and costs discs. */
export function tellNewSet(output: Output, { builds }: DiscCatalog, { set, content }: SetRequest): void {
  const others = new Set(builds.map((build) => build.set));
  if (content !== 'new' || others.size === 0 || others.has(set)) return;
  output.problem({
    severity: 'note',
    about: 'repository',
    code: 'new-set',
    reason: `there is no set ${JSON.stringify(set)} yet, so that all is new; there are: ${displayText([...others].sort().join(', '))}`,
  });
}

/** What a plan of a set says for people. */
export function setLines({ build, discs, capacity, newBytes }: SetPlan): string[] {
  if (discs.length === 0) return ['All of it is on discs of the set already: there is nothing to build.'];
  const rows = build.discs.map(({ volume, packs }, i) => [
    volume,
    countText(packs.length),
    sizeText(discs[i]!.imageBytes),
    sizeText(capacity - discs[i]!.imageBytes),
  ]);
  const titles = [
    { title: 'Disc', align: 'left' },
    ...['Packs', 'Image', 'Free'].map((title) => ({ title, align: 'right' }) as const),
  ] as const;
  const of = countOf(build.snapshots.length, 'snapshot');
  return [
    ...table(titles, rows),
    `${countOf(discs.length, 'disc')} for ${of}, ${sizeText(newBytes)} of packs`,
  ];
}

function setFields({ build, discs, capacity, newBytes }: SetPlan): Readonly<Record<string, unknown>> {
  return {
    set: build.set,
    content: build.content,
    media: build.medium,
    capacity,
    snapshots: build.snapshots,
    newBytes,
    discs: build.discs.map(({ number, volume, packs }, i) => ({
      number,
      volume,
      imageBytes: discs[i]!.imageBytes,
      packs,
      treePacks: discs[i]!.tree.length,
      index: discs[i]!.index,
    })),
  };
}

function capacityOf({ capacity, media, cushion }: Flags): number {
  if ((capacity === undefined) === (media === undefined)) {
    throw new CbrError('usage', 'give either --capacity or --media', { hint: 'See: cbr disc plan --help' });
  }
  if (media !== undefined) return freeBytes(media, undefined, cushion);
  return Math.floor(capacity! - (capacity! * (cushion ?? 0)) / 100);
}

function linesOf(discs: readonly FittedDisc<FitItem>[], capacity: number): string[] {
  const rows = discs.map(({ items, used }, i) => [
    String(i + 1),
    countText(items.length),
    sizeText(used),
    sizeText(capacity - used),
  ]);
  const titles = ['Disc', 'Items', 'Used', 'Free'].map((title) => ({ title, align: 'right' }) as const);
  return [...table(titles, rows), `${countOf(discs.length, 'disc')} in all`];
}
