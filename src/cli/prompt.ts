import { StringDecoder } from 'node:string_decoder';
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

/**
 * Asks on the terminal for one line, which is not shown while it is typed. Rejects with `interrupted` on Ctrl-C, Ctrl-D in an
 * empty line, or when `signal` is aborted.
 */
export function askHidden(question: string, signal: AbortSignal): Promise<string> {
  const { stdin, stderr } = process;
  signal.throwIfAborted();
  return new Promise((resolve, reject) => {
    const decoder = new StringDecoder('utf8');
    let typed: string[] = [];
    const finish = (settle: () => void): void => {
      stdin.removeListener('data', onData);
      stdin.removeListener('end', onEnd);
      signal.removeEventListener('abort', onAbort);
      stdin.setRawMode(false);
      stdin.pause();
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
          if (ahead !== '') stdin.unshift(Buffer.from(ahead, 'utf8'));
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
    stdin.setRawMode(true);
    stderr.write(question);
    stdin.on('data', onData);
    stdin.on('end', onEnd);
    signal.addEventListener('abort', onAbort);
    stdin.resume();
  });
}
