import { type Command, Option } from 'commander';
import { CbrError } from '../core/index.js';
import { NewDataLimitError, type TakeOptions } from '../snapshot/index.js';
import type { ByteStream } from './byte-stream.js';
import type { CommandContext } from './command.js';
import { commandOutput } from './command-output.js';
import { FILTER_HEADINGS } from './filter-flags.js';
import type { Output } from './output.js';
import { besideStandardInput } from './password.js';
import { parseSize, sizeText } from './sizes.js';
import { standardInput } from './standard-input.js';
import { streamPath } from './stream-name.js';
import type { ZonedTime } from './times.js';

/** Inputs of a snapshot that are no paths, and what ends it before its end. */

interface Flags {
  readonly stdin?: boolean;
  readonly fromCommand?: boolean;
  readonly stdinName?: string;
  readonly maxNew?: number;
  readonly partial?: boolean;
  readonly dryRun?: boolean;
  readonly filesFrom?: readonly string[];
  readonly filesFrom0?: readonly string[];
}

export function declareInputs(command: Command): void {
  command
    .optionsGroup('Other inputs, and an end before the end:')
    .option('--stdin', 'take in standard input, as one file')
    .option(
      '--from-command',
      'take in what a command prints, as one file; no snapshot unless it exits with 0',
    )
    .option('--stdin-name <path>', 'the path of that file in the snapshot (default: stdin)')
    .addOption(
      new Option(
        '--max-new <size>',
        'no snapshot if more new content than that would be stored: before compression, without metadata',
      ).argParser(parseSize),
    )
    .option('--partial', 'when stopped by a signal, make a partial snapshot of what was taken in by then');
}

export const INPUT_HELP = `A pipe does not tell whether the program in front of it has failed: an end that came too early is stored like any
other. With --from-command -- COMMAND... cbr runs the program itself and looks at its exit status.
A partial snapshot restores what it has. No policy counts it, "latest" means it only where there is no whole one, and
the next snapshot goes on from there.
`;

export const INPUT_EXAMPLES = `
  $ cbr snapshot --stdin-name db/shop.sql --from-command -- pg_dump shop
  $ tar -c notes | cbr snapshot --stdin --stdin-name notes.tar`;

export type InputOptions = Pick<TakeOptions, 'maxNew' | 'partial' | 'stream'>;

export interface Inputs {
  /** Without a stream, paths are taken in. */
  readonly options: InputOptions;
  /** With the password from elsewhere than from what is taken in. */
  readonly context: CommandContext;
  /** Ends what a stream comes from; to be called whatever happened. */
  close(): Promise<void>;
}

/** What is to be taken in beside paths, under that time. Rejects with `usage`. */
export function inputsOf(command: Command, context: CommandContext, time: ZonedTime): Inputs {
  const flags = command.opts<Flags>();
  const words = command.processedArgs[0] as readonly string[];
  refuseContradictions(flags, words);
  if (flags.stdin === true || flags.fromCommand === true) refuseOptionsOfPaths(command);
  const { stdin = false, fromCommand = false, stdinName = 'stdin', maxNew, partial = false } = flags;
  const ends = { ...(maxNew === undefined ? {} : { maxNew }), partial };
  if (!stdin && !fromCommand) return { options: ends, context, close: () => Promise.resolve() };
  const path = streamPath(stdinName);
  const stream: ByteStream = stdin ? standardInput() : commandOutput(words, context.signal);
  const password = stdin ? besideStandardInput(context.options.password) : context.options.password;
  // As a shell would make the file.
  const umask = process.umask();
  return {
    options: {
      ...ends,
      stream: {
        path,
        content: stream.content,
        mode: 0o644 & ~umask,
        folderMode: 0o755 & ~umask,
        uid: process.getuid?.() ?? 0,
        gid: process.getgid?.() ?? 0,
        mtime: { seconds: time.seconds, nanoseconds: time.nanoseconds },
      },
    },
    context: { ...context, options: { ...context.options, password } },
    close: () => stream.close(),
  };
}

/** A stream has no folders, links and times: who gives options about them expects something else. */
const OF_PATHS: ReadonlySet<string> = new Set([
  ...['as', 'followSymlinks', 'dereference', 'readDevices', 'oneFileSystem'],
  ...['ignoreInode', 'ignoreCtime', 'trustMtime'],
]);

function refuseOptionsOfPaths(command: Command): void {
  const given = command.options.find((option) => {
    const name = option.attributeName();
    const isOfPaths = OF_PATHS.has(name) || option.helpGroupHeading === FILTER_HEADINGS.source;
    return isOfPaths && command.getOptionValueSource(name) === 'cli';
  });
  if (given === undefined) return;
  throw new CbrError('usage', `${given.long} says nothing about a stream`, {
    hint: 'Take in files by a snapshot of their own.',
  });
}

function refuseContradictions(flags: Flags, words: readonly string[]): void {
  const { stdin = false, fromCommand = false, stdinName, maxNew, partial, dryRun } = flags;
  const isStream = stdin || fromCommand;
  const refuse = (message: string, hint: string): never => {
    throw new CbrError('usage', message, { hint });
  };
  if (stdin && fromCommand) refuse('--stdin and --from-command exclude each other', 'Choose one of them.');
  const lists = [...(flags.filesFrom ?? []), ...(flags.filesFrom0 ?? [])];
  if (isStream && lists.length > 0)
    refuse(
      'a stream is taken in alone, without a list of files',
      'Take in files by a snapshot of their own.',
    );
  if (stdin && words.length > 0)
    refuse('--stdin takes no paths', 'Take in files by a snapshot of their own.');
  if (fromCommand && words.length === 0)
    refuse('no command was given', 'Type: cbr snapshot --from-command -- COMMAND...');
  if (stdinName !== undefined && !isStream)
    refuse('--stdin-name needs --stdin or --from-command', 'See: cbr snapshot --help');
  if (isStream && partial === true)
    refuse('there is no partial snapshot of a stream', 'Leave out --partial: half a dump cannot be used.');
  if (dryRun !== true) return;
  if (isStream) refuse('there is no dry run of a stream', 'Reading it would use it up.');
  if (maxNew !== undefined)
    refuse('a dry run cannot tell what is new', 'It reads no content: leave out --max-new.');
}

/** What takeSnapshot failed with, told in units for people; what brought the new data is shown before. */
export function explained(error: unknown, output: Output): unknown {
  if (!(error instanceof NewDataLimitError)) return error;
  for (const { path, bytes } of error.largest) {
    output.problem({
      severity: 'warning',
      about: 'source',
      path,
      reason: `${sizeText(bytes)} of new data by then`,
    });
  }
  const { limit, found, hint } = error;
  const message = `stopped at ${sizeText(found)} of new data (${found} bytes), --max-new allows ${sizeText(limit)}`;
  return new CbrError('limit', message, { cause: error, ...(hint === undefined ? {} : { hint }) });
}
