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
} from '../../disc/index.js';
import { readDiscCatalog } from '../../repo/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { checkMaxNew, declareSet, SET_HELP, type SetFlags, setRequest } from '../disc-flags.js';
import { EXIT } from '../exit-codes.js';
import { readFitItems } from '../fit-items.js';
import { withReadOnly } from '../repository.js';
import { countOf, countText, parseSize, sizeText } from '../sizes.js';
import { table } from '../table.js';

interface Flags extends SetFlags {
  readonly items?: string;
  readonly capacity?: number;
}

const HELP = `
Changes nothing. The sizes of the images are exact. With --items no repository is needed: it shows how things of given sizes go on discs.
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
    if (flags.set !== undefined) {
      throw new CbrError('usage', '--items and --set exclude each other', {
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
    const plan = await planSet(repository, await readDiscCatalog(repository), request);
    for (const line of setLines(plan)) output.line(line);
    checkMaxNew(plan.newBytes, flags);
    return { exitCode: EXIT.done, summary: setFields(plan) };
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
