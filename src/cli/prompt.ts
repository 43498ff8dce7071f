import { openSync } from 'node:fs';
import { StringDecoder } from 'node:string_decoder';
import { ReadStream } from 'node:tty';
import { CbrError } from '../core/index.js';

const KEY = Object.freeze({
  end: '\x04',
  erase: '\x7f',
  backspace: '\b',
  eraseLine: '\x15',
  interrupt: '\x03',
});

/** Whether there is a person to ask: both directions are a terminal. */
export function canAsk(): boolean {
  return process.stdin.isTTY === true && process.stderr.isTTY === true;
}

/** Where there is a person to ask. */
export interface Terminal {
  readonly input: ReadStream;
  close(): void;
}

/**
 * The terminal on which a person can be asked: both directions are one. Where standard input brings something else, the
 * terminal of the process takes its place. Undefined where there is none.
 */
export function openTerminal(stdinIsTaken: boolean): Terminal | undefined {
  if (!stdinIsTaken) return canAsk() ? { input: process.stdin, close: () => undefined } : undefined;
  if (process.stderr.isTTY !== true) return undefined;
  try {
    const input = new ReadStream(openSync('/dev/tty', 'r'));
    return { input, close: () => void input.destroy() };
  } catch {
    return undefined; // a job in the background has none
  }
}

/**
 * Asks on the terminal for one line, which is not shown while it is typed. Rejects with `interrupted` on Ctrl-C, Ctrl-D in an
 * empty line, or when `signal` is aborted.
 */
export function askHidden(question: string, { input }: Terminal, signal: AbortSignal): Promise<string> {
  const { stderr } = process;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const decoder = new StringDecoder('utf8');
    let typed: string[] = [];
    const finish = (settle: () => void): void => {
      input.removeListener('data', onData);
      input.removeListener('end', onEnd);
      signal.removeEventListener('abort', onAbort);
      input.setRawMode(false);
      input.pause();
      stderr.write('\n');
      settle();
    };
    const stop = (): void => finish(() => reject(new CbrError('interrupted', 'interrupted at the prompt')));
    const onAbort = (): void => finish(() => reject(signal.reason));
    const onEnd = (): void => stop();
    const onData = (bytes: Buffer): void => {
      const characters = [...decoder.write(bytes)];
      for (const [i, character] of characters.entries()) {
        if (character === '\r' || character === '\n') {
          // What was typed ahead, or pasted, belongs to the next question.
          const ahead = characters.slice(i + 1).join('');
          finish(() => resolve(typed.join('')));
          if (ahead !== '') input.unshift(Buffer.from(ahead, 'utf8'));
          return;
        }
        if (character === KEY.interrupt || (character === KEY.end && typed.length === 0)) {
          stop();
          return;
        }
        if (character === KEY.erase || character === KEY.backspace) typed.pop();
        else if (character === KEY.eraseLine) typed = [];
        else if (character >= ' ') typed.push(character);
      }
    };
    input.setRawMode(true);
    stderr.write(question);
    input.on('data', onData);
    input.on('end', onEnd);
    signal.addEventListener('abort', onAbort);
    input.resume();
  });
}
