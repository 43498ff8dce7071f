import { createReadStream, fstatSync, type Stats, statSync } from 'node:fs';
import { CbrError, messageOf } from '../core/index.js';
import type { ByteStream } from './byte-stream.js';

const STDIN = 0;
/** Of a file at a time: the default, 64 KiB, costs a tenth of the speed. */
const READ_BYTES = 2 ** 20;

/** The content of standard input. Rejects with `usage` when it is a terminal or a folder. */
export function standardInput(): ByteStream {
  const stats = fstatSync(STDIN);
  if (stats.isDirectory()) throw unusable('a folder', 'Name the folder instead: cbr snapshot FOLDER');
  if (process.stdin.isTTY === true) {
    throw unusable('a terminal', 'Pipe something into it; what you type: cat | cbr snapshot --stdin');
  }
  // Node takes block devices for empty.
  const isPolled = stats.isFIFO() || stats.isSocket();
  const stream = isPolled
    ? process.stdin
    : createReadStream('', { fd: STDIN, highWaterMark: READ_BYTES, autoClose: false });
  return {
    content: readWhole(stream),
    close: async () => {
      stream.destroy();
    },
  };
}

async function* readWhole(stream: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array, void> {
  let isEmpty = true;
  try {
    for await (const bytes of stream) {
      isEmpty = false;
      yield bytes;
    }
  } catch (cause) {
    throw new CbrError('source', `reading standard input failed: ${messageOf(cause)}`, {
      cause,
      hint: 'No snapshot was made.',
    });
  }
  // The program in front of the pipe has failed, more often than not; its exit status nobody tells us.
  if (isEmpty) {
    throw new CbrError('source', 'standard input is empty: no snapshot was made', {
      hint: 'Where that may be, use --from-command: it tells an empty output from a failed command.',
    });
  }
}

function unusable(what: string, hint: string): CbrError {
  return new CbrError('usage', `standard input is ${what}`, { hint });
}

/** Whether a path leads to what standard input is: a pipe or a file, no device. */
export function isStandardInput(path: string): boolean {
  let named: Stats;
  try {
    named = statSync(path);
  } catch {
    return false; // who reads it says what is wrong
  }
  const own = fstatSync(STDIN);
  return !own.isCharacterDevice() && named.dev === own.dev && named.ino === own.ino;
}
