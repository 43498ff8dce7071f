import { createInterface } from 'node:readline';
import { CbrError } from '../core/index.js';

/** Asks on the terminal; true for "y" and "yes" only. Rejects with `interrupted` on Ctrl-C or when `signal` is aborted. */
export function askYes(question: string, signal: AbortSignal): Promise<boolean> {
  signal.throwIfAborted();
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
      reject(new CbrError('interrupted', 'interrupted at the question'));
    });
    // Ctrl-D: no answer is no.
    asking.on('close', () => resolve(false));
    asking.question(`${question} [y/N] `, (answer) => {
      resolve(/^y(es)?$/i.test(answer.trim()));
      stop();
    });
  });
}
