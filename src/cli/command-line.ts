import { isatty } from 'node:tty';
import { Command, CommanderError } from 'commander';
import { CbrError, VERSION } from '../core/index.js';
import { refuseAlteredArguments } from './argument-bytes.js';
import { CATALOG, type CatalogCommand, type CatalogEntry, OTHER_WORDS } from './catalog.js';
import type { CommandModule } from './command.js';
import { EXIT, type ExitCode, exitCodeOf } from './exit-codes.js';
import { LineWriter } from './line-writer.js';
import { declareGlobalOptions, type GlobalOptions, resolveOptions } from './options.js';
import { Output } from './output.js';
import { displayText } from './raw-names.js';
import { runCommand } from './run-command.js';

const DESCRIPTION =
  'Keeps the history of your files in a content-addressed, deduplicating, encrypted repository.';

const EXAMPLES = `
Examples:
  $ export CBR_REPO=/media/backup/cbr
  $ cbr init
  $ cbr snapshot ~/documents ~/pictures
  $ cbr snapshots
  $ cbr restore latest --target /tmp/restored

\`cbr help COMMAND\` tells the options of a command.`;

const WIDEST_HELP = 110;

const LONG_QUOTATION = /'([^']{60})[^']{20,}'/g;

/** What was asked for: a command, and the options that stood around its name. */
interface Request {
  /** As typed: `key add`. */
  readonly name: string;
  readonly module: CommandModule;
  /** The command itself, its arguments and options parsed. */
  readonly command: Command;
  /** Every level that had options, from the outermost inwards. */
  readonly levels: readonly Command[];
}

/** Help was asked for and has been shown. */
const SHOWN = Symbol('shown');

function newCommand(words: readonly string[], description: string): Command {
  return new Command(['cbr', ...words].join(' '))
    .description(description)
    .exitOverride()
    .configureOutput({ writeOut: printHelp, writeErr: () => undefined, outputError: () => undefined })
    .configureHelp({ helpWidth: Math.min(columns(), WIDEST_HELP) });
}

/** Only a terminal is asked: the stream that node makes of a pipe would set it to refuse what it cannot take at once. */
function columns(): number {
  return (isatty(1) ? process.stdout.columns : undefined) ?? WIDEST_HELP;
}

function printHelp(text: string): void {
  const stdout = new LineWriter(1);
  stdout.write(text);
  if (stdout.failure !== undefined && !stdout.isClosed) throw stdout.failure;
}

/** A command that only knows the names of those below it; they get their options when one of them is meant. */
function commandGroup(
  words: readonly string[],
  description: string,
  entries: readonly CatalogEntry[],
): Command {
  const group = newCommand(words, description).usage('[options] COMMAND').helpCommand(false);
  group.enablePositionalOptions();
  declareGlobalOptions(group);
  for (const { name, summary } of entries) group.command(name).summary(summary).helpOption(false).usage(' ');
  return group;
}

function leafCommand(words: readonly string[], entry: CatalogCommand, module: CommandModule): Command {
  const description = `${entry.summary.charAt(0).toUpperCase()}${entry.summary.slice(1)}.`;
  const command = newCommand(words, description).action(() => undefined);
  module.configure(command);
  declareGlobalOptions(command);
  return command;
}

/** Runs a step of commander's; its complaints become errors of ours. Rejects with SHOWN when it has shown help. */
function parsing<T>(words: readonly string[], step: () => T): T {
  try {
    return step();
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.exitCode === 0) throw SHOWN;
    // It quotes what was typed, whatever that is and however long.
    const typed = error.message.replace(/^error: /, '').replaceAll('\n', ' ');
    const message = displayText(typed.replace(LONG_QUOTATION, "'$1...'"));
    throw new CbrError('usage', message, { hint: `See: ${['cbr', ...words].join(' ')} --help` });
  }
}

function refuseUnknown(
  words: readonly string[],
  group: Command,
  args: readonly string[],
  word?: string,
): never {
  const meant = words.length === 0 && word !== undefined ? OTHER_WORDS[word] : undefined;
  if (meant !== undefined) {
    throw new CbrError('usage', `there is no command ${word}: did you mean ${meant}?`, {
      hint: `See: cbr ${meant} --help`,
    });
  }
  // Help, or a word or option that commander knows better how to complain about; a word alone, for it has no help.
  const told = word === undefined ? args : [word];
  if (told.length > 0) parsing(words, () => group.parse([...told], { from: 'user' }));
  throw new CbrError('usage', 'no command was given', { hint: `See: ${['cbr', ...words].join(' ')} --help` });
}

/** Finds the command among the arguments and parses what is meant for it. Rejects with `usage`, or with SHOWN. */
async function findRequest(args: readonly string[]): Promise<Request> {
  const words: string[] = [];
  const levels: Command[] = [];
  let entries = CATALOG;
  let description = DESCRIPTION;
  let rest = args;
  for (;;) {
    const group = commandGroup(words, description, entries);
    if (words.length === 0) {
      group.version(`cbr ${VERSION}`, '-V, --version', 'show the version').addHelpText('after', EXAMPLES);
    }
    const { operands, unknown } = parsing(words, () => group.parseOptions([...rest]));
    const [word, ...behind] = operands;
    if (word === 'help') {
      rest = [...behind, '--help'];
      continue;
    }
    levels.push(group);
    const entry = entries.find(({ name }) => name === word);
    if (entry === undefined) return refuseUnknown(words, group, [...operands, ...unknown], word);
    words.push(entry.name);
    rest = [...behind, ...unknown];
    if ('load' in entry) {
      const module = await entry.load();
      const command = leafCommand(words, entry, module);
      parsing(words, () => command.parse([...rest], { from: 'user' }));
      return { name: words.join(' '), module, command, levels: [...levels, command] };
    }
    entries = entry.commands;
    description = `${entry.summary.charAt(0).toUpperCase()}${entry.summary.slice(1)}.`;
  }
}

/** Says why a command line is refused, to programs too if they are meant. */
function refuse(args: readonly string[], error: unknown): ExitCode {
  const end = args.indexOf('--');
  const json = args.slice(0, end === -1 ? undefined : end).includes('--json');
  const output = new Output({
    json,
    quiet: false,
    verbose: false,
    progress: false,
    columns: () => undefined,
  });
  const name = args.find((arg) => CATALOG.some((entry) => entry.name === arg)) ?? '';
  return output.fail(name, exitCodeOf(error), error);
}

/** Runs the program with the arguments behind its name. Never rejects; returns what the process exits with. */
export async function runCommandLine(args: readonly string[]): Promise<ExitCode> {
  let request: Request;
  let options: GlobalOptions;
  try {
    refuseAlteredArguments(args);
    request = await findRequest(args);
    options = resolveOptions(request.levels, process.env);
  } catch (error) {
    return error === SHOWN ? EXIT.done : refuse(args, error);
  }
  return runCommand(request.name, request.module, request.command, options);
}
