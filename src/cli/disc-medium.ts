import type { DiscMedium } from '../backends/index.js';
import type { DiscMediumOptions } from '../disc/index.js';
import { askForDisc } from './ask-for-disc.js';
import type { CommandContext } from './command.js';
import { RESTORE_SOURCES } from './restore-sources.js';

/** Opens repositories on discs for a command: asks for discs on the terminal, and says what is wrong with those that are there. */
export function discMediumOf(context: Pick<CommandContext, 'output' | 'signal'>): DiscMedium {
  const { output } = context;
  const options: DiscMediumOptions = {
    ask: askForDisc(context),
    restore: RESTORE_SOURCES,
    signal: context.signal,
    report: (problem) => output.problem({ about: 'repository', ...problem }),
  };
  // Loaded only when it is used: start-up time is a feature.
  const load = async (): Promise<DiscMedium> => (await import('../disc/index.js')).discMedium(options);
  return {
    open: async (...its) => (await load()).open(...its),
    create: async (...its) => (await load()).create(...its),
    checkNew: async (...its) => (await load()).checkNew(...its),
  };
}
