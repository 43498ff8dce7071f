import { readFileSync } from 'node:fs';
import { CbrError } from '../core/index.js';
import { displayPath } from '../fs/index.js';

/** What stands in the text of an argument where its bytes were not UTF-8; it may also have been typed. */
const REPLACEMENT = '\ufffd';

/**
 * Refuses arguments whose bytes are not UTF-8: Node gives them with other characters, and cbr would look for, or make,
 * another file than the one that was named. Rejects with `usage`. Does nothing where the kernel does not tell the bytes.
 */
export function refuseAlteredArguments(args: readonly string[]): void {
  if (!args.some((arg) => arg.includes(REPLACEMENT))) return;
  const typed = typedArguments(args.length);
  const altered = typed.find((bytes) => !Buffer.from(bytes.toString('utf8'), 'utf8').equals(bytes));
  if (altered === undefined) return;
  const shown = displayPath(altered.toString('latin1'));
  throw new CbrError(
    'usage',
    `the argument '${shown}' is not valid UTF-8: it cannot be passed on unchanged`,
    {
      hint: 'Name the folder above it, or choose another name.',
    },
  );
}

/** The last `count` arguments of this process, as bytes; none where they are not known. */
function typedArguments(count: number): readonly Buffer[] {
  let line: Buffer;
  try {
    line = readFileSync('/proc/self/cmdline');
  } catch {
    return [];
  }
  const found: Buffer[] = [];
  for (let start = 0; start < line.length; ) {
    const end = line.indexOf(0, start);
    const stop = end === -1 ? line.length : end;
    found.push(line.subarray(start, stop));
    start = stop + 1;
  }
  return found.slice(-count);
}
