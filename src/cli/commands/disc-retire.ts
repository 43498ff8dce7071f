import type { Command } from 'commander';
import { CbrError } from '../../core/index.js';
import { buildsOfSet, type ChosenDisc, countsAsStored, packsOnDiscs, selectDisc } from '../../disc/index.js';
import { addDiscEvent, type CatalogPack, type DiscCatalog, readDiscCatalog } from '../../repo/index.js';
import { askYes } from '../ask.js';
import { byWhom } from '../by-whom.js';
import type { CommandContext, CommandModule, Outcome } from '../command.js';
import { bytesOf, discFields, discText, packsText, showPacks, tellUnreadable } from '../disc-text.js';
import { canAsk } from '../prompt.js';
import { displayText } from '../raw-names.js';
import { withRepository } from '../repository.js';
import { currentTime } from '../times.js';
import { DISC_HELP } from './disc-show.js';

interface Flags {
  readonly yes?: boolean;
}

export const discRetire: CommandModule = {
  configure(command: Command): void {
    command
      .argument('<disc>', 'which one')
      .option('--yes', 'do not ask')
      .addHelpText(
        'after',
        `${DISC_HELP}
A disc that is lost, broken or given away counts no longer: the next build with --content new, or since-full, takes its packs again,
and the packs that are on no other disc of the set are listed. It counts again only when it is written again. Nothing that the
repository stores is touched.

Examples:
  $ cbr disc retire home/3
  $ cbr disc retire CBR_HOME_3 --yes`,
      );
  },

  run(context: CommandContext, command: Command): Promise<Outcome> {
    const [name] = command.processedArgs as [string];
    const { yes = false } = command.opts<Flags>();
    return withRepository(context, async (repository) => {
      const { output } = context;
      const catalog = await readDiscCatalog(repository);
      const exitCode = tellUnreadable(output, catalog);
      const chosen = selectDisc(catalog, name);
      const { build, disc } = chosen;
      if (disc.state === 'retired') {
        throw new CbrError('usage', `disc ${discText(build, disc)} is retired already`, {
          hint: 'It counts again when it is written again.',
        });
      }
      const lost = onlyThere(catalog, chosen);
      if (!yes) await confirm(context, chosen, lost);
      await addDiscEvent(repository, disc.id, 'retired', byWhom(), currentTime().seconds);
      output.line(`Disc ${discText(build, disc)} (${displayText(disc.volume)}) counts no longer.`);
      output.line(lostText(build.set, lost));
      showPacks(output, lost);
      return {
        exitCode,
        summary: {
          ...discFields(build, { ...disc, state: 'retired' }),
          packs: lost.length,
          bytes: bytesOf(lost),
        },
      };
    });
  },
};

/** Packs of a disc that are on no other disc of its set that counts; none where it does not count itself. */
function onlyThere(catalog: DiscCatalog, { build, disc }: ChosenDisc): readonly CatalogPack[] {
  if (!countsAsStored(disc)) return [];
  const others = buildsOfSet(catalog, build.set).map(({ discs }) => ({
    discs: discs.filter(({ id }) => id !== disc.id),
  }));
  const elsewhere = packsOnDiscs(others);
  return disc.packs.filter(({ name }) => !elsewhere.has(name));
}

function lostText(set: string, lost: readonly CatalogPack[]): string {
  const name = displayText(set);
  if (lost.length === 0) return `Nothing that counted is on it alone: set ${name} has as much as before.`;
  return `On no disc of set ${name} any more: ${packsText(lost)}. The next build (--content new) takes them.`;
}

async function confirm(
  { signal }: CommandContext,
  { build, disc }: ChosenDisc,
  lost: readonly CatalogPack[],
): Promise<void> {
  const what = `disc ${discText(build, disc)} (${displayText(disc.volume)}, ${disc.state})`;
  if (!canAsk()) {
    throw new CbrError('usage', `${what} would count no longer, and nobody can be asked`, {
      hint: 'Say --yes to retire it. Nothing was changed.',
    });
  }
  const alone = lost.length === 0 ? '' : `, and ${packsText(lost)} be on no disc of the set`;
  if (!(await askYes(`From now on ${what} will not count${alone}. Retire it?`, signal))) {
    throw new CbrError('target', 'not confirmed: the disc counts as before');
  }
}
