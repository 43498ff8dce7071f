import { createInterface } from 'node:readline';
import { CbrError } from '../core/index.js';

/**
 * Asks on the terminal for a line; undefined when there is none (Ctrl-D). Rejects with `interrupted` on Ctrl-C or when `signal` is
 * aborted.
 */
export function askLine(question: string, signal: AbortSignal): Promise<string | undefined> {
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const asking = createInterface({ input: process.stdin, output: process.stderr });
    const stop = (): void => {
      signal.removeEventListener('abort', onAbort);
      asking.close();
    };
    // Before it is closed, which would be an answer.
    const onAbort = (): void => {
      reject(signal.reason);
      stop();
    };
    signal.addEventListener('abort', onAbort);
    asking.on('SIGINT', () => {
      reject(new CbrError('interrupted', 'interrupted at the question'));
      stop();
    });
    asking.on('close', () => resolve(undefined));
    asking.question(question, (answer) => {
      resolve(answer.trim());
      stop();
    });
  });
}

/** True for "y" and "yes" only: no answer is no. Rejects as `askLine`. */
export async function askYes(question: string, signal: AbortSignal): Promise<boolean> {
  return /^y(es)?$/i.test((await askLine(`${question} [y/N] `, signal)) ?? '');
}
