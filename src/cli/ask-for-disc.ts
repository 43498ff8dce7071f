import type { AskForDisc, NamedDisc } from '../disc/index.js';
import { askLine } from './ask.js';
import type { CommandContext } from './command.js';
import { canAsk } from './prompt.js';
import { displayText } from './raw-names.js';

/**
 * Asks for discs on the terminal. Where nobody can be asked it goes on without them, and says once for each that it is missing.
 */
export function askForDisc({ output, signal }: Pick<CommandContext, 'output' | 'signal'>): AskForDisc {
  return async (disc) => {
    if (canAsk()) return output.whileAsking(() => asked(disc, signal));
    output.problem({
      severity: 'warning',
      about: 'repository',
      reason: `${named(disc)} is missing: what lies only there cannot be read`,
      hint: 'Put it or its image to the others, or run this on a terminal, to be asked for discs.',
    });
    return 'skip';
  };
}

/** No answer: nobody answers any more. Rejects as `askLine`. */
async function asked(disc: NamedDisc, signal: AbortSignal): Promise<'again' | 'skip'> {
  const question = `${named(disc)} is needed. Put it in, or into the folder, and press Enter; s to go on without it. `;
  return /^(s|skip)$/i.test((await askLine(question, signal)) ?? 's') ? 'skip' : 'again';
}

function named({ number, set, volume }: NamedDisc): string {
  // Labels are vouched for by nobody.
  return `Disc ${number} of the set ${displayText(set)} (${displayText(volume)})`;
}
