import { availableParallelism, homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import type { Command } from 'commander';
import {
  type MediumOptions,
  parseStoreOption,
  STORE_OPTION_WORDS,
  type StoreOptions,
  storeVariable,
} from '../backends/index.js';
import { CbrError } from '../core/index.js';
import { wholeNumber } from './parse-number.js';
import type { PasswordSource } from './password.js';

/** The options that every command has, before and after its name; resolved once, never changed. */
export interface GlobalOptions {
  /** As the user wrote it; undefined when none was given. */
  readonly location: string | undefined;
  /** Whether it comes from the command line, not from the environment. */
  readonly isLocationTyped: boolean;
  /** Where the password comes from; the first that is given. */
  readonly password: PasswordSource;
  readonly json: boolean;
  /** Problems only. */
  readonly quiet: boolean;
  readonly verbose: boolean;
  /** Whether progress may be shown. */
  readonly progress: boolean;
  /** Absolute. */
  readonly cacheRoot: string;
  readonly threads: number;
  /** Algorithms without native code, as on a machine without a compiler. */
  readonly portable: boolean;
  /** How an object store is to be used: what the environment says, and what the command line says. */
  readonly medium: Medium;
}

type Medium = Required<Pick<MediumOptions, 'inherited' | 'typed'>>;

const MOST_THREADS = 64;

/** What commander makes of the options declared below. */
interface GivenOptions {
  readonly repo?: string;
  readonly passwordFile?: string;
  readonly passwordCommand?: string;
  readonly json?: boolean;
  readonly quiet?: boolean;
  readonly verbose?: boolean;
  readonly progress?: boolean;
  readonly cacheDir?: string;
  readonly threads?: number;
  readonly appendOnly?: boolean;
  readonly caFile?: string;
  readonly storageClass?: string;
  readonly sse?: string;
  readonly limitUpload?: string;
  readonly limitDownload?: string;
}

export function declareGlobalOptions(command: Command): void {
  command
    .optionsGroup('Global options:')
    .option(
      '-r, --repo <location>',
      'the repository: a folder, s3:https://HOST/BUCKET/PREFIX, or disc:FOLDER (or CBR_REPO)',
    )
    .option('--password-file <file>', 'read the password from a file (or CBR_PASSWORD_FILE)')
    .option('--password-command <command>', 'take the password from what a shell command prints')
    .option('--json', 'print one JSON object per line')
    .option('-q, --quiet', 'print problems only')
    .option('-v, --verbose', 'say more')
    .option('--no-progress', 'show no progress')
    .option('--cache-dir <folder>', 'where caches are kept (or CBR_CACHE_DIR; default: ~/.cache/cbr)')
    .option(
      '--threads <number>',
      `worker threads, 1 to ${MOST_THREADS} (default: one for each processor)`,
      wholeNumber(1, MOST_THREADS),
    )
    .option('--append-only', 'only add to the repository, and remove nothing (or CBR_APPEND_ONLY=1)')
    .option('--limit-upload <size>', 'bytes a second to an object store at most (or CBR_LIMIT_UPLOAD)')
    .option('--limit-download <size>', 'bytes a second from an object store at most (or CBR_LIMIT_DOWNLOAD)')
    .option(
      '--storage-class <class>',
      'class of packs with content in an object store (or CBR_STORAGE_CLASS)',
    )
    .option('--sse <kind>', 'have an object store encrypt: AES256, aws:kms or aws:kms:KEY (or CBR_SSE)')
    .option('--ca-file <file>', 'certificates (PEM) to trust beside the usual ones (or CBR_CA_FILE)')
    .helpOption('-h, --help', 'show this help');
}

/** What was given on the command line, the later word winning; `commands` from the outermost inwards. */
function given(commands: readonly Command[]): GivenOptions {
  const found: Record<string, unknown> = {};
  for (const command of commands) {
    for (const [name, value] of Object.entries(command.opts())) {
      if (command.getOptionValueSource(name) === 'cli') found[name] = value;
    }
  }
  return found;
}

/** Resolves options and environment to what the program works with. */
export function resolveOptions(commands: readonly Command[], env: NodeJS.ProcessEnv): GlobalOptions {
  const options = given(commands);
  const { quiet = false, verbose = false } = options;
  if (quiet && verbose) throw new CbrError('usage', '-q and -v exclude each other');
  if (options.repo === '') throw new CbrError('usage', '--repo is empty', { hint: 'Name a folder.' });
  return Object.freeze({
    location: options.repo ?? (env.CBR_REPO || undefined),
    isLocationTyped: options.repo !== undefined,
    password: passwordSource(options, env),
    json: options.json ?? false,
    quiet,
    verbose,
    progress: (options.progress ?? true) && !quiet,
    cacheRoot: resolve(options.cacheDir || env.CBR_CACHE_DIR || defaultCacheRoot(env)),
    threads: options.threads ?? Math.min(availableParallelism(), MOST_THREADS),
    portable: env.CBR_PORTABLE === '1',
    medium: Object.freeze({ inherited: inheritedOptions(env), typed: typedOptions(options) }),
  });
}

function inheritedOptions(env: NodeJS.ProcessEnv): StoreOptions {
  let found: StoreOptions = {};
  for (const [word, name] of STORE_OPTION_WORDS) {
    const variable = storeVariable(word);
    const text = env[variable];
    if (text) found = { ...found, ...parseStoreOption(name, text, variable) };
  }
  return found;
}

function typedOptions(options: GivenOptions): StoreOptions {
  let found: StoreOptions = {};
  for (const [word, name] of STORE_OPTION_WORDS) {
    const text = (options as Readonly<Record<string, unknown>>)[name];
    if (typeof text === 'string') found = { ...found, ...parseStoreOption(name, text, `--${word}`) };
    else if (text === true) found = { ...found, ...parseStoreOption(name, '1', `--${word}`) };
  }
  return found;
}

function passwordSource(options: GivenOptions, env: NodeJS.ProcessEnv): PasswordSource {
  if (options.passwordFile !== undefined) return { kind: 'file', path: options.passwordFile };
  if (options.passwordCommand !== undefined) return { kind: 'command', command: options.passwordCommand };
  if (env.CBR_PASSWORD_FILE) return { kind: 'file', path: env.CBR_PASSWORD_FILE };
  if (env.CBR_PASSWORD !== undefined) return { kind: 'text', text: env.CBR_PASSWORD };
  return { kind: 'prompt' };
}

/** Where the XDG base directory specification wants caches; it says that a relative path is to be ignored. */
function defaultCacheRoot(env: NodeJS.ProcessEnv): string {
  const base = env.XDG_CACHE_HOME;
  return join(base !== undefined && isAbsolute(base) ? base : join(homedir(), '.cache'), 'cbr');
}
