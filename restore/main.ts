import { dirname, resolve } from 'node:path';
import { createInterface } from 'node:readline/promises';
import { fileURLToPath } from 'node:url';
import { type Command, parseArguments } from './arguments.js';
import { Damage, EXIT, type ExitCode, Failure, messageOf, OutOfReach } from './failure.js';
import { HELP } from './help.js';
import { list } from './list.js';
import { isPasswordGiven, readPassword } from './password.js';
import { type Dialog, restore } from './restore.js';
import { Session } from './session.js';
import { shown } from './text.js';

/** Put in by the bundler. */
declare const CBR_VERSION: string;

const PROGRESS_EVERY_MS = 500;

/** Whatever a line comes from, it does not steer the terminal. */
const lines = (text: string): string => `${text.split('\n').map(shown).join('\n')}\n`;
const print = (text: string): void => void process.stdout.write(lines(text));
const say = (text: string): void => void process.stderr.write(lines(text));

async function run(command: Command): Promise<ExitCode> {
  if (command.name === 'help') {
    print(HELP);
    return EXIT.done;
  }
  if (command.name === 'version') {
    print(`cbr-restore ${CBR_VERSION}`);
    return EXIT.done;
  }
  const session = await Session.open({
    places: {
      // .../restore/cbr-restore.mjs
      own: dirname(dirname(fileURLToPath(import.meta.url))),
      current: process.cwd(),
      given: command.options.discs.map((each) => resolve(each)),
    },
    isPasswordGiven: isPasswordGiven(command.options.passwordFile, process.env),
    password: () => readPassword(command.options.passwordFile, process.env),
    say,
  });
  try {
    return command.name === 'list' ? list(session, print) : await restore(session, command, dialog());
  } finally {
    session.release();
  }
}

function dialog(): Dialog {
  const isTerminal = process.stdin.isTTY === true && process.stderr.isTTY === true;
  return {
    print,
    say,
    progress: progressLine(process.stderr.isTTY === true),
    ask: isTerminal ? ask : undefined,
  };
}

function progressLine(isShown: boolean): (text: string) => void {
  let last = performance.now();
  let isThere = false;
  return (text) => {
    if (!isShown || (text === '' && !isThere)) return;
    const now = performance.now();
    if (text !== '' && now - last < PROGRESS_EVERY_MS) return;
    last = now;
    isThere = text !== '';
    process.stderr.write(`\r${text}\u001b[K`);
  };
}

async function ask(question: string): Promise<string> {
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  let interrupted: () => void = () => undefined;
  try {
    return await new Promise((resolve, reject) => {
      interrupted = () => reject(new Failure(EXIT.interrupted, 'interrupted'));
      terminal.once('SIGINT', interrupted);
      terminal.once('close', interrupted);
      terminal.question(question).then(resolve, reject);
    });
  } finally {
    // Its own listeners stay: by them it lets go of the terminal.
    terminal.off('SIGINT', interrupted).off('close', interrupted).close();
  }
}

/** Ends with words and a code for everything that can happen. */
function explain(error: unknown): ExitCode {
  const hint = error instanceof Failure ? error.hint : undefined;
  say(`cbr-restore: ${messageOf(error)}${hint === undefined ? '' : `\n${hint}`}`);
  if (error instanceof Failure) return error.exitCode;
  return error instanceof Damage || error instanceof OutOfReach ? EXIT.damage : EXIT.failed;
}

try {
  process.exitCode = await run(parseArguments(process.argv.slice(2)));
} catch (error) {
  process.exitCode = explain(error);
}
