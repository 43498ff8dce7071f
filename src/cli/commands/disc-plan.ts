import { type Command, InvalidArgumentError, Option } from 'commander';
import { CbrError } from '../../core/index.js';
import {
  FITS,
  type Fit,
  type FitItem,
  type FittedDisc,
  fitOnDiscs,
  freeBytes,
  MEDIA,
  type Medium,
  parseMedium,
} from '../../disc/index.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { EXIT } from '../exit-codes.js';
import { readFitItems } from '../fit-items.js';
import { percentage } from '../parse-number.js';
import { countOf, countText, parseSize, sizeText } from '../sizes.js';
import { table } from '../table.js';

interface Flags {
  readonly items: string;
  readonly capacity?: number;
  readonly media?: Medium;
  readonly cushion?: number;
  readonly fit: Fit;
}

const HELP = `
Fits: "best" takes the largest first, "worst" the smallest, "first" what comes first in the list, "alternate" the smallest and the
largest by turns; each takes whatever still has room.
Media: ${MEDIA.map(({ name }) => name).join(' ')}, or any size.

Examples:
  $ cbr disc plan --items sizes.json --media dvd+r --cushion 2
  $ cbr disc plan --items sizes.json --capacity 4700372992 --fit alternate --json`;

export const discPlan: CommandModule = {
  configure(command: Command): void {
    command
      .requiredOption(
        '--items <file>',
        'what is to go on discs: [{"name","size"}] in a JSON file, or - for standard input',
      )
      .option('--capacity <size>', 'what a disc holds', parseSize)
      .option('--media <medium>', 'the discs: a kind, or a size', medium)
      .option('--cushion <percent>', 'leave so much of each disc free', percentage)
      .addOption(new Option('--fit <fit>', 'how discs are filled').choices(FITS).default('best'));
    command.addHelpText('after', HELP);
  },

  async run({ output }: CommandContext, command: Command): Promise<Outcome> {
    const flags = command.opts<Flags>();
    const capacity = capacityOf(flags);
    const discs = fitOnDiscs(await readFitItems(flags.items), capacity, flags.fit);
    for (const line of linesOf(discs, capacity)) output.line(line);
    return {
      exitCode: EXIT.done,
      summary: {
        capacity,
        discs: discs.map(({ items, used }) => ({ names: items.map(({ name }) => name), used })),
      },
    };
  },
};

function medium(text: string): Medium {
  const found = parseMedium(text);
  if (found !== undefined) return found;
  const names = MEDIA.map(({ name }) => name).join(', ');
  throw new InvalidArgumentError(`One of ${names}, or a size such as 200MiB, is expected.`);
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
