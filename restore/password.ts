import { readFileSync } from 'node:fs';
import { EXIT, Failure, messageOf } from './failure.js';

/** Where the password comes from, as with `cbr`: the first that is given counts. */

const MOST_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

/** Rejects with a Failure where there is none. */
export async function readPassword(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Buffer> {
  const password = await passwordFrom(file, environment);
  if (password.length === 0)
    throw new Failure(EXIT.usage, 'the password is empty', 'Check where it comes from.');
  if (password.length > MOST_BYTES) {
    throw new Failure(EXIT.usage, `the password is longer than ${MOST_BYTES} bytes`, 'Is it the right file?');
  }
  return password;
}

/** Whether somebody has thought of one before being asked. */
export function isPasswordGiven(
  file: string | undefined,
  { CBR_PASSWORD, CBR_PASSWORD_FILE }: Readonly<Record<string, string | undefined>>,
): boolean {
  return file !== undefined || Boolean(CBR_PASSWORD_FILE) || CBR_PASSWORD !== undefined;
}

async function passwordFrom(
  file: string | undefined,
  environment: Readonly<Record<string, string | undefined>>,
): Promise<Buffer> {
  const path = file ?? (environment.CBR_PASSWORD_FILE || undefined);
  if (path !== undefined) return withoutLineEnd(contentOf(path));
  if (environment.CBR_PASSWORD !== undefined) return Buffer.from(environment.CBR_PASSWORD, 'utf8');
  if (!process.stdin.isTTY) {
    throw new Failure(
      EXIT.usage,
      'a password is needed',
      'Use --password-file, CBR_PASSWORD_FILE or CBR_PASSWORD, or run this on a terminal.',
    );
  }
  return Buffer.from(await askHidden('Password: '), 'utf8');
}

/** Without the line end that editors and `echo` add: one, no more. */
function withoutLineEnd(bytes: Buffer): Buffer {
  if (bytes.at(-1) !== NEWLINE) return bytes;
  return bytes.subarray(0, bytes.at(-2) === RETURN ? -2 : -1);
}

function contentOf(path: string): Buffer {
  try {
    return readFileSync(path);
  } catch (error) {
    throw new Failure(
      EXIT.usage,
      `cannot read the password file: ${messageOf(error)}`,
      'Check its path and permissions.',
    );
  }
}

/** Reads a line from the terminal without showing it. */
function askHidden(question: string): Promise<string> {
  const { stdin, stderr } = process;
  // First, so that nothing that is typed early is shown.
  stdin.setRawMode(true);
  stderr.write(question);
  stdin.setEncoding('utf8');
  stdin.resume();
  return new Promise((resolve, reject) => {
    let line = '';
    const isTyped = escapeFilter();
    const end = (finish: () => void): void => {
      stdin.off('data', take);
      stdin.setRawMode(false);
      stdin.pause();
      stderr.write('\n');
      finish();
    };
    const take = (typed: string): void => {
      for (const sign of typed) {
        if (!isTyped(sign)) continue;
        if (sign === '\r' || sign === '\n' || sign === '\u0004') {
          end(() => resolve(line));
          return;
        }
        if (sign === '\u0003') {
          end(() => reject(new Failure(EXIT.interrupted, 'interrupted')));
          return;
        }
        if (sign === '\u007f' || sign === '\b') line = [...line].slice(0, -1).join('');
        else if (sign === '\u0015') line = '';
        else if (sign >= ' ') line += sign;
      }
    };
    stdin.on('data', take);
  });
}

/** Tells for each sign of a terminal whether somebody typed it; arrows and other keys send several, which begin with an escape. */
function escapeFilter(): (sign: string) => boolean {
  let state: 'text' | 'escape' | 'sequence' | 'last' = 'text';
  return (sign) => {
    if (sign === '\u0003' || sign === '\r' || sign === '\n') state = 'text';
    else if (sign === '\u001b') state = 'escape';
    else if (state === 'escape') {
      state = sign === '[' ? 'sequence' : sign === 'O' ? 'last' : 'text';
      return false;
    } else if (state !== 'text') {
      if (state === 'last' || (sign >= '@' && sign <= '~')) state = 'text';
      return false;
    }
    return state === 'text';
  };
}
