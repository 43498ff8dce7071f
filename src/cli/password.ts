import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { CbrError, messageOf } from '../core/index.js';
import { askHidden, openTerminal, type Terminal } from './prompt.js';
import { isStandardInput } from './standard-input.js';

/** Where a password comes from. */
export type PasswordSource =
  | { readonly kind: 'file'; readonly path: string }
  | { readonly kind: 'command'; readonly command: string; readonly stdinIsTaken?: boolean }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'prompt'; readonly stdinIsTaken?: boolean };

/** The same source where standard input is not for the password. Rejects with `usage` when it is nothing else. */
export function besideStandardInput(source: PasswordSource): PasswordSource {
  if (source.kind === 'text') return source;
  if (source.kind !== 'file') return { ...source, stdinIsTaken: true };
  if (!isStandardInput(source.path)) return source;
  throw new CbrError('usage', 'standard input cannot be both the password file and what is taken in', {
    hint: 'Use another file, --password-command or CBR_PASSWORD.',
  });
}

/**
 * The password to open with, the first one of a new repository, or another one (those two are asked for twice); of the
 * repository that a copy goes to, and of the one that parameters come from.
 */
export type PasswordPurpose = 'open' | 'init' | 'new' | 'to' | 'from';

const MOST_BYTES = 64 * 1024;
const NEWLINE = 0x0a;
const RETURN = 0x0d;

const QUESTIONS: Readonly<Record<PasswordPurpose, string>> = {
  open: 'Password: ',
  init: 'New password: ',
  new: 'New password: ',
  to: 'Password of the target: ',
  from: 'Password of the other repository: ',
};

const OPTIONS =
  'Use --password-file, --password-command, CBR_PASSWORD_FILE or CBR_PASSWORD, or run cbr on a terminal.';

const WAYS: Readonly<Record<PasswordPurpose, string>> = {
  open: OPTIONS,
  init: OPTIONS,
  new: 'Use --new-password-file, --new-password-command or CBR_NEW_PASSWORD_FILE, or run cbr on a terminal.',
  to: 'Use --to-password-file, --to-password-command, CBR_TO_PASSWORD_FILE or CBR_TO_PASSWORD, or run cbr on a terminal.',
  from: 'Use --from-password-file, --from-password-command, CBR_FROM_PASSWORD_FILE or CBR_FROM_PASSWORD.',
};

/** Of which password it is said that there is none. */
const NAMES: Readonly<Record<PasswordPurpose, string>> = {
  open: 'password',
  init: 'password',
  new: 'new password',
  to: 'password of the target',
  from: 'password of the other repository',
};

const EMPTY: Readonly<Record<PasswordPurpose, string>> = {
  open: 'Check where it comes from: the file, the command or the variable.',
  init: 'A repository without one: cbr init --no-encryption.',
  new: 'Choose one that is not.',
  to: 'Check where it comes from: the file, the command or the variable.',
  from: 'Check where it comes from: the file, the command or the variable.',
};

/**
 * The bytes of the password. Rejects with `usage` when there is none to be had or it is empty, with `interrupted` when the
 * user breaks off at the prompt.
 */
export async function readPassword(
  source: PasswordSource,
  purpose: PasswordPurpose,
  signal: AbortSignal,
): Promise<Uint8Array> {
  const password = await bytesFrom(source, purpose, signal);
  if (password.length === 0) {
    throw new CbrError('usage', 'the password is empty', {
      hint: EMPTY[purpose],
    });
  }
  if (password.length > MOST_BYTES) {
    throw new CbrError('usage', `the password is longer than ${MOST_BYTES} bytes`, {
      hint: 'Is it the right file?',
    });
  }
  return password;
}

async function bytesFrom(
  source: PasswordSource,
  purpose: PasswordPurpose,
  signal: AbortSignal,
): Promise<Buffer> {
  switch (source.kind) {
    case 'text':
      return Buffer.from(source.text, 'utf8');
    case 'file':
      return withoutLineEnd(await readPasswordFile(source.path));
    case 'command':
      return withoutLineEnd(await printedBy(source.command, source.stdinIsTaken === true, signal));
    case 'prompt':
      return Buffer.from(await asked(purpose, source.stdinIsTaken === true, signal), 'utf8');
  }
}

/** Without the line end that editors and `echo` add: one, no more. */
function withoutLineEnd(bytes: Buffer): Buffer {
  if (bytes.at(-1) !== NEWLINE) return bytes;
  return bytes.subarray(0, bytes.at(-2) === RETURN ? -2 : -1);
}

async function readPasswordFile(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (cause) {
    throw new CbrError('usage', `cannot read the password file: ${messageOf(cause)}`, {
      cause,
      hint: 'Check its path and permissions.',
    });
  }
}

/**
 * Standard input and error stay those of cbr: such a command may have to ask as well. It must not eat what is taken in.
 */
function printedBy(command: string, stdinIsTaken: boolean, signal: AbortSignal): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const child = spawn('/bin/sh', ['-c', command], {
      stdio: [stdinIsTaken ? 'ignore' : 'inherit', 'pipe', 'inherit'],
      signal,
    });
    const printed: Buffer[] = [];
    child.stdout.on('data', (bytes: Buffer) => printed.push(bytes));
    const fail = (why: string): void =>
      reject(
        signal.aborted
          ? signal.reason
          : new CbrError('usage', `the password command failed: ${why}`, {
              hint: 'Run it alone to see why: it must print the password and exit with 0.',
            }),
      );
    child.on('error', (error) => fail(messageOf(error)));
    child.on('close', (code, killedBy) => {
      if (code === 0) resolve(Buffer.concat(printed));
      else fail(killedBy ?? `exit code ${code}`);
    });
  });
}

async function asked(purpose: PasswordPurpose, stdinIsTaken: boolean, signal: AbortSignal): Promise<string> {
  const terminal = openTerminal(stdinIsTaken);
  if (terminal === undefined) {
    throw new CbrError('usage', `no ${NAMES[purpose]} was given`, {
      hint: WAYS[purpose],
    });
  }
  try {
    return await askedOn(terminal, purpose, signal);
  } finally {
    terminal.close();
  }
}

async function askedOn(terminal: Terminal, purpose: PasswordPurpose, signal: AbortSignal): Promise<string> {
  const password = await askHidden(QUESTIONS[purpose], terminal, signal);
  if ((purpose !== 'init' && purpose !== 'new') || password === '') return password;
  if ((await askHidden('Again: ', terminal, signal)) !== password) {
    throw new CbrError('usage', 'the two passwords differ', { hint: 'Nothing was changed: try again.' });
  }
  return password;
}
