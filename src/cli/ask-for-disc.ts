import { createInterface } from 'node:readline';
import { CbrError } from '../core/index.js';
import type { AskForDisc, NamedDisc } from '../disc/index.js';
import type { CommandContext } from './command.js';
import { canAsk } from './prompt.js';

/**
 * Asks for discs on the terminal. Where nobody can be asked it goes on without them, and says once for each that it is missing.
 */
export function askForDisc({ output, signal }: Pick<CommandContext, 'output' | 'signal'>): AskForDisc {
  return async (disc) => {
    if (canAsk()) return asked(disc, signal);
    output.problem({
      severity: 'warning',
      about: 'repository',
      reason: `${named(disc)} is missing: what lies only there cannot be read`,
      hint: 'Put it or its image to the others, or run this on a terminal, to be asked for discs.',
    });
    return 'skip';
  };
}

/** Rejects with `interrupted` on Ctrl-C or when `signal` is aborted. */
function asked(disc: NamedDisc, signal: AbortSignal): Promise<'again' | 'skip'> {
  signal.throwIfAborted();
  const question = `${named(disc)} is needed. Put it in, or into the folder, and press Enter; s to go on without it. `;
  return new Promise((resolve, reject) => {
    const asking = createInterface({ input: process.stdin, output: process.stderr });
    const stop = (): void => {
      signal.removeEventListener('abort', onAbort);
      asking.close();
    };
    const onAbort = (): void => {
      stop();
      reject(signal.reason);
    };
    signal.addEventListener('abort', onAbort);
    asking.on('SIGINT', () => {
      stop();
      reject(new CbrError('interrupted', 'interrupted at the question for a disc'));
    });
    // Ctrl-D: nobody answers any more.
    asking.on('close', () => resolve('skip'));
    asking.question(question, (answer) => {
      resolve(/^s(kip)?$/i.test(answer.trim()) ? 'skip' : 'again');
      stop();
    });
  });
}

function named({ number, set, volume }: NamedDisc): string {
  return `Disc ${number} of the set ${set} (${volume})`;
}
