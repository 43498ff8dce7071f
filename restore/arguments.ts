import { EXIT, Failure } from './failure.js';

/** The command line as a value. */

export type Command =
  | { readonly name: 'help' }
  | { readonly name: 'version' }
  | { readonly name: 'list'; readonly options: Options }
  | {
      readonly name: 'restore';
      readonly options: Options;
      readonly snapshot: string;
      /** Absolute path in the snapshot; absent for all of it. */
      readonly path: string | undefined;
      readonly target: string;
    };

export interface Options {
  readonly discs: readonly string[];
  readonly passwordFile: string | undefined;
  /** Name every path of which something was not kept. */
  readonly isVerbose: boolean;
}

const HINT = 'See node cbr-restore.mjs --help.';

/** Throws a Failure for what is no command. */
export function parseArguments(args: readonly string[]): Command {
  if (args.length === 0) return { name: 'help' };
  const words: string[] = [];
  const discs: string[] = [];
  let target: string | undefined;
  let passwordFile: string | undefined;
  let isVerbose = false;
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    const [flag = '', given] = splitOnce(arg, '=');
    const value = (): string => {
      const taken = given ?? args[++i];
      if (taken === undefined || taken === '') throw new Failure(EXIT.usage, `${flag} needs a value`, HINT);
      return taken;
    };
    if (arg === '--help' || arg === '-h') return { name: 'help' };
    if (arg === '--version') return { name: 'version' };
    if (arg === '--verbose' || arg === '-v') isVerbose = true;
    else if (flag === '--target') target = value();
    else if (flag === '--password-file') passwordFile = value();
    else if (flag === '--discs') {
      discs.push(value());
      // All that follow, until another option: shells make several words of one pattern.
      while (given === undefined && args[i + 1]?.startsWith('-') === false) discs.push(args[++i] ?? '');
    } else if (arg.startsWith('-')) throw new Failure(EXIT.usage, `there is no option ${arg}`, HINT);
    else words.push(arg);
  }
  const options = { discs, passwordFile, isVerbose };
  const [name, ...operands] = words;
  if (name === 'list' && operands.length === 0 && target === undefined) return { name, options };
  if (name === 'restore') return restoreCommand(operands, target, options);
  if (name === 'list')
    throw new Failure(EXIT.usage, 'list takes nothing but --discs and --password-file', HINT);
  throw new Failure(
    EXIT.usage,
    name === undefined ? 'a command is needed: list or restore' : `there is no command ${name}`,
    HINT,
  );
}

function restoreCommand(operands: readonly string[], target: string | undefined, options: Options): Command {
  const [operand] = operands;
  if (operand === undefined || operands.length > 1) {
    throw new Failure(
      EXIT.usage,
      'restore takes one SNAPSHOT or SNAPSHOT:PATH',
      `Folders of discs come last: --discs DIR... ${HINT}`,
    );
  }
  if (target === undefined) throw new Failure(EXIT.usage, 'restore needs --target DIR', HINT);
  const [snapshot = '', path] = splitOnce(operand, ':');
  if (path !== undefined && !path.startsWith('/')) {
    throw new Failure(
      EXIT.usage,
      `${path === '' ? 'the path' : path} is not an absolute path`,
      'Write it as it was: latest:/home/ann',
    );
  }
  return { name: 'restore', options, snapshot, path, target };
}

function splitOnce(text: string, at: string): [string, string?] {
  const index = text.indexOf(at);
  return index < 0 ? [text] : [text.slice(0, index), text.slice(index + 1)];
}
